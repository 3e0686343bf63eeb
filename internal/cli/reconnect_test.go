package cli

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/sshconfig"
)

// TestForwardNews: what came of the forwardings of a connection is said behind
// the line of the connection itself, and in its turn, however late somebody is
// in telling.
func TestForwardNews(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p, said := newProgram(sshconfig.LogInfo)
	p.std = Std{Stdin: null, Stderr: null}
	s := newStay(p)
	expect := func(what string, words ...string) {
		t.Helper()
		lines := strings.Split(strings.TrimSuffix(said.String(), "\r\n"), "\r\n")
		said.Reset()
		right := len(lines) == len(words)
		for i := range lines {
			right = right && strings.Contains(lines[i], words[i])
		}
		if !right {
			t.Errorf("%s: want %q, got %q", what, words, lines)
		}
	}
	lose := func() {
		s.tell(client.KeepState{Phase: client.KeepWaiting, Attempt: 1, Up: time.Second, Cause: errors.New("cause"), Until: time.Now()})
	}
	come := func() { s.tell(client.KeepState{Phase: client.KeepConnected, Attempt: 1}) }
	forward := func(why string) {
		s.tellForward(client.ForwardState{Forward: new(client.KeptForward), Attempt: 1, Err: errors.New(why)})
	}
	again := func() {
		t.Helper()
		if _, err := s.again(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	come()
	forward("first")
	if said.Len() > 0 {
		t.Errorf("%q is said before the first connection is known", said)
	}
	if _, err := s.first(); err != nil {
		t.Fatal(err)
	}
	expect("the first", "first")
	forward("at once")
	expect("in the middle of a connection", "at once")

	lose()
	come()
	forward("second")
	lose() // before anybody has heard of it
	come()
	forward("third")
	again()
	expect("the second", "lost after", "re-established", "second")
	again()
	expect("the third", "lost after", "re-established", "third")
	forward("at once")
	expect("in the middle of the third", "at once")
}
