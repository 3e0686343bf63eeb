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
// wakes to a living one.
func TestStopped(t *testing.T) {
	t.Parallel()
	w, _ := fault{}.prepare(t)
	cmd := w.gossh("sshd", "echo ready; exec cat")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	readLine(t, out)
	cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(2 * faultLimit) // is the fault
	cmd.Process.Signal(syscall.SIGCONT)
	time.Sleep(faultInterval / 2) // any verdict would have fallen
	io.WriteString(in, "still here\n")
	if got := readLine(t, out); got != "still here" {
		t.Errorf("%q", got)
	}
	in.Close()
	if err := cmd.Wait(); err != nil || errs.Len() > 0 {
		t.Errorf("%v, %q", err, errs.String())
	}
}

// TestServersKeepalive: the server's own questions are answered while a person is
// asked, and while data waits at either end.
func TestServersKeepalive(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{Extra: "ClientAliveInterval 2\nClientAliveCountMax 1\n"})
	const wait = 9 * time.Second // more than twice what the server gives
	t.Run("nobody takes the output", func(t *testing.T) {
		t.Parallel()
		cmd := w.gossh("sshd", "head -c 20000000 /dev/zero")
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(wait)
		n, _ := io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil || n != 20000000 {
			t.Errorf("%v, %d bytes", err, n)
		}
	})
	t.Run("nobody takes the input", func(t *testing.T) {
		t.Parallel()
		cmd := w.gossh("sshd", fmt.Sprintf("sleep %d; wc -c", wait/time.Second))
		cmd.Stdin = bytes.NewReader(make([]byte, 20000000))
		w.run(cmd).want(t, 0, "20000000\n", silent())
	})
	t.Run("at a question", func(t *testing.T) {
		t.Parallel()
		w := w.at(t)
		s := w.onScreen(w.gossh("-o", commandLine, "sshd"))
		s.expect(`remote\$ `)
		s.send("\r")
		s.expect(`remote\$ `)
		s.send("~C")
		s.expect(`ssh> $`)
		time.Sleep(wait)
		s.send("-h\r")
		s.expect(`Request local forward`)
		s.send("\rexit 3\r")
		s.wantEnd(3)
	})
	t.Run("there is a forwarded connection alone", func(t *testing.T) {
		t.Parallel()
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
			time.Sleep(wait)
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
	})
}
