//go:build linux || darwin || freebsd

package mux_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest"
)

// staleSocket leaves a socket behind as a master does that was killed.
func staleSocket(path string) error {
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		ln.SetUnlinkOnClose(false)
		ln.Close()
	}
	return err
}

func TestListenLeavesOthersAlone(t *testing.T) {
	conn, _ := pipeConnection(t, sshtest.Options{})
	for name, put := range map[string]func(path string) error{
		"file":             func(p string) error { return os.WriteFile(p, []byte("mine"), 0o600) },
		"dangling symlink": func(p string) error { return os.Symlink(p+"-nowhere", p) },
		"folder":           func(p string) error { return os.Mkdir(p, 0o700) },
		"stale socket":     staleSocket,
	} {
		t.Run(name, func(t *testing.T) {
			dir := shortDir(t)
			path := filepath.Join(dir, "ctl")
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(path)
			_, err := mux.Listen(t.Context(), path, conn, mux.ServerOptions{})
			if !errors.Is(err, mux.ErrExists) {
				t.Errorf("error %v", err)
			}
			if after, _ := os.Lstat(path); !os.SameFile(before, after) {
				t.Error("it was replaced")
			}
			if left, _ := os.ReadDir(dir); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestSocketMode(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o277} {
		conn, _ := pipeConnection(t, sshtest.Options{})
		path := filepath.Join(shortDir(t), "ctl") // not under such a mask
		before := syscall.Umask(umask)
		srv, err := mux.Listen(t.Context(), path, conn, mux.ServerOptions{})
		syscall.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { srv.Close() })
		info, err := os.Lstat(srv.Path())
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != os.ModeSocket|0o600 {
			t.Errorf("umask %#o: mode %v", umask, info.Mode())
		}
		if entries, _ := os.ReadDir(filepath.Dir(srv.Path())); len(entries) != 1 {
			t.Errorf("beside the socket: %v", entries)
		}
	}
}

// TestSocketOfAnother: what has taken the name is not removed at the end.
func TestSocketOfAnother(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	os.Remove(srv.Path())
	if err := staleSocket(srv.Path()); err != nil {
		t.Fatal(err)
	}
	srv.Close()
	srv.Close()
	srv.Stop()
	if _, err := os.Lstat(srv.Path()); err != nil {
		t.Error("another's socket was removed")
	}
	own, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	own.Close()
	if _, err := os.Lstat(own.Path()); err == nil {
		t.Error("our own was not")
	}
	if !errors.Is(own.Err(), mux.ErrClosed) {
		t.Errorf("ended with %v", own.Err())
	}
}

func TestPathTooLong(t *testing.T) {
	conn, _ := pipeConnection(t, sshtest.Options{})
	sunPath := len(syscall.RawSockaddrUnix{}.Path)
	dir := shortDir(t)
	for _, tt := range []struct {
		limit int
		call  func(path string) error
	}{
		{listenLimit(sunPath), func(p string) error {
			srv, err := mux.Listen(t.Context(), p, conn, mux.ServerOptions{})
			if err != nil {
				return err
			}
			defer srv.Close()
			if info, err := os.Lstat(p); err != nil || info.Mode() != os.ModeSocket|0o600 {
				t.Errorf("%v, %v", info, err)
			}
			if left, _ := os.ReadDir(dir); len(left) != 1 {
				t.Errorf("beside the socket: %v", left)
			}
			if c, err := mux.Connect(t.Context(), p, mux.ClientOptions{}); err != nil {
				t.Error(err)
			} else {
				c.Close()
			}
			return nil
		}},
		{sunPath - 1, func(p string) error {
			_, err := mux.Connect(t.Context(), p, mux.ClientOptions{})
			return err
		}},
	} {
		fits := filepath.Join(dir, strings.Repeat("x", tt.limit-len(dir)-1))
		var long *mux.PathError
		if err := tt.call(fits); errors.As(err, &long) {
			t.Errorf("%d bytes do not fit: %v", len(fits), err)
		}
		err := tt.call(fits + "x")
		if !errors.As(err, &long) || long.Length != tt.limit+1 || long.Limit != tt.limit {
			t.Errorf("%d bytes: %v", tt.limit+1, err)
		}
	}
}

// listenLimit is the length of the longest path at which Listen can listen.
func listenLimit(sunPath int) int {
	if runtime.GOOS == "linux" {
		return sunPath - 1
	}
	return sunPath - 18
}

// TestListenReplacesStale: only what nobody listens on gives way.
func TestListenReplacesStale(t *testing.T) {
	conn, _ := pipeConnection(t, sshtest.Options{})
	path := filepath.Join(shortDir(t), "ctl")
	if err := staleSocket(path); err != nil {
		t.Fatal(err)
	}
	if !mux.IsStale(t.Context(), path) {
		t.Error("IsStale does not see that nobody listens")
	}
	srv, err := mux.Listen(t.Context(), path, conn, mux.ServerOptions{ReplaceStale: true})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if mux.IsStale(t.Context(), path) {
		t.Error("IsStale takes a master for gone")
	}
	if _, err := mux.Listen(t.Context(), path, conn, mux.ServerOptions{ReplaceStale: true}); !errors.Is(err, mux.ErrExists) {
		t.Errorf("beside a master: %v", err)
	}
	connect(t, path)
	if err := os.Symlink(path, path+"2"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"3", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{path + "2", path + "3"} {
		if _, err := mux.Listen(t.Context(), other, conn, mux.ServerOptions{ReplaceStale: true}); !errors.Is(err, mux.ErrExists) {
			t.Errorf("%s: %v", other, err)
		}
	}
}

func TestConnectErrors(t *testing.T) {
	dir := shortDir(t)
	silent, err := net.Listen("unix", filepath.Join(dir, "silent"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	rude, err := net.Listen("unix", filepath.Join(dir, "rude"))
	if err != nil {
		t.Fatal(err)
	}
	defer rude.Close()
	go func() {
		for {
			c, err := rude.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	if err := staleSocket(filepath.Join(dir, "stale")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		want error
	}{{"absent", mux.ErrNoMaster}, {"stale", mux.ErrStale}, {"silent", mux.ErrTimeout}, {"rude", mux.ErrMasterGone}} {
		_, err := mux.Connect(t.Context(), filepath.Join(dir, tt.name), mux.ClientOptions{HelloTimeout: 50 * time.Millisecond})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mux.Connect(ctx, filepath.Join(dir, "silent"), mux.ClientOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := mux.Connect(t.Context(), filepath.Join(dir, "stale"), mux.ClientOptions{RemoveStale: true}); !errors.Is(err, mux.ErrStale) {
		t.Errorf("stale: %v", err)
	}
	for name, there := range map[string]bool{"stale": false, "silent": true, "rude": true} {
		if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != there {
			t.Errorf("%s is there: %v", name, err == nil)
		}
	}
}
