//go:build linux

package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestForwardOrder: several forwards that fail are reported in ssh's order, at
// its levels, and no further than ssh goes.
func TestForwardOrder(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	taken := fmt.Sprintf("127.0.0.1:%d", w.srv.Port)
	flags := map[byte][]string{
		'L': {"-L", taken + ":x:1"}, 'D': {"-D", taken}, 'R': {"-R", taken + ":x:1"},
		'l': {"-L", w.path("none/s") + ":x:1"}, 'r': {"-R", w.path("none/s") + ":x:1"},
		'o': {"-L", w.path("s") + ":x:1"},
	}
	for _, order := range []string{"Dl", "lD", "RDl", "oD", "Do", "rR", "Rr", "RrR", "lLDRr"} {
		for _, more := range []string{"", "ExitOnForwardFailure=yes", "LogLevel=ERROR", "LogLevel=FATAL ExitOnForwardFailure=yes"} {
			var args []string
			for _, option := range strings.Fields(more) {
				args = append(args, "-o", option)
			}
			for _, letter := range []byte(order) {
				args = append(args, flags[letter]...)
			}
			w.likeSSH(t, slices.Concat(args, []string{"-o", "StreamLocalBindUnlink=yes", "sshd", "exit 3"}))
		}
	}
}
