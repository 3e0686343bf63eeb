//go:build linux

package integration_test

import (
	"os"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest"
)

// TestAskpassPrograms: an askpass program may be a script without #!, and one
// that cannot be run is named, as by ssh.
func TestAskpassPrograms(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, sshtest.Options{Users: []sshtest.User{{Name: "test", Password: "secret"}}}, "NumberOfPasswordPrompts 1",
		"PreferredAuthentications password")
	w.setenv("SSH_ASKPASS_REQUIRE=force")
	script := func(name, text string) string {
		path := w.script(name, "")
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, text := range map[string]string{"bare": "echo secret\n", "blank": "\n#!/bin/sh\necho secret\n", "comment": "# helper\necho secret\n"} {
		v := *w
		v.setenv("SSH_ASKPASS=" + script(name, text))
		o := v.run(v.gossh("sshtest", "echo in"))
		o.want(t, 0, "in\n", silent())
	}
	plain := script("plain", "echo secret\n")
	if err := os.Chmod(plain, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{w.path("missing"), plain} {
		for _, level := range []string{"INFO", "ERROR", "QUIET"} {
			v := *w
			v.setenv("SSH_ASKPASS=" + program)
			args := []string{"-o", "LogLevel=" + level, "sshtest", "true"}
			got, want := v.run(v.gossh(args...)), v.run(v.ssh(args...))
			begin := func(stderr string) string {
				line, _, _ := strings.Cut(stderr, "\n")
				return strings.TrimRight(line, "\r")
			}
			if got.status != 255 || want.status != 255 || level != "QUIET" && begin(got.stderr) != begin(want.stderr) ||
				level == "QUIET" && got.stderr != "" || !strings.Contains(want.stderr, "ssh_askpass: exec("+program+"): ") && level != "QUIET" {
				t.Errorf("%s at %s: %s\nssh: %s", program, level, got, want)
			}
		}
	}
}

// TestShellThatCannotRun: the user's shell, which runs ProxyCommand and the
// commands of Match, is named as by ssh if it cannot be run.
func TestShellThatCannotRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("config", "Match exec true\n")
	shell := w.write("shell", "not a program")
	if err := os.Chmod(shell, 0o700); err != nil {
		t.Fatal(err)
	}
	w.setenv("SHELL=" + shell)
	args := []string{"-G", "host"}
	got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
	if got.status != want.status || sameWords(got.stderr) != sameWords(want.stderr) {
		t.Errorf("Match exec: %s\nssh: %s", got, want)
	}
	w.write("config", "")
	w.setenv("SHELL=" + w.path("missing"))
	args = []string{"-o", "ProxyCommand=cat", "host", "true"}
	got, want = w.run(w.gossh(args...)), w.run(w.ssh(args...))
	line := w.path("missing") + ": No such file or directory"
	if got.status != want.status || !strings.Contains(got.stderr, line) || !strings.Contains(want.stderr, line) {
		t.Errorf("ProxyCommand: %s\nssh: %s", got, want)
	}
}
