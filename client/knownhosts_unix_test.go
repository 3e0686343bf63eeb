//go:build unix

package client

import (
	"errors"
	"io/fs"
	"os/exec"
	"slices"
	"testing"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshtest"
)

// TestKnownHostsCommandUnusable: a program that is not there is as good as
// none; one that fails refuses the host.
func TestKnownHostsCommandUnusable(t *testing.T) {
	for command, want := range map[string]error{"/nonexistent/x": fs.ErrNotExist, "relative": hostkey.ErrNotAbsolute} {
		s := newSetup(t, sshtest.Options{}, "KnownHostsCommand "+command)
		s.mustDial(t)
		told := slices.ContainsFunc(s.events, func(e Event) bool {
			event, _ := e.(HostKeyEvent)
			unusable, ok := event.Event.(hostkey.CommandUnusable)
			return ok && unusable.Path == command && errors.Is(unusable.Err, want)
		})
		if !told {
			t.Errorf("%s: told %v", command, s.events)
		}
	}
	s := newSetup(t, sshtest.Options{}, "KnownHostsCommand /bin/sh -c exit7")
	_, err := s.dial(t)
	var failed *hostkey.CommandError
	var exit *exec.ExitError
	if !errors.As(err, &failed) || failed.Command != "/bin/sh -c exit7" || !errors.As(err, &exit) {
		t.Errorf("%v", err)
	}
}
