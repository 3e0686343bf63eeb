package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// TestExitStatus checks the status of each kind of end.
func TestExitStatus(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want int
	}{
		{"success", nil, 0},
		{"status", &session.ExitError{Status: 3}, 3},
		{"status of a byte", &session.ExitError{Status: 256 + 7}, 7},
		{"status -1", &session.ExitError{Status: 0xffffffff}, 255},
		{"wrapped status", fmt.Errorf("x: %w", &session.ExitError{Status: 3}), 3},
		{"signal on the server", &session.ExitError{Signal: "SEGV", Core: true}, 255},
		{"line", message.Errorf("x"), 255},
		{"usage", &message.UsageError{Line: "x"}, 255},
		{"configuration", &sshconfig.Error{}, 255},
		{"log file", &message.LogFileError{Name: "/x", Err: syscall.EACCES}, 1},
		{"connection", &client.ConnError{Phase: client.PhaseConnect, Err: syscall.ECONNREFUSED}, 255},
		{"denied", &client.AuthError{}, 255},
		{"host key", &hostkey.ChangedError{}, 255},
		{"escape", message.ErrQuit, 255},
		{"forward", message.ErrForward, 255},
		{"request on a channel", &message.ChannelError{Channel: 1, Err: &session.RequestError{}}, 255},
		{"no status", session.ErrNoStatus, 255},
		{"cancelled", context.Canceled, 255},
		{"SIGTERM in a session", &message.SignalError{Signal: syscall.SIGTERM}, 255},
		{"SIGQUIT before a session", &process.DeathError{Signal: syscall.SIGQUIT}, 128 + 3},
		{"SIGINT at a question", &terminal.SignalError{Signal: syscall.SIGINT}, 128 + 2},
		{"anything", errors.New("odd"), 255},
		{"end of input", io.EOF, 255},
	} {
		if got := exitStatus(test.err); got != test.want {
			t.Errorf("%s: status %d, want %d", test.name, got, test.want)
		}
	}
}
