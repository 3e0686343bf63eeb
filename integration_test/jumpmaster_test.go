//go:build linux

package integration_test

import (
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestJumpMakesMaster has ControlMaster and ControlPersist in the block of a
// jump host: the first jump makes the master, for the hops on the way to it too,
// and the others use it.
func TestJumpMakesMaster(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	cfg, first, second := w.hops()
	paths := map[string]string{"first": w.socket(), "second": w.socket()}
	masters := ""
	for name, path := range paths {
		masters += "Host " + name + "\n ControlMaster auto\n ControlPersist 60\n ControlPath " + path + "\n"
	}
	masters += "Host sshd\n ProxyJump second\nHost second\n ProxyJump first\n"
	cfg = w.write("masters", masters+w.read("hops"))
	defer func() {
		for name := range paths {
			w.run(w.gossh("-F", cfg, "-O", "exit", name))
		}
	}()
	for range 3 {
		// The pipes are let go of: run waits for their end.
		w.run(w.gossh("-F", cfg, "sshd", "echo through; exit 4")).want(t, 4, "through\n", silent())
	}
	for name, hop := range map[string]*opensshd.Server{"first": first, "second": second} {
		if n := strings.Count(hop.Log(), "Accepted publickey"); n != 1 {
			t.Errorf("%s: %d authentications", name, n)
		}
		if o := w.run(w.gossh("-F", cfg, "-O", "check", name)); o.status != 0 || !strings.Contains(o.stderr, "Master running") {
			t.Errorf("-O check %s: %v", name, o)
		}
	}
	// ssh uses it, too.
	w.run(w.ssh("-F", cfg, "sshd", "echo by ssh")).want(t, 0, "by ssh\n", silent())
	for _, name := range []string{"second", "first"} { // which would take second along
		if o := w.run(w.gossh("-F", cfg, "-O", "exit", name)); o.status != 0 {
			t.Errorf("-O exit %s: %v", name, o)
		}
	}
}
