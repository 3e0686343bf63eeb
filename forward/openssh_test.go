package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestOpenSSHLocal forwards through a real sshd.
func TestOpenSSHLocal(t *testing.T) {
	f := connectOpenSSH(t, "")
	fwd := local(t, f, serveEcho(t))
	c := dial(t, fwd.Addrs()[0]).(*net.TCPConn)
	size := int64(20 << 20)
	if testing.Short() {
		size = 1 << 20
	}
	up := newNoise(size)
	go func() {
		io.Copy(c, up)
		c.CloseWrite()
	}()
	back := newNoise(0)
	n, err := io.Copy(back.sum, c)
	if n != size || err != nil || back.digest() != up.digest() {
		t.Errorf("%d bytes, %v", n, err)
	}
	eventually(t, "the connection ends", noConns(fwd))

	dir := t.TempDir()
	serve(t, "unix", filepath.Join(dir, "target"), echo)
	socks := open(t, f, Spec{Local, sock(filepath.Join(dir, "here")), sock(filepath.Join(dir, "target"))}, Options{})
	roundTrip(t, dial(t, socks.Addrs()[0]))
}

func TestOpenSSHDynamic(t *testing.T) {
	f := connectOpenSSH(t, "")
	fwd := open(t, f, Spec{Kind: Dynamic, Listen: Addr{Host: "127.0.0.1"}}, Options{})
	testCurl(t, fwd.Addrs()[0].String())
	eventually(t, "the connections end", noConns(fwd))
}

func TestOpenSSHRemote(t *testing.T) {
	f := connectOpenSSH(t, "GatewayPorts clientspecified")
	target := serveEcho(t)
	for _, listen := range []Addr{port(0), tcp("127.0.0.1", 0), tcp("*", 0), empty(0), tcp("localhost", 0)} {
		fwd := open(t, f, Spec{Remote, listen, target}, Options{})
		roundTrip(t, dial(t, onServer(fwd)))
		at := onServer(fwd)
		if err := fwd.Close(); err != nil {
			t.Errorf("%+v: %v", listen, err)
		}
		if _, err := net.Dial("tcp", at.String()); err == nil {
			t.Errorf("%+v: the server still listens", listen)
		}
		// The port is free at once.
		again := fwd.Spec()
		open(t, f, again, Options{}).Close()
	}

	there := filepath.Join(t.TempDir(), "there")
	fwd := open(t, f, Spec{Remote, sock(there), target}, Options{})
	roundTrip(t, dial(t, onServer(fwd)))
	fwd.Close()

	socks := open(t, f, Spec{Kind: Remote}, Options{})
	testCurl(t, onServer(socks).String())

	ln, err := f.Listen(context.Background(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: onServerPort(t, ln)})
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go func() { echo(in); in.Close() }()
	roundTrip(t, c)
	ln.Close()
}

func onServerPort(t *testing.T, ln net.Listener) int { return toAddr(t, ln.Addr()).Port }

func TestOpenSSHRefusals(t *testing.T) {
	f := connectOpenSSH(t, "AllowTcpForwarding no\nAllowStreamLocalForwarding no")
	ctx := context.Background()
	var refused *RefusedError
	if _, err := f.Open(ctx, Spec{Remote, port(0), tcp("h", 1)}, Options{}); !errors.As(err, &refused) {
		t.Errorf("-R: %v", err)
	}
	if _, err := f.Open(ctx, Spec{Remote, sock("/nowhere/s"), tcp("h", 1)}, Options{}); !errors.As(err, &refused) {
		t.Errorf("-R with a socket: %v", err)
	}
	var closed *OpenError
	if _, err := f.DialContext(ctx, "tcp", "127.0.0.1:1"); !errors.As(err, &closed) || closed.Reason != ssh.Prohibited {
		t.Errorf("dial: %v", err)
	}
	if _, err := f.OpenStdio(ctx, sock("/nowhere/s")); !errors.As(err, &closed) {
		t.Errorf("-W: %v", err)
	}
}

func TestOpenSSHStdio(t *testing.T) {
	f := connectOpenSSH(t, "")
	s := stdio(t, f, serveEcho(t))
	data := bytes.Repeat([]byte("stdio "), 100_000)
	var out bytes.Buffer
	if err := s.Run(bytes.NewReader(data), &out); err != nil || !bytes.Equal(out.Bytes(), data) {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}
