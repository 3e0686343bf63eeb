//go:build linux

package integration_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

const x11Cookie = "00112233445566778899aabbccddeeff"

// xserver is an X server that accepts a connection, records its cookie and
// refuses it with the reason "seen". It listens on an abstract socket, so that
// nothing is left in /tmp.
type xserver struct {
	display string
	first   chan []byte // the first packet of each connection
}

func newXServer(t *testing.T) *xserver {
	t.Helper()
	for number := 4000 + os.Getpid()%1000*10; ; number++ {
		ln, err := net.Listen("unix", fmt.Sprintf("@/tmp/.X11-unix/X%d", number))
		if err != nil {
			continue
		}
		t.Cleanup(func() { ln.Close() })
		x := &xserver{display: fmt.Sprintf(":%d", number), first: make(chan []byte, 16)}
		go func() { // ends with the listener
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go x.serve(c)
			}
		}()
		return x
	}
}

// serve ends with the first packet, or when none has come in time.
func (x *xserver) serve(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	packet := make([]byte, 4096)
	n, err := c.Read(packet)
	if err != nil {
		return
	}
	x.first <- packet[:n]
	// Failed, reason of 4 bytes, version 11.0, one word follows.
	c.Write([]byte("\x00\x04\x0b\x00\x00\x00\x01\x00seen"))
}

// withX11 returns a world in whose sessions X11 programs find their display.
func withX11(t *testing.T) (*world, *xserver) {
	t.Helper()
	need(t, "xauth", "xdpyinfo")
	w := withSSHD(t, opensshd.Options{Extra: "X11Forwarding yes\n"})
	x := newXServer(t)
	w.write(".Xauthority", "") // the server's xauth would speak of making it
	w.setenv("DISPLAY="+x.display, "XAUTHORITY="+w.path("Xauthority"))
	return w, x
}

func TestX11(t *testing.T) {
	t.Parallel()
	w, x := withX11(t)
	w.write("Xauthority", "")
	if o := w.run(w.tool("xauth", "add", x.display, "MIT-MAGIC-COOKIE-1", x11Cookie)); o.status != 0 {
		t.Fatal(o)
	}
	real, _ := hex.DecodeString(x11Cookie)
	for _, args := range [][]string{{"-Y"}, {"-X", "-o", "ForwardX11Trusted=yes"}, {"-o", "ForwardX11=yes", "-o", "ForwardX11Trusted=yes"}} {
		o := w.run(w.gossh(append(args, "sshd", "xauth list; xdpyinfo 2>&1; true")...))
		if o.status != 0 || o.stderr != "" || !strings.Contains(o.stdout, "unable to open display") {
			t.Errorf("%q: %v", args, o)
		}
		if strings.Contains(o.stdout, x11Cookie) {
			t.Errorf("%q: the server knows the cookie: %v", args, o)
		}
		if got := <-x.first; !bytes.Contains(got, real) {
			t.Errorf("%q: the X server is shown %q", args, got)
		}
	}
	// Not asked for: there is no display there.
	for _, args := range [][]string{{}, {"-X", "-x"}, {"-Y", "-o", "ForwardX11=no", "-x"}} {
		o := w.run(w.gossh(append(args, "sshd", "echo d=$DISPLAY")...))
		o.want(t, 0, "d=\n", silent())
	}
	// A program that shows another cookie is turned away here.
	o := w.run(w.gossh("-Y", "sshd", "xauth add $DISPLAY . 0123456789abcdef0123456789abcdef; xdpyinfo 2>/dev/null; true"))
	if !strings.Contains(o.stderr, "X11 connection rejected because of wrong authentication.\r\n") {
		t.Errorf("wrong cookie: %v", o)
	}
	select {
	case got := <-x.first:
		t.Errorf("the X server is shown %q", got)
	default:
	}
}

// TestX11Words: warnings are ssh's.
func TestX11Words(t *testing.T) {
	t.Parallel()
	w, x := withX11(t)
	remote := "echo d=${DISPLAY:+set}"
	for _, c := range []struct {
		display string
		args    []string
	}{
		{x.display, []string{"-Y", "sshd", remote}},
		{x.display, []string{"-X", "-o", "ForwardX11Trusted=no", "sshd", remote}},
		{x.display, []string{"-Y", "-o", "XAuthLocation=/nosuch/xauth", "sshd", remote}},
		{x.display, []string{"-X", "-o", "ForwardX11Trusted=no", "-o", "XAuthLocation=/nosuch/xauth", "sshd", remote}},
		{":1;2", []string{"-Y", "sshd", remote}},
		{":59", []string{"-Y", "sshd", "xdpyinfo >/dev/null 2>&1; true"}},
		{"localhost:59535", []string{"-Y", "sshd", "xdpyinfo >/dev/null 2>&1; true"}},
	} {
		w.env = append(w.env[:len(w.env):len(w.env)], "DISPLAY="+c.display)
		w.likeSSH(t, c.args)
	}
	// A server that does not forward X11.
	refusing := withSSHD(t, opensshd.Options{Extra: "X11Forwarding no\n"})
	refusing.write(".Xauthority", "")
	refusing.setenv("DISPLAY="+x.display, "XAUTHORITY="+refusing.path("none"))
	refusing.likeSSH(t, []string{"-Y", "sshd", remote})
}

// TestX11Untrusted runs a script in xauth's place: the X server here makes no
// cookies.
func TestX11Untrusted(t *testing.T) {
	t.Parallel()
	w, x := withX11(t)
	log := w.path("xauth.log")
	script := w.script("fake-xauth", "echo \"$@\" >>"+log+"\ntest $3 = generate || echo \"x MIT-MAGIC-COOKIE-1 "+x11Cookie+"\"")
	untrusted := []string{"-o", "ForwardX11=yes", "-o", "ForwardX11Trusted=no", "-o", "XAuthLocation=" + script}
	o := w.run(w.gossh(append(untrusted, "sshd", "xdpyinfo >/dev/null 2>&1; true")...))
	o.want(t, 0, "", silent())
	real, _ := hex.DecodeString(x11Cookie)
	if got := <-x.first; !bytes.Contains(got, real) {
		t.Errorf("the X server is shown %q", got)
	}
	if lines := w.read("xauth.log"); !strings.Contains(lines, "generate "+x.display+" MIT-MAGIC-COOKIE-1 untrusted timeout 1260\n") {
		t.Errorf("xauth was run with %q", lines)
	}
	// After its time no connection is accepted.
	late := "sleep 2; xdpyinfo >/dev/null 2>&1; true"
	o = w.run(w.gossh(append(untrusted, "-o", "ForwardX11Timeout=1", "-o", "LogLevel=VERBOSE", "sshd", late)...))
	if !strings.Contains(o.stderr, "Rejected X11 connection after ForwardX11Timeout expired\r\n") {
		t.Errorf("late: %v", o)
	}
	select {
	case got := <-x.first:
		t.Errorf("late: the X server is shown %q", got)
	default:
	}
}

// TestX11BreakIn: a server that opens channels unasked is named as ssh names it.
func TestX11BreakIn(t *testing.T) {
	t.Parallel()
	for channelType, what := range map[string]string{"x11": "X11", "auth-agent@openssh.com": "agent"} {
		tried := make(chan error, 1)
		handler := sshtest.Handler(func(s *sshtest.Session) sshtest.Exit {
			_, _, err := s.Conn.SSH.OpenChannel(channelType, []byte("\x00\x00\x00\x01x\x00\x00\x00\x01"))
			tried <- err
			return sshtest.Exit{}
		})
		w, _ := withServer(t, sshtest.Options{Handler: handler, Users: []sshtest.User{{Name: "test", None: true}}})
		o := w.run(w.gossh("sshtest", "true"))
		if err := <-tried; err == nil {
			t.Errorf("%s: let in", what)
		}
		want := "Warning: ssh server tried " + what + " forwarding.\r\nWarning: this is probably a break-in attempt by a malicious server.\r\n"
		o.want(t, 0, "", &want)
	}
}
