package forward

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

func TestBindAddrs(t *testing.T) {
	loop := []bindAddr{{"tcp6", "::1"}, {"tcp4", "127.0.0.1"}}
	all := []bindAddr{{"tcp4", "0.0.0.0"}, {"tcp6", "::"}}
	open := Options{GatewayPorts: true}
	for _, c := range []struct {
		addr Addr
		opts Options
		want []bindAddr
	}{
		{port(1), Options{}, loop},
		{port(1), open, all},
		{empty(1), Options{}, all},
		{empty(1), open, all},
		{tcp("*", 1), Options{}, all},
		{tcp("localhost", 1), Options{}, loop},
		{tcp("localhost", 1), open, loop},
		{tcp("127.0.0.1", 1), open, loop[1:]},
		{tcp("::1", 1), Options{}, loop[:1]},
		{tcp("0.0.0.0", 1), Options{}, all[:1]},
		{tcp("192.0.2.1", 1), Options{}, []bindAddr{{"tcp4", "192.0.2.1"}}},
		{tcp("::ffff:192.0.2.1", 1), Options{}, []bindAddr{{"tcp4", "192.0.2.1"}}},
		{port(1), Options{Network: "tcp4"}, loop[1:]},
		{port(1), Options{Network: "tcp6"}, loop[:1]},
		{tcp("*", 1), Options{Network: "tcp4"}, all[:1]},
		{tcp("127.0.0.1", 1), Options{Network: "tcp6"}, nil},
	} {
		got, err := bindAddrs(context.Background(), c.addr, c.opts)
		if !reflect.DeepEqual(got, c.want) || (err != nil) != (c.want == nil) {
			t.Errorf("%+v %+v: %v, %v; want %v", c.addr, c.opts, got, err, c.want)
		}
	}
}

// TestSamePort: both families listen, on one port that the system chose.
func TestSamePort(t *testing.T) {
	if ln, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6: ", err)
	} else {
		ln.Close()
	}
	f, _ := connect(t, sshtest.Options{})
	fwd := open(t, f, Spec{Kind: Local, Connect: serveEcho(t)}, Options{})
	addrs := fwd.Addrs()
	if len(addrs) != 2 {
		t.Fatalf("listens on %v", addrs)
	}
	for _, a := range addrs {
		if p := a.(*net.TCPAddr).Port; p != fwd.Spec().Listen.Port || p == 0 {
			t.Errorf("port %d, Spec says %d", p, fwd.Spec().Listen.Port)
		}
		roundTrip(t, dial(t, a))
	}
	// A second one on the same port gets none of the addresses.
	_, err := f.Open(context.Background(), fwd.Spec(), Options{})
	var refused *ListenError
	if !errors.As(err, &refused) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("second listener: %v", err)
	}
	if b := refused.Binds; len(b) != 2 || b[0].Host != "::1" || b[0].Last || b[1].Host != "127.0.0.1" || !b[1].Last {
		t.Errorf("failed binds %+v", refused.Binds)
	}
	// One family that is free is enough.
	fwd.Close()
	ln, err := net.Listen("tcp4", addrs[1].String())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	half := open(t, f, fwd.Spec(), Options{})
	if a := half.Addrs(); len(a) != 1 || a[0].(*net.TCPAddr).IP.To4() != nil {
		t.Errorf("listens on %v", a)
	}
	if b := half.BindErrors(); len(b) != 1 || b[0].Host != "127.0.0.1" || !b[0].Last {
		t.Errorf("failed binds %+v", b)
	}
}

// TestFailures: who wants to know hears of connections that reach no target,
// numbered as OpenSSH numbers its channels.
func TestFailures(t *testing.T) {
	f, s := scripted(t)
	heard := make(chan ConnFailure, 1)
	spec := Spec{Kind: Local, Listen: tcp("127.0.0.1", 0), Connect: tcp("target", 1)}
	fwd := open(t, f, spec, Options{OnFailure: func(c ConnFailure) { heard <- c }})
	for range 2 { // the number is free again
		dial(t, fwd.Addrs()[0])
		s.open(t).Reject(ssh.ConnectionFailed, "no")
		got := <-heard
		var refused *OpenError
		if got.Channel != 1 || got.Target != spec.Connect || !errors.As(got.Err, &refused) || refused.Message != "no" {
			t.Errorf("heard %+v", got)
		}
		eventuallyIdle(t, fwd)
	}
}

// eventuallyIdle waits for the end of every connection.
func eventuallyIdle(t *testing.T, fwd *Forward) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); len(fwd.Snapshot().Conns) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a connection stays")
		}
	}
}

// TestOriginator: the server hears who connected.
func TestOriginator(t *testing.T) {
	f, s := scripted(t)
	fwd := local(t, f, tcp("the target", 4711))
	c := dial(t, fwd.Addrs()[0])
	ch := s.open(t)
	var p tcpPayload
	if err := ssh.Unmarshal(ch.ExtraData(), &p); err != nil {
		t.Fatal(err)
	}
	from := c.LocalAddr().(*net.TCPAddr).AddrPort()
	want := tcpPayload{"the target", 4711, "127.0.0.1", uint32(from.Port())}
	if ch.ChannelType() != "direct-tcpip" || p != want {
		t.Errorf("%s %+v, want %+v", ch.ChannelType(), p, want)
	}
	ch.Reject(ssh.ConnectionFailed, "no")
	eventually(t, "the connection ends", noConns(fwd))
}

func TestOriginOf(t *testing.T) {
	mapped := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[::ffff:192.0.2.1]:99"))
	if got := originOf(mapped).String(); got != "192.0.2.1:99" {
		t.Error(got)
	}
	if got := originOf(&net.UnixAddr{}).String(); got != "127.0.0.1:65535" {
		t.Error(got)
	}
}

// TestSocketToSocket carries a Unix-domain client to a Unix-domain target.
func TestSocketToSocket(t *testing.T) {
	dir := t.TempDir()
	serve(t, "unix", filepath.Join(dir, "target"), echo)
	f, _ := connect(t, sshtest.Options{})
	here := filepath.Join(dir, "here")
	fwd := open(t, f, Spec{Local, sock(here), sock(filepath.Join(dir, "target"))}, Options{})
	roundTrip(t, dial(t, fwd.Addrs()[0]))
	fwd.Close()
	if _, err := os.Lstat(here); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestSocketMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("sockets have no permissions here")
	}
	f, _ := connect(t, sshtest.Options{})
	for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o666, 0o620} {
		path := filepath.Join(t.TempDir(), "s")
		fwd := open(t, f, Spec{Local, sock(path), tcp("h", 1)}, Options{SocketMode: mode})
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := mode
		if mode == 0 {
			want = 0o600
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode %o, want %o", got, want)
		}
		fwd.Close()
	}
}

// TestUnlinkSocket: what is in the way goes only if asked for, and only if it
// is a socket; and a socket that another put there in the meantime stays.
func TestUnlinkSocket(t *testing.T) {
	f, _ := connect(t, sshtest.Options{})
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "s")
	spec := Spec{Local, sock(path), tcp("h", 1)}
	unlink := Options{UnlinkSocket: true}

	first := open(t, f, spec, unlink) // nothing there yet
	if _, err := f.Open(ctx, spec, Options{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("taken name: %v", err)
	}
	second := open(t, f, spec, unlink)
	first.Close()
	c := dial(t, second.Addrs()[0]) // first has not removed it
	c.Close()
	second.Close()

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	var refused *ListenError
	if _, err := f.Open(ctx, spec, unlink); !errors.As(err, &refused) || !errors.Is(err, errNotSocket) {
		t.Errorf("a file in the way: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "precious" {
		t.Error("the file is gone")
	}
}

// TestAtIsNoAbstractSocket: a path is a path.
func TestAtIsNoAbstractSocket(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("@d", 0o700); err != nil {
		t.Fatal(err)
	}
	f, _ := connect(t, sshtest.Options{})
	fwd := open(t, f, Spec{Local, sock("@d/s"), tcp("h", 1)}, Options{})
	if _, err := os.Lstat("@d/s"); err != nil {
		t.Error(err)
	}
	fwd.Close()
}
