//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gossh-project/gossh/sshtest/faultnet"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestSlowLink: a link that is saturated by our own data for much longer than a
// dead server is given lives.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	need(t, "nc")
	if testing.Short() {
		t.Skip("takes twelve seconds")
	}
	for _, way := range []string{"", "ProxyJump=jump", "ProxyCommand=nc 127.0.0.1 PORT"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w, p := fault{way: way}.prepare(t)
			p.SetBandwidth(faultnet.Up, 64<<10)
			cmd := w.gossh("sshd", "wc -c")
			cmd.Stdin = bytes.NewReader(make([]byte, 768<<10))
			o := w.run(cmd)
			o.want(t, 0, fmt.Sprintln(768<<10), silent())
			if o.took < 2*faultLimit {
				t.Errorf("it took %v, which shows nothing", o.took)
			}
		})
	}
}

// TestStopped: a program that was stopped for longer than a dead server is given
// asks the server when it wakes, and goes on.
func TestStopped(t *testing.T) {
	t.Parallel()
	w, p := fault{}.prepare(t)
	cmd := w.gossh("sshd", "echo ready; exec cat")
	var errs strings.Builder
	cmd.Stderr = &errs
	in, out := startPiped(t, cmd)
	readLine(t, out)
	cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(2 * faultLimit) // is the fault
	up, _ := p.Bytes(faultnet.Up)
	down, _ := p.Bytes(faultnet.Down)
	cmd.Process.Signal(syscall.SIGCONT)
	eventually(t, "the program asks and the server answers", func() bool {
		nowUp, _ := p.Bytes(faultnet.Up)
		nowDown, _ := p.Bytes(faultnet.Down)
		return nowUp > up && nowDown > down
	})
	io.WriteString(in, "still here\n")
	if got := readLine(t, out); got != "still here" {
		t.Errorf("%q", got)
	}
	in.Close()
	if err := cmd.Wait(); err != nil || errs.Len() > 0 {
		t.Errorf("%v, %q", err, errs.String())
	}
}

// The server's keepalive of the tests below: it ends a connection that does not
// answer for two intervals.
const serversInterval = 2 * time.Second

// withServersKeepalive gives a world whose sshd asks the client, and the link to
// it. The client does not ask by itself.
func withServersKeepalive(t *testing.T) (*world, *faultnet.Proxy) {
	t.Helper()
	w := withSSHD(t, opensshd.Options{Extra: fmt.Sprintf("ClientAliveInterval %d\nClientAliveCountMax 1\n", serversInterval/time.Second)})
	p := linkTo(t, w.srv.Addr)
	w.pre = append(w.pre, "-p", fmt.Sprint(p.Port()), "-o", "ServerAliveInterval=0")
	return w, p
}

// awaitAnswers waits until the client has answered the server for longer than
// the server waits. Nothing else may be sent meanwhile but right at the
// beginning.
func awaitAnswers(t *testing.T, p *faultnet.Proxy) {
	t.Helper()
	sent, _ := p.Bytes(faultnet.Up)
	last, answers := time.Now(), 0
	eventually(t, "the client answers the server", func() bool {
		now, _ := p.Bytes(faultnet.Up)
		if now > sent {
			if time.Since(last) > serversInterval/2 {
				answers++
			}
			sent, last = now, time.Now()
		}
		return answers == 2
	})
}

// TestServersKeepaliveOutputHeld: the server is answered while the reader of the
// output pauses.
func TestServersKeepaliveOutputHeld(t *testing.T) {
	t.Parallel()
	w, p := withServersKeepalive(t)
	cmd := w.gossh("sshd", "head -c 20000000 /dev/zero")
	_, out := startPiped(t, cmd)
	awaitAnswers(t, p)
	n, _ := io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil || n != 20000000 {
		t.Errorf("%v, %d bytes", err, n)
	}
}

// TestServersKeepaliveInputHeld: the server is answered while the remote program
// does not read.
func TestServersKeepaliveInputHeld(t *testing.T) {
	t.Parallel()
	w, p := withServersKeepalive(t)
	cmd := w.gossh("sshd", "while [ ! -e "+w.path("go")+" ]; do sleep 0.05; done; wc -c")
	in, out := startPiped(t, cmd)
	written := make(chan error, 1)
	go func() { // ends with the input, or with the program
		_, err := in.Write(make([]byte, 20000000))
		in.Close()
		written <- err
	}()
	awaitAnswers(t, p)
	w.write("go", "")
	if got := readLine(t, out); got != "20000000" {
		t.Errorf("counted %q", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// TestServersKeepaliveAtQuestion: the server is answered while a person is asked.
func TestServersKeepaliveAtQuestion(t *testing.T) {
	t.Parallel()
	w, p := withServersKeepalive(t)
	s := w.onScreen(w.gossh("-o", commandLine, "sshd"))
	s.expect(`remote\$ `)
	s.send("\r")
	s.expect(`remote\$ `)
	s.send("~C")
	s.expect(`ssh> $`)
	awaitAnswers(t, p)
	s.send("-h\r")
	s.expect(`Request local forward`)
	s.send("\rexit 3\r")
	s.wantEnd(3)
}

// TestServersKeepaliveForward: the server is answered while a forwarded
// connection is idle and there is no session.
func TestServersKeepaliveForward(t *testing.T) {
	t.Parallel()
	w, p := withServersKeepalive(t)
	local, remote, echo := closedPort(t), closedPort(t), echoes(t)
	cmd, log := w.service("-N", "-L", fmt.Sprintf("%d:127.0.0.1:%d", local, echo), "-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, echo), "sshd")
	for _, port := range []int{local, remote} {
		eventually(t, "the forward works", func() bool { return answers(port) })
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintln(c, "hello")
		readLine(t, c)
		awaitAnswers(t, p)
		fmt.Fprintln(c, "still here")
		if got := readLine(t, c); got != "still here" {
			t.Errorf("%q; %s", got, log.text())
		}
		c.Close()
	}
	cmd.Process.Signal(syscall.SIGINT)
	if log.wait(cmd); log.text() != "" {
		t.Errorf("it said %q", log.text())
	}
}
