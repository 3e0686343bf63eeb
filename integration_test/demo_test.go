//go:build linux

package integration_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// demoWorld returns a world with an empty home and a temporary folder beside
// it.
func demoWorld(t *testing.T) *world {
	w := newWorld(t)
	w.pre = nil
	for _, dir := range []string{"home", "tmp"} {
		if err := os.Mkdir(w.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.setenv("HOME="+w.path("home"), "TMPDIR="+w.path("tmp"), "SHELL=/bin/sh")
	return w
}

// files lists what is below home, TMPDIR and the user's .ssh, with sizes and
// times.
func (w *world) files() string {
	var b strings.Builder
	roots := []string{w.home}
	if home, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(home, ".ssh"))
	}
	for _, root := range roots {
		filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if info, err := d.Info(); err == nil && !d.IsDir() {
				b.WriteString(path + " " + info.ModTime().String() + "\n")
			} else {
				b.WriteString(path + "/\n")
			}
			return nil
		})
	}
	return b.String()
}

func TestDemo(t *testing.T) {
	t.Parallel()
	w := demoWorld(t)
	before := w.files()
	o := w.must(w.gossh("--demo"))
	for _, want := range []string{"hello from the other side\n", "what is typed here comes back\n", "this goes to stderr\n", "exit status 3"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is missing in %v", want, o)
		}
	}
	if after := w.files(); after != before {
		t.Errorf("files before\n%s\nand after\n%s", before, after)
	}
}

func TestDemoShell(t *testing.T) {
	t.Parallel()
	w := demoWorld(t)
	before := w.files()
	s := w.onScreen(w.gossh("--demo"))
	modes := s.before
	s.expect(`A server is listening on 127\.0\.0\.1:`)
	s.untilModes("raw", isRaw)
	s.expect(`[#$] $`)
	s.send("echo $((40+2)); stty size\r")
	s.expect(`\r\n42\r\n24 80\r\n`)
	s.send("exit\r")
	s.expect(`closed\.`)
	s.wantEnd(0)
	if s.modes() != modes {
		t.Errorf("modes %+v, before %+v", s.modes(), modes)
	}
	if after := w.files(); after != before {
		t.Errorf("files before\n%s\nand after\n%s", before, after)
	}
}
