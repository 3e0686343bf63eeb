package keepalive

import (
	"context"
	"encoding/binary"
	"net"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inNamespace runs f on a thread of its own in an empty network namespace,
// whose loopback is up.
func inNamespace(t *testing.T, f func(ip func(args ...string))) {
	t.Helper()
	program, err := exec.LookPath("ip")
	if err != nil {
		needed(t, "no ip program")
	}
	var refused error
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked, so the thread ends with the goroutine.
		runtime.LockOSThread()
		if refused = unix.Unshare(unix.CLONE_NEWNET); refused != nil {
			return
		}
		ip := func(args ...string) {
			if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
				t.Errorf("ip %q: %v\n%s", args, err, out)
			}
		}
		ip("link", "set", "lo", "up")
		f(ip)
	}()
	<-done
	if refused != nil {
		// Not for CI to fail on: it takes root.
		t.Skipf("no network namespace: %v", refused)
	}
}

func TestWatchNetwork(t *testing.T) {
	inNamespace(t, func(ip func(args ...string)) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		changes, err := WatchNetwork(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		for _, change := range [][]string{
			{"address", "add", "192.0.2.1/24", "dev", "lo"},
			{"address", "add", "2001:db8::1/64", "dev", "lo"},
			{"route", "add", "198.51.100.0/24", "via", "192.0.2.2", "dev", "lo"},
			{"route", "del", "198.51.100.0/24"},
			{"address", "del", "192.0.2.1/24", "dev", "lo"},
			{"link", "set", "lo", "down"},
		} {
			ip(change...)
			select {
			case <-changes:
			case <-time.After(10 * time.Second):
				t.Errorf("not told of %q", change)
			}
			// One change is several messages; take them all.
			for told := true; told; {
				select {
				case <-changes:
				case <-time.After(50 * time.Millisecond):
					told = false
				}
			}
		}
		cancel()
		for range changes { // until it is closed
		}
	})
}

// message makes a netlink message as the kernel sends them.
func message(kind uint16, body []byte) []byte {
	b := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	binary.NativeEndian.PutUint32(b, uint32(unix.SizeofNlMsghdr+len(body)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	return append(b, body...)
}

func linkMessage(index int32, flags uint32) []byte {
	body := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	binary.NativeEndian.PutUint32(body[8:], flags)
	return message(unix.RTM_NEWLINK, body)
}

func TestNetworkMessages(t *testing.T) {
	const up = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	w := &netWatcher{links: make(map[int32]uint32)}
	for _, test := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"nothing", nil, false},
		{"a new link", linkMessage(2, up), true},
		{"a Wi-Fi scan", linkMessage(2, up|unix.IFF_MULTICAST), false},
		{"carrier lost", linkMessage(2, unix.IFF_UP), true},
		{"the same again", linkMessage(2, unix.IFF_UP), false},
		{"two, one of which matters", append(linkMessage(2, unix.IFF_UP), linkMessage(3, up)...), true},
		{"an address", message(unix.RTM_NEWADDR, make([]byte, 8)), true},
		{"a route gone", message(unix.RTM_DELROUTE, make([]byte, 12)), true},
		{"a neighbour", message(unix.RTM_NEWNEIGH, make([]byte, 12)), false},
		{"a link cut short", message(unix.RTM_NEWLINK, make([]byte, 4)), true},
		{"a length beyond the end", []byte{200, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true},
	} {
		if got := w.changed(test.in); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// The kernel's own word on which addresses are there and what is routed.
func TestAddressGone(t *testing.T) {
	inNamespace(t, func(ip func(args ...string)) {
		local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
		remote := &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 22}
		expect := func(want bool, when string) {
			t.Helper()
			if got := addressGone(local, remote); got != want {
				t.Errorf("%s: %v", when, got)
			}
		}
		ip("address", "add", "192.0.2.1/24", "dev", "lo")
		ip("route", "add", "default", "via", "192.0.2.254", "dev", "lo")
		expect(false, "as it was")
		ip("address", "del", "192.0.2.1/24", "dev", "lo")
		expect(false, "a route without an address")
		ip("route", "del", "default")
		expect(false, "no network at all")
		ip("address", "add", "203.0.113.1/24", "dev", "lo")
		expect(false, "another network, but no route")
		ip("route", "add", "default", "via", "203.0.113.254", "dev", "lo")
		expect(true, "another network")
		ip("address", "add", "192.0.2.1/32", "dev", "lo")
		expect(false, "back, beside another network")
	})
	loop := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	if addressGone(loop, loop) {
		t.Error("the loopback is gone")
	}
}
