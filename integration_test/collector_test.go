//go:build linux

package integration_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestCollectorEased: a download is not held up by collecting garbage for
// every few MiB, unless the user has said how often.
func TestCollectorEased(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	collections := func(env ...string) int {
		cmd := w.gossh("sshd", "head -c 67108864 /dev/zero")
		cmd.Env = slices.Concat(w.env, []string{"GODEBUG=gctrace=1"}, env)
		cmd.Stdout = io.Discard
		o := w.run(cmd)
		o.want(t, 0, "", nil)
		return strings.Count("\n"+o.stderr, "\ngc ")
	}
	eased, asked := collections(), collections("GOGC=100")
	if eased == 0 || asked < 2*eased {
		t.Errorf("collected %d times, and %d times with GOGC=100", eased, asked)
	}
}
