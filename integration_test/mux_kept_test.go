//go:build linux

package integration_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/internal/sshtest"
)

// TestMuxReconnect: a master with Reconnect keeps its socket through an outage.
// Sessions that were there end, new ones wait, forwards come back.
func TestMuxReconnect(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	remote := closedPort(t)
	m := &muxMaster{w: w, sock: w.socket(), host: "sshtest"}
	m.start(gosshPath, "-M", "-N", "-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1")
	inode := func() uint64 {
		info, err := os.Stat(m.sock)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Ino
	}
	first := inode()
	m.control("forward", "-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, echoes(t))).want(t, 0, "", silent())

	for round := range 2 {
		old := m.client(gosshPath, "sshtest", "old")
		in, _ := old.StdinPipe()
		out, _ := old.StdoutPipe()
		var errs strings.Builder
		old.Stderr = &errs
		if err := old.Start(); err != nil {
			t.Fatal(err)
		}
		readLine(t, out)
		r.down()
		io.Copy(io.Discard, out)
		old.Wait()
		in.Close()
		if old.ProcessState.ExitCode() != 255 || !strings.Contains(errs.String(), "closed by remote host") && !strings.Contains(errs.String(), "Broken pipe") {
			t.Errorf("the old session: %v, %q", old.ProcessState, errs.String())
		}
		// It does not wait for longer than it was told to, and makes no master
		// in the place of the one that is there.
		o := m.run("new", "-o", "ConnectTimeout=1", "-o", "ControlMaster=auto")
		if o.status != 255 || !strings.Contains(o.stderr, "the master does not answer") {
			t.Errorf("no server: %v", o)
		}
		waiting := m.client(gosshPath, "-o", "ControlMaster=auto", "sshtest", "new")
		waiting.Stdin = strings.NewReader("exit 4\r")
		done := make(chan outcome)
		go func() { done <- w.run(waiting) }()
		_, tried := r.connections()
		<-tried
		r.up(r.same)
		o = <-done
		if o.status != 4 || !strings.HasSuffix(o.stdout, ": \"new\"\r\n") || o.stderr != "" {
			t.Errorf("the new session: %v\n%s", o, m.stderr())
		}
		if inode() != first {
			t.Error("the socket is another")
		}
		eventually(t, fmt.Sprint("the forward is back, round ", round), func() bool { return answers(remote) })
		if n := len(r.current().Conns()); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
	// During an outage the master obeys, too.
	r.down()
	m.control("exit").want(t, 0, "", nil)
	<-m.ended
	if m.cmd.ProcessState.ExitCode() != 255 {
		t.Errorf("the master: %v", m.cmd.ProcessState)
	}
}
