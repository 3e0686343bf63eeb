//go:build unix

package keyboard

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/creack/pty"

	"github.com/gossh-project/gossh/internal/terminal"
)

// typewriter returns a terminal: what is written to hand is typed at paper.
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

// reads sends the results of Read until its error.
func reads(k *Input) (<-chan string, <-chan error) {
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

// TestPause checks that nothing is read during a pause: input goes to the question,
// and what the question leaves goes to the session.
func TestPause(t *testing.T) {
	hand, paper := typewriter(t)
	k, err := New(int(paper.Fd()))
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
		k.Pause()
		k.Pause() // pauses nest
		k.Resume()
		io.WriteString(hand, "answer")
		if n, err := paper.Read(buf); err != nil || string(buf[:n]) != "answer" {
			t.Fatalf("the question got %q, %v", buf[:n], err)
		}
		io.WriteString(hand, "ahead")
		k.Resume()
		if s := <-got; s != "ahead" {
			t.Fatalf("read %q", s)
		}
	}
	k.Pause()
	k.Cancel()
	if err := <-ended; !errors.Is(err, terminal.ErrCanceled) {
		t.Errorf("ended with %v", err)
	}
	k.Resume()
	if n, err := k.Read(buf); n != 0 || !errors.Is(err, terminal.ErrCanceled) {
		t.Errorf("after the end: %d, %v", n, err)
	}
	k.Close()
	k.Close()
	// Nothing reads the terminal any more.
	io.WriteString(hand, "shell")
	if n, err := paper.Read(buf); err != nil || string(buf[:n]) != "shell" {
		t.Errorf("the shell got %q, %v", buf[:n], err)
	}
}

// TestPauseWhileTyping checks that pauses neither lose nor repeat input.
func TestPauseWhileTyping(t *testing.T) {
	hand, paper := typewriter(t)
	k, err := New(int(paper.Fd()))
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
				k.Pause()
				k.Resume()
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

// TestPauseOfPipe checks that only a terminal pauses.
func TestPauseOfPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	k, err := New(int(r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	k.Pause()
	io.WriteString(w, "data")
	w.Close()
	if data, err := io.ReadAll(k); err != nil || string(data) != "data" {
		t.Errorf("%q, %v", data, err)
	}
	k.Resume()
	var none *Input
	none.Pause()
	none.Resume()
}
