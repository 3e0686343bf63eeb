//go:build linux || darwin || freebsd

package terminal

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestKeywise: a key comes without its line and unseen, ^C is still a signal,
// output is processed, and all is undone.
func TestKeywise(t *testing.T) {
	master, slave := openPTY(t)
	before := getTermios(t, slave)
	state, err := MakeKeywise(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	modes := getTermios(t, slave)
	if modes.Lflag&(unix.ICANON|unix.ECHO) != 0 || modes.Lflag&unix.ISIG == 0 || modes.Oflag != before.Oflag {
		t.Errorf("modes %+v, before %+v", modes, before)
	}
	in, err := NewInput(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := master.Write([]byte("k")); err != nil {
		t.Fatal(err)
	}
	var b [8]byte
	if n, err := in.Read(b[:]); err != nil || string(b[:n]) != "k" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	for range 2 {
		state.Restore()
		if after := getTermios(t, slave); after != before {
			t.Error("not restored")
		}
		state.Reenter()
		if again := getTermios(t, slave); again != modes {
			t.Error("not gone back to")
		}
	}
}
