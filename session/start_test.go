package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
)

// TestPipelined: a server that answers nothing until it has the whole start
// is no obstacle, so a start costs one round trip behind the channel's.
func TestPipelined(t *testing.T) {
	conn, srv := newConn(t, sshtest.Options{Handler: sshtest.Say("out", "", sshtest.Exit{}), HoldReplies: 1})
	cmd := session.Command(testContext(t), conn, "true")
	cmd.TTY = &session.TTY{Term: "xterm"}
	cmd.Env = []session.EnvVar{{"LANG", "C"}, {"LC_ALL", "de_DE.UTF-8"}}
	cmd.ForwardAgent = true
	cmd.X11 = &session.X11{AuthProtocol: "MIT-MAGIC-COOKIE-1", AuthCookie: "00ff", Screen: 2}
	if out, err := cmd.Output(); err != nil || string(out) != "out" {
		t.Fatalf("%q, %v", out, err)
	}
	var got []string
	for _, r := range srv.Records() {
		if r.Kind != sshtest.Channel {
			continue
		}
		got = append(got, r.Type)
		if r.RepliesBefore != 0 {
			t.Errorf("%s came after %d answers", r.Type, r.RepliesBefore)
		}
		if want := r.Type == "exec"; r.WantReply != want {
			t.Errorf("%s wants a reply: %v", r.Type, r.WantReply)
		}
	}
	want := "auth-agent-req@openssh.com x11-req pty-req env env exec"
	if strings.Join(got, " ") != want {
		t.Errorf("requests %q, want %q", got, want)
	}
}

func TestRequests(t *testing.T) {
	const u32 = "\x00\x00\x00"
	modes := "\x01" + u32 + "\x03" + "\x00"
	for _, test := range []struct {
		name  string
		setup func(*session.Cmd)
		want  []string // type, a space and the payload
	}{
		{"exec", nil, []string{"exec " + u32 + "\x04true"}},
		{"shell", func(c *session.Cmd) { c.Line = "" }, []string{"shell "}},
		{"subsystem", func(c *session.Cmd) { c.Subsystem, c.Line = true, "sftp" }, []string{"subsystem " + u32 + "\x04sftp"}},
		{"bytes as they are", func(c *session.Cmd) { c.Line = "\xff \x00'\n" }, []string{"exec " + u32 + "\x05\xff \x00'\n"}},
		{"env", func(c *session.Cmd) { c.Env = []session.EnvVar{{"A", "x=y"}, {"B", ""}} }, []string{
			"env " + u32 + "\x01A" + u32 + "\x03x=y", "env " + u32 + "\x01B" + u32 + "\x00", "exec " + u32 + "\x04true"}},
		{"pty", func(c *session.Cmd) {
			c.TTY = &session.TTY{Term: "vt100", Size: session.Size{Columns: 80, Rows: 24, Width: 640, Height: 480}, EncodedModes: []byte(modes)}
		}, []string{"pty-req " + u32 + "\x05vt100" + u32 + "P" + u32 + "\x18" + "\x00\x00\x02\x80" + "\x00\x00\x01\xe0" +
			u32 + "\x06" + modes, "exec " + u32 + "\x04true"}},
		{"pty with modes in order", func(c *session.Cmd) {
			c.TTY = &session.TTY{Modes: ssh.TerminalModes{ssh.TTY_OP_OSPEED: 9600, ssh.ECHO: 0}}
		}, []string{"pty-req " + strings.Repeat("\x00", 20) + u32 + "\x0b" + "\x35" + u32 + "\x00" + "\x81\x00\x00\x25\x80" + "\x00", "exec " + u32 + "\x04true"}},
		{"pty of nothing known", func(c *session.Cmd) { c.TTY = new(session.TTY) }, []string{
			"pty-req " + strings.Repeat("\x00", 20) + u32 + "\x01" + "\x00", "exec " + u32 + "\x04true"}},
		{"x11", func(c *session.Cmd) {
			c.X11 = &session.X11{SingleConnection: true, AuthProtocol: "MIT-MAGIC-COOKIE-1", AuthCookie: "00ff", Screen: 1}
		}, []string{"x11-req \x01" + u32 + "\x12MIT-MAGIC-COOKIE-1" + u32 + "\x0400ff" + u32 + "\x01", "exec " + u32 + "\x04true"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, srv := newConn(t, sshtest.Options{
				Handler:    sshtest.Say("", "", sshtest.Exit{}),
				Subsystems: map[string]sshtest.Handler{"sftp": sshtest.Say("", "", sshtest.Exit{})},
			})
			cmd := session.Command(testContext(t), conn, "true")
			if test.setup != nil {
				test.setup(cmd)
			}
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range srv.Records() {
				switch r.Kind {
				case sshtest.Channel:
					got = append(got, r.Type+" "+string(r.Payload))
				case sshtest.Open:
					if r.Type != "session" || len(r.Payload) != 0 {
						t.Errorf("opened %q with %q", r.Type, r.Payload)
					}
				}
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", test.want) {
				t.Errorf("\ngot  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Run("channel", func(t *testing.T) {
		conn, _ := newConn(t, sshtest.Options{OnOpen: sshtest.RefuseOpen("session", ssh.ResourceShortage, "too many")})
		err := session.Command(testContext(t), conn, "true").Run()
		if e := wantErr[*ssh.OpenChannelError](t, err); e.Reason != ssh.ResourceShortage || e.Message != "too many" {
			t.Errorf("%+v", e)
		}
	})
	for request, set := range map[string]func(*session.Cmd){
		"exec":      func(c *session.Cmd) { c.Line = "true" },
		"shell":     func(c *session.Cmd) {},
		"subsystem": func(c *session.Cmd) { c.Subsystem, c.Line = true, "none" },
	} {
		t.Run(request, func(t *testing.T) {
			conn, srv := newConn(t, sshtest.Options{OnRequest: sshtest.React(map[string]sshtest.Reaction{request: {Verdict: sshtest.Refuse}})})
			ctx := testContext(t)
			cmd := session.Command(ctx, conn, "")
			set(cmd)
			cmd.OnStarted = func() { t.Error("OnStarted called") }
			err := cmd.Start()
			if e := wantErr[*session.RequestError](t, err); e.Request != request {
				t.Errorf("%+v", e)
			}
			// The channel is given back: the server sees its close.
			if err := srv.Wait(ctx, func() bool { return openSessions(t, ctx, conn) }); err != nil {
				t.Error(err)
			}
		})
	}
}

// openSessions says whether the one session that the server allows is free.
func openSessions(t *testing.T, ctx context.Context, conn session.Conn) bool {
	ch, reqs, err := conn.OpenChannel("session", nil)
	if err != nil {
		return false
	}
	go ssh.DiscardRequests(reqs)
	ch.Close()
	return true
}

// TestStartCancelled: the end of the context ends a Start at whatever it
// waits for, with the context's cause, and OnStarted does not follow.
func TestStartCancelled(t *testing.T) {
	cause := errors.New("the cause")
	for _, test := range []struct {
		name string
		opts sshtest.Options
		wait func(context.Context, *sshtest.Server) error
	}{
		{"before", sshtest.Options{}, nil},
		{"channel unanswered", sshtest.Options{OnOpen: func(sshtest.Record) sshtest.OpenReaction { return sshtest.OpenReaction{Ignore: true} }},
			func(ctx context.Context, srv *sshtest.Server) error {
				_, err := srv.WaitRecord(ctx, sshtest.Open, "session")
				return err
			}},
		{"exec unanswered", sshtest.Options{OnRequest: sshtest.React(map[string]sshtest.Reaction{"exec": {Verdict: sshtest.Ignore}})},
			func(ctx context.Context, srv *sshtest.Server) error {
				_, err := srv.WaitRecord(ctx, sshtest.Channel, "exec")
				return err
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, srv := newConn(t, test.opts)
			ctx, cancel := context.WithCancelCause(testContext(t))
			if test.wait == nil {
				cancel(cause)
			} else {
				go func() {
					if err := test.wait(ctx, srv); err != nil {
						t.Error(err)
					}
					cancel(cause)
				}()
			}
			cmd := session.Command(ctx, conn, "true")
			cmd.OnStarted = func() { t.Error("OnStarted called") }
			if err := finishes(t, "Start", cmd.Start); !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if err := finishes(t, "Wait", cmd.Wait); err == nil {
				t.Error("Wait after a failed Start is well")
			}
			if test.wait == nil && len(srv.Records()) != 0 {
				t.Errorf("sent %v", srv.Records())
			}
		})
	}
}

// TestStartedTooLate: an answer that comes after the context's end starts
// nothing.
func TestStartedTooLate(t *testing.T) {
	release := make(chan struct{})
	conn, srv := newConn(t, sshtest.Options{
		Handler: sshtest.Say("", "", sshtest.Exit{}),
		OnRequest: func(r sshtest.Record) sshtest.Reaction {
			if r.Type == "exec" {
				<-release
			}
			return sshtest.Reaction{}
		},
	})
	ctx, cancel := context.WithCancel(testContext(t))
	cmd := session.Command(ctx, conn, "true")
	var late sync.WaitGroup
	cmd.OnStarted = func() { t.Error("OnStarted called after Start had failed") }
	late.Go(func() {
		srv.WaitRecord(testContext(t), sshtest.Channel, "exec")
		cancel()
	})
	if err := cmd.Start(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	late.Wait()
	close(release)
	conn.Close()
	<-conn.Done()
}

// TestLateChannel: a channel that is confirmed after nobody waits for it any
// more is closed.
func TestLateChannel(t *testing.T) {
	release := make(chan struct{})
	var once sync.Once
	conn, srv := newConn(t, sshtest.Options{MaxSessions: 1, OnOpen: func(sshtest.Record) sshtest.OpenReaction {
		once.Do(func() { <-release })
		return sshtest.OpenReaction{}
	}})
	ctx, cancel := context.WithCancel(testContext(t))
	go func() {
		srv.WaitRecord(ctx, sshtest.Open, "session")
		cancel()
	}()
	if err := session.Command(ctx, conn, "true").Start(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	ctx = testContext(t)
	if err := srv.Wait(ctx, func() bool { return openSessions(t, ctx, conn) }); err != nil {
		t.Error("the late channel keeps its place:", err)
	}
}

// TestConnectionLostAtStart: the cause is the connection's.
func TestConnectionLostAtStart(t *testing.T) {
	for _, what := range []string{"open", "exec"} {
		t.Run(what, func(t *testing.T) {
			var srv *sshtest.Server
			kill := func(r sshtest.Record) {
				if r.Type == map[string]string{"open": "session", "exec": "exec"}[what] {
					srv.Conns()[0].Kill()
				}
			}
			srv = newServer(t, sshtest.Options{
				OnOpen:    func(r sshtest.Record) sshtest.OpenReaction { kill(r); return sshtest.OpenReaction{} },
				OnRequest: func(r sshtest.Record) sshtest.Reaction { kill(r); return sshtest.Reaction{} },
			})
			conn := connect(t, srv)
			wantErr[errLost](t, finishes(t, "Run", session.Command(testContext(t), conn, "true").Run))
		})
	}
}

func TestOnStartedBeforeOutput(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Say("out", "err", sshtest.Exit{})})
	for range 20 {
		cmd := session.Command(testContext(t), conn, "")
		var order lockedBuffer
		cmd.Stdin = readerFunc(func([]byte) (int, error) { order.Write([]byte("i")); return 0, errors.New("end") })
		cmd.Stdout = writerFunc(func(p []byte) (int, error) { return order.Write([]byte("o")) })
		cmd.Stderr = writerFunc(func(p []byte) (int, error) { return order.Write([]byte("e")) })
		cmd.OnOpened = func() { order.Write([]byte("O")) }
		cmd.OnStarted = func() { order.Write([]byte("S")) }
		cmd.OnStderr = func() { order.Write([]byte("1")) }
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		got := order.String()
		if !strings.HasPrefix(got, "OS") || !strings.Contains(strings.NewReplacer("o", "", "i", "", "O", "").Replace(got), "S1e") ||
			strings.Count(got, "1") != 1 || strings.Count(got, "S") != 1 {
			t.Fatalf("order %q", got)
		}
	}
}

type (
	readerFunc func([]byte) (int, error)
	writerFunc func([]byte) (int, error)
)

func (f readerFunc) Read(p []byte) (int, error)  { return f(p) }
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// fails fails the test if a call that must fail has not.
func fails(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
	}
}

// newTrue returns a function that returns a new Cmd each time.
func newTrue(t *testing.T) func() *session.Cmd {
	t.Helper()
	conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Say("out", "", sshtest.Exit{})})
	ctx := testContext(t)
	return func() *session.Cmd { return session.Command(ctx, conn, "true") }
}

// TestMisuseZero: the zero Cmd fails without a panic.
func TestMisuseZero(t *testing.T) {
	fails(t, "zero Cmd", new(session.Cmd).Run())
	_, err := new(session.Cmd).StdoutPipe()
	fails(t, "StdoutPipe of a zero Cmd", err)
	if err := new(session.Cmd).Close(); err != nil {
		t.Error("Close of a zero Cmd:", err)
	}
}

// TestMisuseBeforeStart: what needs a session fails before Start.
func TestMisuseBeforeStart(t *testing.T) {
	fresh := newTrue(t)
	fails(t, "Wait before Start", fresh().Wait())
	fails(t, "Signal before Start", fresh().Signal("INT"))
	fails(t, "Resize before Start", fresh().Resize(session.Size{}))
	if err := fresh().Close(); err != nil {
		t.Error("Close before Start:", err)
	}
}

// TestMisuseAfterStart: what belongs before Start fails after it.
func TestMisuseAfterStart(t *testing.T) {
	used := newTrue(t)()
	if err := used.Run(); err != nil {
		t.Fatal(err)
	}
	fails(t, "a second Start", used.Start())
	fails(t, "a second Wait", used.Wait())
	_, err := used.StdoutPipe()
	fails(t, "StdoutPipe after Start", err)
	_, err = used.StderrPipe()
	fails(t, "StderrPipe after Start", err)
	_, err = used.StdinPipe()
	fails(t, "StdinPipe after Start", err)
	_, err = used.Output()
	fails(t, "Output after Start", err)
}

// TestMisusePipes: a stream has one pipe, and cannot be used before Start.
func TestMisusePipes(t *testing.T) {
	piped := newTrue(t)()
	in, _ := piped.StdinPipe()
	piped.StdoutPipe()
	piped.StderrPipe()
	_, err := in.Write([]byte("x"))
	fails(t, "StdinPipe's Write before Start", err)
	fails(t, "StdinPipe's Close before Start", in.Close())
	_, err = piped.StdinPipe()
	fails(t, "a second StdinPipe", err)
	_, err = piped.StdoutPipe()
	fails(t, "a second StdoutPipe", err)
	_, err = piped.StderrPipe()
	fails(t, "a second StderrPipe", err)
	_, err = piped.Output()
	fails(t, "Output beside StdoutPipe", err)
	_, err = piped.CombinedOutput()
	fails(t, "CombinedOutput beside StdoutPipe", err)
}

// TestMisuseStreams: a stream that is set has no pipe.
func TestMisuseStreams(t *testing.T) {
	set := newTrue(t)()
	set.Stdin, set.Stdout, set.Stderr = bytes.NewReader(nil), new(bytes.Buffer), new(bytes.Buffer)
	_, err := set.StdinPipe()
	fails(t, "StdinPipe beside Stdin", err)
	_, err = set.StdoutPipe()
	fails(t, "StdoutPipe beside Stdout", err)
	_, err = set.StderrPipe()
	fails(t, "StderrPipe beside Stderr", err)
	_, err = set.Output()
	fails(t, "Output beside Stdout", err)
	set.Stdout = nil
	_, err = set.CombinedOutput()
	fails(t, "CombinedOutput beside Stderr", err)
}
