//go:build linux

package integration_test

import (
	"strings"
	"testing"
)

// likeSSH runs both programs with the same arguments and compares status,
// output and messages. Only the name of the program may differ in these.
func (w *world) likeSSH(t *testing.T, args []string) {
	t.Helper()
	got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
	compare(t, strings.Join(args, " "), got, want)
}

func compare(t *testing.T, what string, got, want outcome) {
	t.Helper()
	got.stderr = strings.ReplaceAll(got.stderr, "gossh: ", "ssh: ")
	if got.status != want.status || got.stdout != want.stdout || got.stderr != want.stderr {
		t.Errorf("%s:\ngot %v\nssh: %v", what, got, want)
	}
}
