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
// that takes the place of getent(1). calls returns the arguments of each run so
// far. The test is skipped on systems without shell scripts.
func FakeGetent(t testing.TB, nsswitch, script string) (switchFile, getent string, calls func() []string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("getent is faked by a shell script")
	}
	dir := t.TempDir()
	switchFile, getent = filepath.Join(dir, "nsswitch.conf"), filepath.Join(dir, "getent")
	log := filepath.Join(dir, "log")
	script = "#!/bin/sh\necho \"$*\" >> '" + log + "'\n" + script
	// While no other program is started, no child has the script open for
	// writing until its exec, which would make running the script fail.
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
