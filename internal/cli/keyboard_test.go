//go:build unix

package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"

	"github.com/creack/pty"

	"github.com/gossh-project/gossh/internal/terminal"
)

// typewriter is a terminal: what is written to the one file is typed at the
// other.
func typewriter(t *testing.T) (hand, paper *os.File) {
	t.Helper()
	hand, paper, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hand.Close(); paper.Close() })
	state, err := terminal.MakeRaw(int(paper.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Restore() })
	return hand, paper
}

// reads gives what Read returns, one by one, until its error.
func reads(k *pausable) (<-chan string, <-chan error) {
	got, ended := make(chan string), make(chan error, 1)
	go func() {
		buf := make([]byte, 64)
		for {
			n, err := k.Read(buf)
			if n > 0 {
				got <- string(buf[:n])
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return got, ended
}

// TestPause: while paused nothing is read, what is typed goes to whoever asks,
// and what he leaves comes to the session afterwards.
func TestPause(t *testing.T) {
	hand, paper := typewriter(t)
	k, err := newPausable(int(paper.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	got, ended := reads(k)
	buf := make([]byte, 64)
	for range 20 {
		io.WriteString(hand, "before")
		if s := <-got; s != "before" {
			t.Fatalf("read %q", s)
		}
		k.pause()
		k.pause() // pauses nest
		k.resume()
		io.WriteString(hand, "answer")
		if n, err := paper.Read(buf); err != nil || string(buf[:n]) != "answer" {
			t.Fatalf("the question got %q, %v", buf[:n], err)
		}
		io.WriteString(hand, "ahead")
		k.resume()
		if s := <-got; s != "ahead" {
			t.Fatalf("read %q", s)
		}
	}
	k.pause()
	k.Cancel()
	if err := <-ended; !errors.Is(err, terminal.ErrCanceled) {
		t.Errorf("ended with %v", err)
	}
	k.resume()
	if n, err := k.Read(buf); n != 0 || !errors.Is(err, terminal.ErrCanceled) {
		t.Errorf("after the end: %d, %v", n, err)
	}
	k.Close()
	k.Close()
	// Nobody is left who would take a key.
	io.WriteString(hand, "shell")
	if n, err := paper.Read(buf); err != nil || string(buf[:n]) != "shell" {
		t.Errorf("the shell got %q, %v", buf[:n], err)
	}
}

// TestPauseWhileTyping loses and doubles nothing, however it falls.
func TestPauseWhileTyping(t *testing.T) {
	hand, paper := typewriter(t)
	k, err := newPausable(int(paper.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	const keys = 2000
	typed := make(chan struct{})
	go func() {
		for i := range keys {
			hand.Write([]byte{byte('a' + i%26)})
		}
		close(typed)
	}()
	got, ended := reads(k)
	pausing := make(chan struct{})
	go func() {
		defer close(pausing)
		for {
			select {
			case <-typed:
				return
			default:
				k.pause()
				k.resume()
			}
		}
	}()
	next := 0
	for next < keys {
		for _, b := range []byte(<-got) {
			if b != byte('a'+next%26) {
				t.Fatalf("key %d is %q", next, b)
			}
			next++
		}
	}
	<-pausing
	k.Close()
	<-ended
}

// TestPauseOfPipe: standard input that is no terminal is not paused.
func TestPauseOfPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	k, err := newPausable(int(r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	k.pause()
	io.WriteString(w, "data")
	w.Close()
	if data, err := io.ReadAll(k); err != nil || string(data) != "data" {
		t.Errorf("%q, %v", data, err)
	}
	k.resume()
	var none *pausable
	none.pause()
	none.resume()
}

// TestQuestionsInTurn: one question at a time, and a question that has to wait
// ends with its context.
func TestQuestionsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuestions()
		open, release := make(chan struct{}), make(chan struct{})
		go q.ask(t.Context(), func(ctx context.Context) error {
			close(open)
			<-release
			return nil
		})
		<-open
		if q.ignores(os.Interrupt) {
			t.Error("^C is ignored outside of a session")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- q.ask(ctx, func(context.Context) error { t.Error("asked beside another"); return nil })
		}()
		synctest.Wait()
		because := errors.New("the server hung up")
		cancel(because)
		if err := <-ended; err != because {
			t.Errorf("got %v", err)
		}
		close(release)
		if err := q.take(t.Context()); err != nil {
			t.Error(err)
		}
		q.give()
	})
}
