//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// touch makes empty files below dir.
func touch(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFindOpenSSH finds an installed suite and a built tree, and says what is
// missing of anything else.
func TestFindOpenSSH(t *testing.T) {
	installed, tree, unbuilt := t.TempDir(), t.TempDir(), t.TempDir()
	touch(t, installed, "test-exec.sh")
	touch(t, tree, "regress/test-exec.sh", "regress/netcat", "regress/modpipe", "sshd")
	touch(t, unbuilt, "regress/test-exec.sh", "sshd")

	o, err := findOpenSSH(installed)
	if err != nil || o.tests != installed || o.tree != "" {
		t.Errorf("installed: %+v, %v", o, err)
	}
	if env := o.environment("/obj", "/client"); !slices.Contains(env, "BUILDDIR=/obj") || strings.Contains(strings.Join(env, "\n"), "TEST_SSH_SSHD=") {
		t.Errorf("installed: %q", env)
	}

	o, err = findOpenSSH(tree)
	if err != nil || o.tests != filepath.Join(tree, "regress") || o.tree != tree {
		t.Errorf("tree: %+v, %v", o, err)
	}
	if ssh, err := o.ssh(); err != nil || ssh != filepath.Join(tree, "ssh") {
		t.Errorf("tree: %s, %v", ssh, err)
	}
	if env := o.environment("/obj", "/client"); !slices.Contains(env, "BUILDDIR="+tree) || !slices.Contains(env, "TEST_SSH_SSHD="+filepath.Join(tree, "sshd")) {
		t.Errorf("tree: %q", env)
	}

	for dir, want := range map[string]string{unbuilt: "is not built", t.TempDir(): "holds no suite"} {
		if _, err := findOpenSSH(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestLimitKeyExchanges puts a script in the client's place only where the
// client lists what this version's ssh does not.
func TestLimitKeyExchanges(t *testing.T) {
	list := func(dir string, names string) string {
		path := filepath.Join(dir, "ssh")
		script := "#!/bin/sh\n[ \"$*\" = '-Q kex' ] && printf '" + names + "' || echo \"$@\"\n"
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tree := t.TempDir()
	list(tree, `one\ntwo\n`)
	for names, want := range map[string]string{`one\n`: "one\n", `two\none\n`: "two\none\n", `one\nnew\n`: "one\n"} {
		client := list(t.TempDir(), names)
		s := &suite{temp: t.TempDir(), client: client, openssh: openSSH{tree: tree}}
		if err := s.limitKeyExchanges(t.Context()); err != nil {
			t.Fatal(err)
		}
		if wrapped := s.client != client; wrapped != strings.Contains(names, "new") {
			t.Errorf("%q: wrapped: %v", names, wrapped)
		}
		if out, err := exec.Command(s.client, "-Q", "kex").Output(); err != nil || string(out) != want {
			t.Errorf("%q: got %q, %v, want %q", names, out, err, want)
		}
		if out, err := exec.Command(s.client, "-v", "host").Output(); err != nil || string(out) != "-v host\n" {
			t.Errorf("%q: other arguments: %q, %v", names, out, err)
		}
	}
}
