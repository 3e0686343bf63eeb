package testenv

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// FakeGetent writes an nsswitch.conf with the given text, and a shell script
// that stands for getent(1) and gets its arguments. calls returns the arguments
// of each run so far. The test is skipped where no shell scripts run.
func FakeGetent(t testing.TB, nsswitch, script string) (switchFile, getent string, calls func() []string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("getent is faked by a shell script")
	}
	dir := t.TempDir()
	switchFile, getent = filepath.Join(dir, "nsswitch.conf"), filepath.Join(dir, "getent")
	log := filepath.Join(dir, "log")
	script = "#!/bin/sh\necho \"$*\" >> '" + log + "'\n" + script
	// No other program is started meanwhile: until its exec it would have the
	// script open for writing, and running the script would fail.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for path, text := range map[string]string{switchFile: nsswitch, getent: script} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return switchFile, getent, func() []string {
		text, _ := os.ReadFile(log)
		return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	}
}
