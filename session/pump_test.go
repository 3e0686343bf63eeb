package session_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
)

func TestOutput(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Say("to stdout", "to stderr", sshtest.Status(3))})
	ctx := testContext(t)
	out, err := session.Command(ctx, conn, "x").Output()
	if e := wantErr[*session.ExitError](t, err); string(out) != "to stdout" || string(e.Stderr) != "to stderr" || e.Status != 3 {
		t.Errorf("%q, %+v", out, e)
	}

	cmd := session.Command(ctx, conn, "x")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_, err = cmd.Output()
	if e := wantErr[*session.ExitError](t, err); e.Stderr != nil || stderr.String() != "to stderr" {
		t.Errorf("%q, %+v", stderr.String(), e)
	}

	out, err = session.Command(ctx, conn, "x").CombinedOutput()
	if s := string(out); s != "to stdoutto stderr" && s != "to stderrto stdout" {
		t.Errorf("combined: %q, %v", s, err)
	}
}

// TestOutputStderrEnd: of a long standard error the end is kept.
func TestOutputStderrEnd(t *testing.T) {
	long := strings.Repeat("x", 200_000) + "the end"
	conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Say("", long, sshtest.Status(1))})
	_, err := session.Command(testContext(t), conn, "x").Output()
	e := wantErr[*session.ExitError](t, err)
	if !strings.HasSuffix(long, string(e.Stderr)) || len(e.Stderr) != 64<<10 {
		t.Errorf("%d bytes", len(e.Stderr))
	}
}

// TestSameWriter: one writer for both streams is written by one at a time, as
// with os/exec.
func TestSameWriter(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Flood(1<<20, 1<<20)})
	var both bytes.Buffer // the race detector's to watch
	cmd := session.Command(testContext(t), conn, "x")
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if both.Len() != 2<<20 {
		t.Errorf("%d bytes", both.Len())
	}
	// Writers that cannot be compared are no reason to panic.
	cmd = session.Command(testContext(t), conn, "x")
	cmd.Stdout, cmd.Stderr = uncomparable{}, uncomparable{}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
}

type uncomparable []int

func (uncomparable) Write(p []byte) (int, error) { return len(p), nil }

// TestStdoutFails: the server is told to stop, what still comes is dropped,
// and the status counts.
func TestStdoutFails(t *testing.T) {
	full := errors.New("full")
	for _, status := range []int{0, 3} {
		conn, srv := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
			for {
				if _, err := s.Write(make([]byte, 32<<10)); err != nil {
					break
				}
			}
			select {
			case <-s.EOW: // written more than a window before that
				return sshtest.Status(status)
			default:
				return sshtest.Status(99)
			}
		}})
		cmd := session.Command(testContext(t), conn, "x")
		cmd.Stdout = &failing{100, full}
		err := finishes(t, "Run", cmd.Run)
		if status == 0 {
			if e := wantErr[*session.OutputError](t, err); !errors.Is(e, full) {
				t.Errorf("got %v", e)
			}
		} else if e := wantErr[*session.ExitError](t, err); e.Status != status {
			t.Errorf("got %+v", e)
		}
		eow := 0
		for _, r := range srv.Records() {
			if r.Type == "eow@openssh.com" {
				eow++
				if r.WantReply || len(r.Payload) != 0 {
					t.Errorf("%+v", r)
				}
			}
		}
		if eow != 1 {
			t.Errorf("eow@openssh.com sent %d times", eow)
		}
	}
}

// TestStderrFails: standard output goes on, and no eow@openssh.com, which
// would be about that.
func TestStderrFails(t *testing.T) {
	conn, srv := newConn(t, sshtest.Options{Handler: sshtest.Flood(4<<20, 4<<20)})
	cmd := session.Command(testContext(t), conn, "x")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failing{1000, io.ErrShortWrite}
	wantErr[*session.OutputError](t, finishes(t, "Run", cmd.Run))
	if out.Len() != 4<<20 {
		t.Errorf("%d bytes of output", out.Len())
	}
	for _, r := range srv.Records() {
		if r.Type == "eow@openssh.com" {
			t.Error("eow@openssh.com sent")
		}
	}
}

// TestEOWFromServer: a program that reads no more ends the reading of Stdin.
func TestEOWFromServer(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		s.Channel().SendRequest("eow@openssh.com", false, nil)
		io.Copy(io.Discard, s) // until the client's EOF
		return sshtest.Exit{}
	}})
	k := newKeys()
	cmd := session.Command(testContext(t), conn, "x")
	cmd.Stdin = k
	if err := finishes(t, "Run", cmd.Run); err != nil {
		t.Error(err)
	}
	select {
	case <-k.cancelled:
	default:
		t.Error("Stdin was not cancelled")
	}
}

// TestStdinBlocks: a reader that never returns does not hold up Wait, and one
// that can be cancelled is left by the time Wait returns.
func TestStdinBlocks(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Say("", "", sshtest.Status(2))})
	r, w := io.Pipe()
	defer w.Close()
	k := newKeys()
	for _, in := range []io.Reader{r, k} {
		cmd := session.Command(testContext(t), conn, "x")
		cmd.Stdin = in
		wantErr[*session.ExitError](t, finishes(t, "Run", cmd.Run))
	}
	if k.busy() {
		t.Error("a Read is left behind")
	}
}

// TestStdinEnds: whatever ends Stdin is the program's end-of-file.
func TestStdinEnds(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		all, _ := io.ReadAll(s)
		fmt.Fprintf(s, "[%s]", all)
		return sshtest.Exit{}
	}})
	for name, in := range map[string]io.Reader{
		"":     nil,
		"text": strings.NewReader("text"),
		"with": io.MultiReader(strings.NewReader("with"), readerFunc(func([]byte) (int, error) { return 0, errors.New("error") })),
	} {
		cmd := session.Command(testContext(t), conn, "x")
		cmd.Stdin = in
		if out, err := cmd.Output(); err != nil || string(out) != "["+name+"]" {
			t.Errorf("%q: %q, %v", name, out, err)
		}
	}
}

func TestPipes(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		all, _ := io.ReadAll(s)
		fmt.Fprintf(s.Stderr(), "%d bytes", len(all))
		s.Write(all)
		return sshtest.Status(4)
	}})
	cmd := session.Command(testContext(t), conn, "x")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	errs, err3 := cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	gotOut, _ := io.ReadAll(out)
	if e := wantErr[*session.ExitError](t, cmd.Wait()); e.Status != 4 {
		t.Errorf("%+v", e)
	}
	gotErr, _ := io.ReadAll(errs) // after Wait is as good
	if string(gotOut) != "hello" || string(gotErr) != "5 bytes" {
		t.Errorf("%q, %q", gotOut, gotErr)
	}
	// The end is a closed pipe, not a mysterious EOF.
	if _, err := io.WriteString(in, "late"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write after the end: %v", err)
	}
	if err := in.Close(); err != nil {
		t.Errorf("Close after the end: %v", err)
	}
}

// TestSlowStdout: what stands still for one session moves for the others, and
// for the same session's standard error.
func TestSlowStdout(t *testing.T) {
	const size = 4 << 20 // twice a window
	conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Flood(size, 1<<20)})
	ctx := testContext(t)
	slow := session.Command(ctx, conn, "x")
	release, gotErr := make(chan struct{}), make(chan struct{})
	var n, errN int
	slow.Stdout = writerFunc(func(p []byte) (int, error) { <-release; n += len(p); return len(p), nil })
	slow.Stderr = writerFunc(func(p []byte) (int, error) {
		if errN += len(p); errN == 1<<20 {
			close(gotErr)
		}
		return len(p), nil
	})
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	out, err := session.Command(ctx, conn, "x").Output()
	if err != nil || len(out) != size {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
	close(release)
	if err := slow.Wait(); err != nil || n != size {
		t.Errorf("%d bytes, %v", n, err)
	}
	<-gotErr
}

// TestBulk sends 64 MiB both ways and compares.
func TestBulk(t *testing.T) {
	size := int64(64 << 20)
	if testing.Short() {
		size = 8 << 20
	}
	conn, _ := newConn(t, sshtest.Options{Handler: sshtest.Cat})
	cmd := session.Command(testContext(t), conn, "x")
	sent, got := sha256.New(), sha256.New()
	cmd.Stdin = io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), sent)
	cmd.Stdout = got
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
		t.Error("the bytes differ")
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	conn, _ := newConn(t, sshtest.Options{MaxSessions: 100, Handler: func(s *sshtest.Session) sshtest.Exit {
		io.Copy(s, s)
		return sshtest.Exit{}
	}})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(testContext(t))
			defer cancel()
			cmd := session.Command(ctx, conn, "x")
			cmd.Stdin = io.LimitReader(zeros{}, 1<<20)
			cmd.OnStarted = func() {
				all.Go(func() { cmd.Resize(session.Size{Columns: 1}); cmd.Signal("HUP"); cmd.Break(1) })
				if i%2 == 0 {
					all.Go(cancel)
				}
			}
			out, err := cmd.Output()
			if err == nil && len(out) != 1<<20 {
				t.Errorf("%d bytes and no error", len(out))
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
