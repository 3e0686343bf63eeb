package session_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/rawssh"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
)

// readAll reads a pipe to its end on a goroutine of its own.
func readAll(r io.Reader) <-chan result {
	done := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(r)
		done <- result{string(data), err}
	}()
	return done
}

// result is what readAll read.
type result struct {
	data string
	err  error
}

// TestPipeBeforeStart reads pipes that wait for the program to start.
func TestPipeBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Say("out", "err", sshtest.Status(0))})
		cmd := session.Command(t.Context(), conn, "x")
		out, err1 := cmd.StdoutPipe()
		errs, err2 := cmd.StderrPipe()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		gotOut, gotErr := readAll(out), readAll(errs)
		synctest.Wait() // both are reading
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		if r := <-gotOut; r.data != "out" || r.err != nil {
			t.Errorf("stdout: %q, %v", r.data, r.err)
		}
		if r := <-gotErr; r.data != "err" || r.err != nil {
			t.Errorf("stderr: %q, %v", r.data, r.err)
		}
	})
}

// TestPipeStartFails checks that a pipe ends with Start's error.
func TestPipeStartFails(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{OnRequest: sshtest.React(map[string]sshtest.Reaction{"exec": {Verdict: sshtest.Refuse}})})
	cmd := session.Command(testContext(t), conn, "x")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(out)
	start := cmd.Start()
	if start == nil {
		t.Fatal("started")
	}
	if r := <-got; r.err != start {
		t.Errorf("Read: %v, Start: %v", r.err, start)
	}
}

// TestPipeContext checks that the end of the context ends a blocked Read, even
// if the server does not answer.
func TestPipeContext(t *testing.T) {
	cause := errors.New("the cause")
	for name, opts := range map[string]sshtest.Options{
		"answered":    {Handler: sshtest.Deaf},
		"unanswered":  wordless(true, true),
		"not started": wordless(false, false),
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := newConn(t, opts)
			ctx, cancel := context.WithCancelCause(testContext(t))
			cmd := session.Command(ctx, conn, "x")
			out, err1 := cmd.StdoutPipe()
			errs, err2 := cmd.StderrPipe()
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			gotOut, gotErr := readAll(out), readAll(errs)
			if name != "not started" {
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
			}
			cancel(cause)
			for _, got := range []<-chan result{gotOut, gotErr} {
				if err := finishes(t, "Read", func() error { return (<-got).err }); !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			}
			if name != "not started" {
				if err := finishes(t, "Wait", cmd.Wait); !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
					t.Errorf("Wait: %v", err)
				}
			}
		})
	}
}

// TestPipeConnectionLost checks that a pipe tells a lost connection from the
// end of the output.
func TestPipeConnectionLost(t *testing.T) {
	lose := sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		io.WriteString(s, "before")
		s.Conn.Kill()
		return sshtest.Exit{Silent: true}
	}}
	t.Run("known by Done", func(t *testing.T) {
		conn, _ := newConn(t, lose)
		wantErr[errLost](t, pipeOf(t, conn).err)
	})
	t.Run("known by Wait", func(t *testing.T) {
		conn, _ := newConn(t, lose)
		if r := pipeOf(t, conn.Conn); r.err == nil || !errors.Is(r.err, conn.Wait()) {
			t.Errorf("got %v", r.err)
		}
	})
}

// TestPipeEnds checks that output which ends while the program goes on, or
// without an exit status, ends with io.EOF.
func TestPipeEnds(t *testing.T) {
	data := packet(rawssh.MsgChannelData, struct{ Data string }{"text"})
	eof, end := packet(rawssh.MsgChannelEOF, nil), packet(rawssh.MsgChannelClose, nil)
	for name, packets := range map[string][][]byte{
		"no status":       {data, end},
		"EOF, no status":  {data, eof, end},
		"status":          {data, request("exit-status", ssh.Marshal(struct{ N uint32 }{3})), end},
		"status, then it": {request("exit-status", ssh.Marshal(struct{ N uint32 }{3})), data, eof, end},
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := newConn(t, wordless(true, true, packets...))
			if r := pipeOf(t, struct{ session.Conn }{conn}); r.data != "text" || r.err != nil {
				t.Errorf("%q, %v", r.data, r.err)
			}
		})
	}
	t.Run("goes on", func(t *testing.T) {
		conn, _ := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
			io.WriteString(s, "text")
			s.Channel().CloseWrite()
			io.Copy(io.Discard, s)
			return sshtest.Status(0)
		}})
		cmd := session.Command(testContext(t), conn, "x")
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		if r := <-readAll(out); r.data != "text" || r.err != nil {
			t.Errorf("%q, %v", r.data, r.err)
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// pipeOf runs a program and reads its output through a pipe.
func pipeOf(t *testing.T, conn session.Conn) result {
	t.Helper()
	cmd := session.Command(testContext(t), conn, "x")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := <-got
	cmd.Wait()
	return r
}
