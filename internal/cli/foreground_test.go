package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
)

// TestSessionEnd checks the ending of a session for each result of its program.
func TestSessionEnd(t *testing.T) {
	env, c, printed := testEnvironment(t, sshtest.NewServer(t, nil))
	lost := &client.ConnError{Phase: client.PhaseConnected, Host: "web", Port: 22, Address: "192.0.2.1", Err: io.EOF}
	broken := &client.ConnError{Phase: client.PhaseConnected, Host: "web", Port: 22, Address: "192.0.2.1", Err: syscall.ECONNRESET}
	for _, test := range []struct {
		name  string
		err   error
		want  string // status and flags
		lines string
	}{
		{"status 0", nil, "0", ""},
		{"status", &session.ExitError{Status: 4}, "4", ""},
		{"signal", &session.ExitError{Signal: "TERM"}, "255 unknown", ""},
		{"no status", session.ErrNoStatus, "255 unknown", ""},
		{"escape", message.ErrQuit, "255 quit unknown", ""},
		{"closed", lost, "255 unknown printed", "Connection to web closed by remote host.\r\n"},
		{"broken", broken, "255 silent unknown printed", "client_loop: send disconnect: Broken pipe\r\n"},
		{"SIGTERM", &message.SignalError{Signal: syscall.SIGTERM}, "255 silent unknown", ""},
		{"output lost", &session.OutputError{Err: syscall.ENOSPC}, "255", "ssh: write: No space left on device\r\n"},
	} {
		printed.Reset()
		r := &remoteSession{environment: env, client: c}
		end, err := r.end(test.err)
		got := fmt.Sprint(end.status)
		for _, flag := range []struct {
			set  bool
			name string
		}{{end.quit, "quit"}, {end.silent, "silent"}, {end.unknown, "unknown"}, {end.printed, "printed"}} {
			if flag.set {
				got += " " + flag.name
			}
		}
		if err != nil || got != test.want || printed.String() != test.lines || end.session != r {
			t.Errorf("%s: %s, %v, printed %q; want %s, %q", test.name, got, err, printed, test.want, test.lines)
		}
	}
	for name, err := range map[string]error{
		"request refused":  &session.RequestError{Request: "exec"},
		"terminal refused": message.ErrNoTTY,
	} {
		r := &remoteSession{environment: env, client: c, number: 2}
		_, got := r.end(err)
		var on *message.ChannelError
		if !errors.As(got, &on) || on.Channel != 2 || !errors.Is(got, err) {
			t.Errorf("%s: %v", name, got)
		}
	}
	r := &remoteSession{environment: env, client: c, connection: connection{kept: new(client.Kept)}}
	if _, err := r.end(lost); err != lost {
		t.Errorf("with Reconnect: %v", err)
	}
}

// TestSayGoodbye checks the last messages and the exit status.
func TestSayGoodbye(t *testing.T) {
	env, c, printed := testEnvironment(t, sshtest.NewServer(t, nil), "LogLevel=INFO")
	closed := &client.ConnError{Phase: client.PhaseConnected, Host: "web", Port: 22, Address: "192.0.2.1", Err: io.EOF}
	broken := &client.ConnError{Phase: client.PhaseConnected, Host: "web", Port: 22, Address: "192.0.2.1", Err: syscall.ECONNRESET}
	plain := &remoteSession{environment: env, client: c}
	shell := &remoteSession{environment: env, client: c, tty: new(ttySession)}
	goodbye := "Connection to " + env.cfg.HostName + " closed.\r\n"
	for _, test := range []struct {
		name   string
		end    ending
		kept   bool
		status int
		lines  string
	}{
		{"no session", ending{status: 1}, false, 1, ""},
		{"command", ending{status: 2, session: plain}, false, 2, ""},
		{"shell", ending{status: 2, session: shell}, false, 2, goodbye},
		{"silent", ending{status: 255, session: shell, silent: true}, false, 255, ""},
		{"closed later", ending{status: 2, session: shell, loss: closed}, false, 2, "Connection to web closed by remote host.\r\n" + goodbye},
		{"broken later", ending{status: 2, session: shell, loss: broken}, false, 255, "client_loop: send disconnect: Broken pipe\r\n"},
		{"broken later, Reconnect", ending{status: 2, session: shell, loss: broken}, true, 2, goodbye},
	} {
		printed.Reset()
		f := &foreground{environment: env}
		if status := f.sayGoodbye(test.end, test.kept); status != test.status || printed.String() != test.lines {
			t.Errorf("%s: status %d, %q; want %d, %q", test.name, status, printed, test.status, test.lines)
		}
	}
}

// TestAddLoss checks which loss is printed in the end.
func TestAddLoss(t *testing.T) {
	lost := &client.ConnError{Phase: client.PhaseConnected, Err: io.EOF}
	var e ending
	e.addLoss(nil)
	e.addLoss(errors.New("of something else"))
	if e.loss != nil {
		t.Errorf("loss is %v", e.loss)
	}
	e.addLoss(lost)
	e.addLoss(&client.ConnError{Phase: client.PhaseConnected, Err: syscall.ECONNRESET})
	if e.loss != lost {
		t.Errorf("the first loss is not kept: %v", e.loss)
	}
	e = ending{printed: true}
	if e.addLoss(lost); e.loss != nil {
		t.Error("a loss is to be printed twice")
	}
}

// countingService is a service that counts how often it is closed.
type countingService struct {
	serves func(ctx context.Context, c connection) (int, error)
	closed int
}

func (s *countingService) serve(ctx context.Context, c connection) (int, error) {
	return s.serves(ctx, c)
}
func (s *countingService) close() { s.closed++ }

// TestConnector checks that a connection is served once, or with Reconnect again
// after a loss.
func TestConnector(t *testing.T) {
	for _, reconnect := range []bool{false, true} {
		srv := sshtest.NewServer(t, nil)
		env, _, printed := testEnvironment(t, srv, "Reconnect=yes", "ReconnectMinDelay=1")
		inv := &invocation{environment: env, args: []string{"ssh"}, flags: &flags{host: "host", hasHost: true}}
		served := 0
		s := &countingService{}
		s.serves = func(ctx context.Context, c connection) (int, error) {
			served++
			if (c.kept != nil) != reconnect || c.again != (served > 1) || c.std != env.std {
				t.Errorf("connection %d: %+v", served, c)
			}
			if served == 1 {
				for _, conn := range srv.Conns() {
					conn.Kill()
				}
				<-c.client.Done()
				return 0, c.client.Err()
			}
			return 5, nil
		}
		status, err := newConnector(inv, reconnect, false).run(t.Context(), s)
		if reconnect && (status != 5 || err != nil || served != 2 || !strings.Contains(printed.String(), "re-established")) {
			t.Errorf("with Reconnect: %d, %v, served %d times, printed %q", status, err, served, printed)
		}
		if !reconnect && (err == nil || served != 1) {
			t.Errorf("without: %d, %v, served %d times", status, err, served)
		}
		if s.closed != 1 {
			t.Errorf("closed %d times", s.closed)
		}
	}
}

// TestMasterUnneeded checks that a master that was started in vain exits.
func TestMasterUnneeded(t *testing.T) {
	dir, err := os.MkdirTemp("", "gossh-cli-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := dir + "/s"
	env, _, printed := testEnvironment(t, sshtest.NewServer(t, nil), "ControlPath="+path, "ControlMaster=auto", "ControlPersist=yes")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	inv := &invocation{environment: env, args: []string{"ssh"}, flags: &flags{host: "host", hasHost: true}, master: true}
	p, err := choosePlan(inv)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := newRunner(inv, p).run(t.Context()); status != 0 || err != nil || printed.Len() > 0 {
		t.Errorf("%v: status %d, %v, printed %q", p, status, err, printed)
	}
}

// TestForeground runs a command to its end.
func TestForeground(t *testing.T) {
	srv := sshtest.NewServer(t, &sshtest.Options{Handler: sshtest.Say("out\n", "err\n", sshtest.Exit{Status: 6})})
	env, _, printed := testEnvironment(t, srv)
	var err error
	if env.std.Stdout, err = os.CreateTemp(t.TempDir(), "out"); err != nil {
		t.Fatal(err)
	}
	defer env.std.Stdout.Close()
	inv := &invocation{environment: env, args: []string{"ssh"}, flags: &flags{host: "host", hasHost: true, command: "say"}}
	status, err := newForeground(inv, foregroundPlan{task: task.New(env.cfg, "say", false)}).run(t.Context())
	out, _ := os.ReadFile(env.std.Stdout.Name())
	if status != 6 || err != nil || !bytes.Equal(out, []byte("out\n")) || printed.Len() > 0 {
		t.Errorf("status %d, %v, output %q, printed %q", status, err, out, printed)
	}
}
