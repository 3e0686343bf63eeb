//go:build unix

package shellexec

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestStart(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	write := func(name, text string, mode os.FileMode) string {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("inpath", "echo $0 \"$1\"\n", 0o755)
	for _, tt := range []struct {
		program, want string
		err           error
	}{
		{write("plain", "#!/bin/sh\necho \"$1\"\n", 0o755), "a  b", nil},
		{write("script", "echo \"$1\"\n", 0o755), "a  b", nil},
		{write("blank", "\n#!/bin/sh\necho \"$1\"\n", 0o755), "a  b", nil},
		{write("comment", "# helper\necho \"$1\"\n", 0o755), "a  b", nil},
		{"inpath", filepath.Join(dir, "inpath") + " a  b", nil},
		{write("unreadable", "echo\n", 0o644), "", syscall.EACCES},
		{filepath.Join(dir, "missing"), "", syscall.ENOENT},
		{"no-such-program-anywhere", "", syscall.ENOENT},
	} {
		var out strings.Builder
		cmd, err := Start(func(name string, args ...string) *exec.Cmd {
			cmd := exec.Command(name, args...)
			cmd.Stdout = &out
			return cmd
		}, tt.program, "a  b")
		if err == nil {
			err = cmd.Wait()
		}
		if !errors.Is(err, tt.err) || strings.TrimSuffix(out.String(), "\n") != tt.want {
			t.Errorf("%s: %q, %v; want %q, %v", tt.program, out.String(), err, tt.want, tt.err)
		}
	}
}
