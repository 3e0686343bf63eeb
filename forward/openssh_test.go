package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
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
	// With both families a port that sshd chooses may be bound on ::1 alone:
	// somebody else's on 127.0.0.1 is no failure to it.
	f := connectOpenSSH(t, "GatewayPorts clientspecified\nAddressFamily inet")
	target := serveEcho(t)
	for _, listen := range []Addr{port(0), tcp("127.0.0.1", 0), tcp("*", 0), empty(0), tcp("localhost", 0)} {
		fwd := open(t, f, Spec{Remote, listen, target}, Options{})
		roundTrip(t, dial(t, onServer(fwd)))
		at := onServer(fwd)
		if err := fwd.Close(); err != nil {
			t.Errorf("%+v: %v", listen, err)
		}
		if c, err := net.Dial("tcp", at.String()); err == nil {
			c.Close()
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

// TestWireAgainstSSH compares what ssh and gossh send for the same specs.
func TestWireAgainstSSH(t *testing.T) {
	prog := needProgram(t, "ssh")
	dir := t.TempDir()
	socket := func() string { return filepath.Join(t.TempDir(), "s") } // a new one each time
	for _, c := range []struct {
		flag string
		kind Kind
		spec func() string
		typ  string
	}{
		{"-R", Remote, func() string { return "0:h:1" }, "tcpip-forward"},
		{"-R", Remote, func() string { return ":0:h:1" }, "tcpip-forward"},
		{"-R", Remote, func() string { return "*:0:h:1" }, "tcpip-forward"},
		{"-R", Remote, func() string { return "localhost:0:h:1" }, "tcpip-forward"},
		{"-R", Remote, func() string { return "[::1]:0:h:1" }, "tcpip-forward"},
		{"-R", Remote, func() string { return "127.0.0.1:0" }, "tcpip-forward"},
		{"-R", Remote, func() string { return "/no/such:/x" }, "streamlocal-forward@openssh.com"},
		{"-W", Stdio, func() string { return "the.host:4711" }, "direct-tcpip"},
		{"-L", Local, func() string { return socket() + ":the.host:4711" }, "direct-tcpip"},
		{"-L", Local, func() string { return socket() + ":/the/target" }, "direct-streamlocal@openssh.com"},
	} {
		sent := make(map[string]string)
		for _, who := range []string{"ssh", "gossh"} {
			srv := sshtest.NewServer(t, &sshtest.Options{NoForwarding: true})
			text := c.spec()
			spec, err := ParseSpec(c.kind, text)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if who == "ssh" {
					runSSH(ctx, t, srv, prog, dir, c.flag, text)
				} else {
					runGossh(ctx, t, srv, spec)
				}
			}()
			if c.kind == Local {
				eventually(t, who+" listens", func() bool {
					nc, err := net.Dial("unix", spec.Listen.Socket)
					if err == nil {
						nc.Close()
					}
					return err == nil
				})
			}
			kind := sshtest.Global
			if c.kind != Remote {
				kind = sshtest.Open
			}
			r, err := srv.WaitRecord(ctx, kind, c.typ)
			if err != nil {
				t.Fatalf("%s %s %s: %v", who, c.flag, text, err)
			}
			sent[who] = string(r.Payload)
			cancel()
			<-ended
		}
		if c.kind == Local && c.typ == "direct-tcpip" {
			// For a Unix-domain client ssh gives an empty originator, which
			// is no address: see noOrigin. The target is the same.
			for who, payload := range sent {
				sent[who] = payload[:4+len("the.host")+4]
			}
		}
		if sent["ssh"] != sent["gossh"] {
			t.Errorf("%s %s: ssh sends %q, gossh %q", c.flag, c.spec(), sent["ssh"], sent["gossh"])
		}
	}
}

func runSSH(ctx context.Context, t *testing.T, srv *sshtest.Server, prog, dir string, args ...string) {
	files, err := srv.WriteFiles(dir)
	if err != nil {
		t.Error(err)
		return
	}
	if args[0] != "-W" {
		args = append(args, "-N")
	}
	exec.CommandContext(ctx, prog, append([]string{"-F", files.Config, "host"}, args...)...).Run()
}

func runGossh(ctx context.Context, t *testing.T, srv *sshtest.Server, spec Spec) {
	nc, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Error(err)
		return
	}
	f := client(t, nc, srv.ClientConfig())
	if spec.Kind == Stdio {
		f.OpenStdio(ctx, spec.Connect) // refused: the server has noted it
		return
	}
	if fwd, err := f.Open(ctx, spec, Options{}); err == nil {
		<-ctx.Done()
		fwd.Close()
	}
}
