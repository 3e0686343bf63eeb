package session_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/rawssh"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
)

func TestExit(t *testing.T) {
	for _, test := range []struct {
		name string
		exit sshtest.Exit
		want *session.ExitError // nil: no error
		text string
	}{
		{"0", sshtest.Status(0), nil, ""},
		{"1", sshtest.Status(1), &session.ExitError{Status: 1}, "session: exit status 1"},
		{"255", sshtest.Status(255), &session.ExitError{Status: 255}, "session: exit status 255"},
		{"256", sshtest.Status(256), &session.ExitError{Status: 256}, "session: exit status 256"},
		{"signal", sshtest.Exit{Signal: "TERM"}, &session.ExitError{Signal: "TERM"}, "session: ended by signal TERM"},
		{"core", sshtest.Exit{Signal: "SEGV", CoreDumped: true, Message: "oops"},
			&session.ExitError{Signal: "SEGV", Core: true, Message: "oops"}, "session: ended by signal SEGV (core dumped): oops"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Say("", "", test.exit)})
			err := session.Command(testContext(t), conn, "x").Run()
			if test.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			got := wantErr[*session.ExitError](t, err)
			if got.Status != test.want.Status || got.Signal != test.want.Signal || got.Core != test.want.Core || got.Message != test.want.Message {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if got.Error() != test.text {
				t.Errorf("text %q", got.Error())
			}
		})
	}
}

// request is the server's request on channel 0.
func request(name string, payload []byte) []byte {
	return packet(rawssh.MsgChannelRequest, struct {
		Name      string
		WantReply bool
		Rest      []byte `ssh:"rest"`
	}{name, false, payload})
}

// TestExitMessages: what a server may say of the end in wrong ways.
func TestExitMessages(t *testing.T) {
	status := func(n uint32) []byte { return request("exit-status", ssh.Marshal(struct{ N uint32 }{n})) }
	end := packet(rawssh.MsgChannelClose, nil)
	for _, test := range []struct {
		name    string
		packets [][]byte
		status  int // -1: ErrNoStatus
	}{
		{"status, no EOF", [][]byte{status(7), end}, 7},
		{"the first of two", [][]byte{status(7), status(8), end}, 7},
		{"status behind EOF", [][]byte{packet(rawssh.MsgChannelEOF, nil), status(9), end}, 9},
		{"short status", [][]byte{request("exit-status", []byte{0, 0, 1}), end}, -1},
		{"short, then right", [][]byte{request("exit-status", nil), status(3), end}, 3},
		{"short signal", [][]byte{request("exit-signal", []byte{0, 0, 0, 9, 'T'}), end}, -1},
		{"none", [][]byte{end}, -1},
		{"unknown requests", [][]byte{request("nonsense", []byte("x")), status(4), end}, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			// A connection that cannot say why it ended: wordless answers no
			// sign of life either.
			conn, _ := newConn(t, wordless(true, true, test.packets...))
			err := finishes(t, "Run", session.Command(testContext(t), struct{ session.Conn }{conn}, "x").Run)
			if test.status < 0 {
				if !errors.Is(err, session.ErrNoStatus) {
					t.Errorf("got %v", err)
				}
				return
			}
			if got := wantErr[*session.ExitError](t, err); got.Status != test.status {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestNoStatus(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Say("text", "", sshtest.Exit{Silent: true})})
	out, err := session.Command(testContext(t), conn, "x").Output()
	if !errors.Is(err, session.ErrNoStatus) || string(out) != "text" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestNoStatusNoAnswer: a server that closes without a status and then does
// not answer the question whether it lives is not waited for.
func TestNoStatusNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := newConn(t, wordless(true, true, packet(rawssh.MsgChannelClose, nil)))
		start := time.Now()
		err := session.Command(t.Context(), conn, "x").Run()
		if !errors.Is(err, session.ErrNoStatus) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

func TestConnectionLost(t *testing.T) {
	conn, srv := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		io.WriteString(s, "before")
		s.Conn.Kill()
		return sshtest.Exit{Silent: true}
	}})
	out, err := session.Command(testContext(t), conn, "x").Output()
	wantErr[errLost](t, err)
	if !strings.HasPrefix("before", string(out)) {
		t.Errorf("got %q", out)
	}
	srv.Close()
}

// TestPlainConnectionLost: of a plain ssh.Conn it is Wait that knows why.
func TestPlainConnectionLost(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		s.Conn.Kill()
		return sshtest.Exit{Silent: true}
	}})
	_, err := session.Command(testContext(t), conn.Conn, "x").Output()
	if why := conn.Wait(); err == nil || errors.Is(err, session.ErrNoStatus) || !errors.Is(err, why) {
		t.Errorf("%v, want what Wait says: %v", err, why)
	}

	conn, _ = newConn(t, sshtest.Options{Handler: sshtest.Say("", "", sshtest.Exit{Silent: true})})
	if err := session.Command(testContext(t), conn.Conn, "x").Run(); !errors.Is(err, session.ErrNoStatus) {
		t.Errorf("%v of a connection that lives", err)
	}
}

// TestConnectionLostAfterStatus: the program did end.
func TestConnectionLostAfterStatus(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		s.Channel().SendRequest("exit-status", false, []byte{0, 0, 0, 5})
		s.Channel().SendRequest("is it told?", true, nil)
		s.Channel().CloseWrite()
		io.Copy(io.Discard, s) // until the client is gone
		return sshtest.Exit{Silent: true}
	}})
	cmd := session.Command(testContext(t), conn, "x")
	cmd.Stdin = newKeys()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	io.ReadAll(out)
	conn.Close()
	if e := wantErr[*session.ExitError](t, cmd.Wait()); e.Status != 5 {
		t.Errorf("got %+v", e)
	}
}

// TestCancelled: Wait returns with the context's cause, whatever the server,
// the program or the input does.
func TestCancelled(t *testing.T) {
	cause := errors.New("the cause")
	blocked, unblock := io.Pipe()
	t.Cleanup(func() { unblock.Close() })
	for _, test := range []struct {
		name  string
		opts  sshtest.Options
		stdin io.Reader
	}{
		{"running", sshtest.Options{Handler: sshtest.Deaf}, nil},
		{"keyboard", sshtest.Options{Handler: sshtest.Deaf}, newKeys()},
		{"blocked input", sshtest.Options{Handler: sshtest.Deaf}, blocked},
		{"full window", sshtest.Options{Handler: sshtest.Deaf}, zeros{}},
		{"close unanswered", wordless(true, true), newKeys()},
		{"close unanswered, full window", wordless(true, true), cancelableZeros{}},
		{"close answered by a status", sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
			<-s.Context().Done()
			return sshtest.Status(0)
		}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, _ := newConn(t, test.opts)
			ctx, cancel := context.WithCancelCause(testContext(t))
			cmd := session.Command(ctx, conn, "x")
			cmd.Stdin = test.stdin
			cmd.Stdout = io.Discard
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if k, ok := test.stdin.(*keys); ok {
				<-k.reading
				defer func() {
					if k.busy() {
						t.Error("a Read is left behind")
					}
				}()
			}
			cancel(cause)
			if err := finishes(t, "Wait", cmd.Wait); !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

type cancelableZeros struct{ zeros }

func (cancelableZeros) Cancel() {}

// TestStatusBeforeCancel: what has been told before the context ended stays,
// if it was not a success that is only half delivered.
func TestStatusBeforeCancel(t *testing.T) {
	for _, status := range []int{0, 6} {
		conn, _ := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
			s.Channel().SendRequest("exit-status", false, []byte{0, 0, 0, byte(status)})
			s.Channel().SendRequest("is it told?", true, nil)
			io.WriteString(s, "half of it")
			<-s.Context().Done()
			return sshtest.Exit{Silent: true}
		}})
		ctx, cancel := context.WithCancel(testContext(t))
		cmd := session.Command(ctx, conn, "x")
		cmd.Stdout = writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
		err := cmd.Run()
		if status == 0 {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v for output that was not all delivered", err)
			}
			continue
		}
		if e := wantErr[*session.ExitError](t, err); e.Status != status {
			t.Errorf("got %+v", e)
		}
	}
}

// TestNothingWrittenAfterWait: once Wait has returned the caller's writers
// are the caller's.
func TestNothingWrittenAfterWait(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		for s.Context().Err() == nil {
			io.WriteString(s, "text")
		}
		return sshtest.Exit{}
	}})
	for range 10 {
		ctx, cancel := context.WithCancel(testContext(t))
		var plain strings.Builder // the race detector's to watch
		cmd := session.Command(ctx, conn, "x")
		cmd.Stdout = writerFunc(func(p []byte) (int, error) {
			if plain.Len() == 0 {
				cancel()
			}
			return plain.Write(p)
		})
		if err := cmd.Run(); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		plain.WriteString("ours")
	}
}

// TestCancelStuckOutput: a writer that can be cancelled does not hold Wait up.
func TestCancelStuckOutput(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		io.WriteString(s, "text")
		<-s.Context().Done()
		return sshtest.Exit{}
	}})
	ctx, cancel := context.WithCancel(testContext(t))
	cmd := session.Command(ctx, conn, "x")
	w := stuck{keys: newKeys()}
	cmd.Stdout = w
	go func() {
		<-w.reading
		cancel()
	}()
	if err := finishes(t, "Run", cmd.Run); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type stuck struct{ *keys }

func (s stuck) Write(p []byte) (int, error) { return s.Read(p) }

func TestMessages(t *testing.T) {
	got := make(chan string, 1)
	conn, srv := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		select {
		case got <- <-s.Signals:
		case <-s.Context().Done():
		}
		return sshtest.Exit{}
	}})
	cmd := session.Command(testContext(t), conn, "x")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		cmd.Resize(session.Size{Columns: 132, Rows: 43, Width: 1, Height: 2}),
		cmd.Break(1000),
		cmd.Signal("SIGINT"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if name := <-got; name != "INT" {
		t.Errorf("signal %q", name)
	}
	want := map[string]string{
		"window-change": "\x00\x00\x00\x84\x00\x00\x00\x2b\x00\x00\x00\x01\x00\x00\x00\x02",
		"break":         "\x00\x00\x03\xe8",
		"signal":        "\x00\x00\x00\x03INT",
	}
	for _, r := range srv.Records() {
		payload, ok := want[r.Type]
		if !ok {
			continue
		}
		delete(want, r.Type)
		if string(r.Payload) != payload || r.WantReply {
			t.Errorf("%s %q, wants a reply: %v", r.Type, r.Payload, r.WantReply)
		}
	}
	if len(want) != 0 {
		t.Errorf("not sent: %q", want)
	}
	if err := cmd.Signal("SIGINT"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Signal after the end: %v", err)
	}
}

// TestClose checks that Close frees Wait, whatever the server does.
func TestClose(t *testing.T) {
	for name, opts := range map[string]sshtest.Options{
		"answered":   {Handler: sshtest.Deaf},
		"unanswered": wordless(true, true),
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := newConn(t, opts)
			cmd := session.Command(testContext(t), conn, "x")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Close(); err != nil {
				t.Error(err)
			}
			if err := cmd.Close(); err != nil {
				t.Error("the second time:", err)
			}
			if err := finishes(t, "Wait", cmd.Wait); !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestCloseFreesStart checks that Close ends a Start whose channel the server
// never confirms, and that Start fails after Close.
func TestCloseFreesStart(t *testing.T) {
	conn, _ := newConn(t, wordless(false, false))
	cmd := session.Command(testContext(t), conn, "x")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := out.Read(make([]byte, 1))
		read <- err
	}()
	started := make(chan error, 1)
	go func() { started <- cmd.Start() }()
	cmd.Close()
	if err := finishes(t, "Start", func() error { return <-started }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Start: %v", err)
	}
	if err := finishes(t, "Read", func() error { return <-read }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
}
