package reconnect

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/sshconfig"
)

// TestForwardEvents checks that the results of a connection's forwardings are
// printed after the line of the connection, however late that is printed.
func TestForwardEvents(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	printed := new(bytes.Buffer)
	cfg := new(sshconfig.Config)
	s := newConnections(Options{
		Print:   &message.Printer{Console: message.NewConsole(printed), Config: cfg},
		Config:  cfg,
		Std:     process.Std{Stdin: null, Stderr: null},
		Guard:   new(process.Guard),
		Secrets: new(process.Secrets),
		Session: true,
	})
	expect := func(what string, words ...string) {
		t.Helper()
		lines := strings.Split(strings.TrimSuffix(printed.String(), "\r\n"), "\r\n")
		printed.Reset()
		right := len(lines) == len(words)
		for i := range lines {
			right = right && strings.Contains(lines[i], words[i])
		}
		if !right {
			t.Errorf("%s: want %q, got %q", what, words, lines)
		}
	}
	lose := func() {
		s.addState(client.KeepState{Phase: client.KeepWaiting, Attempt: 1, Up: time.Second, Cause: errors.New("cause"), Until: time.Now()})
	}
	come := func() { s.addState(client.KeepState{Phase: client.KeepConnected, Attempt: 1}) }
	forward := func(why string) {
		s.addForward(client.ForwardState{Forward: new(client.KeptForward), Attempt: 1, Err: errors.New(why)})
	}
	again := func() {
		t.Helper()
		if _, err := s.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	come()
	forward("first")
	if printed.Len() > 0 {
		t.Errorf("%q is printed before the first connection is known", printed)
	}
	if _, err := s.First(); err != nil {
		t.Fatal(err)
	}
	expect("the first", "first")
	forward("at once")
	expect("in the middle of a connection", "at once")

	lose()
	come()
	forward("second")
	lose() // before Next has been called
	come()
	forward("third")
	again()
	expect("the second", "lost after", "re-established", "second")
	again()
	expect("the third", "lost after", "re-established", "third")
	forward("at once")
	expect("in the middle of the third", "at once")
}
