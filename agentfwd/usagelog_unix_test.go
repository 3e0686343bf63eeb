//go:build unix

package agentfwd

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestUsageLogNotTaken: what is no file of one's own is refused, and left as
// it is.
func TestUsageLogNotTaken(t *testing.T) {
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	if err := os.WriteFile(name("file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	os.Symlink(name("file"), name("link"))
	os.Symlink(name("nothing"), name("dangling"))
	os.Mkdir(name("folder"), 0o755)
	if err := syscall.Mkfifo(name("fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(name("fifo"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	want := map[string]error{
		"link": errNotRegular, "dangling": errNotRegular, "folder": syscall.EISDIR,
		"fifo": errNotRegular, os.DevNull: nil,
	}
	if os.Geteuid() == 0 {
		os.WriteFile(name("foreign"), nil, 0o644)
		if err := os.Chown(name("foreign"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		want["foreign"] = errNotOwner
	}
	for file, want := range want {
		path := file
		if !filepath.IsAbs(path) {
			path = name(file)
		}
		log, err := OpenUsageLog(path)
		if err == nil {
			log.Close()
			t.Errorf("%s is opened", file)
		} else if want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", file, err, want)
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm() == 0o600 {
			t.Errorf("%s: its mode was changed", file)
		}
	}
}

// TestUsageLogSwapped: a link that takes the place of the file while it is
// opened is not followed.
func TestUsageLogSwapped(t *testing.T) {
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	if err := os.WriteFile(name("victim"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.WriteFile(name("new"), nil, 0o600)
			os.Rename(name("new"), name("log"))
			os.Symlink(name("victim"), name("new"))
			os.Rename(name("new"), name("log"))
		}
	}()
	for range 5000 {
		if log, err := OpenUsageLog(name("log")); err == nil {
			log.Close()
		}
	}
	close(stop)
	<-stopped
	if info, err := os.Stat(name("victim")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the file behind the link has mode %v, %v", info.Mode(), err)
	}
}
