//go:build unix

package client

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// TestSetQoS: the class is on the socket, by the option of its family, and
// none leaves it alone.
func TestSetQoS(t *testing.T) {
	for _, c := range []struct {
		listen        string
		level, option int
	}{
		{"127.0.0.1:0", unix.IPPROTO_IP, unix.IP_TOS},
		{"[::1]:0", unix.IPPROTO_IPV6, unix.IPV6_TCLASS},
	} {
		ln, err := net.Listen("tcp", c.listen)
		if err != nil {
			t.Logf("not tested: %v", err)
			continue
		}
		ln.Close()
		host, _, _ := net.SplitHostPort(c.listen)
		conn := newSetup(t, sshtest.Options{Listen: c.listen}, "HostName "+host).mustDial(t)
		raw, err := conn.NetConn().(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		for _, class := range []sshconfig.QoS{0x48, sshconfig.QoSNone, 0x20} {
			before := optionOf(t, raw, c.level, c.option)
			if err := conn.SetQoS(class); err != nil {
				t.Errorf("%s: %v", c.listen, err)
			}
			want := int(class)
			if class == sshconfig.QoSNone {
				want = before
			}
			if got := optionOf(t, raw, c.level, c.option); got != want {
				t.Errorf("%s: class 0x%02x, want 0x%02x", c.listen, got, want)
			}
		}
	}
}

func optionOf(t *testing.T, raw syscall.RawConn, level, option int) (value int) {
	t.Helper()
	var err error
	if cerr := raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), level, option) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return value
}

// TestBind: BindAddress and BindInterface choose the local end, and what cannot
// be bound to is an error that says so.
func TestBind(t *testing.T) {
	for _, c := range []struct{ line, local string }{
		{"BindAddress 127.0.0.1", "127.0.0.1"},
		{"BindAddress localhost", "127.0.0.1"},
		{"BindInterface " + loopback(t), "127.0.0.1"},
	} {
		conn := newSetup(t, sshtest.Options{}, c.line).mustDial(t)
		if got := conn.NetConn().LocalAddr().(*net.TCPAddr).IP.String(); got != c.local {
			t.Errorf("%s: from %s", c.line, got)
		}
	}
	for _, line := range []string{"BindAddress 192.0.2.1", "BindAddress ::1", "BindInterface nosuch0"} {
		_, err := newSetup(t, sshtest.Options{}, line).dial(t)
		var failed *ConnError
		if !errors.As(err, &failed) || failed.Phase != PhaseConnect {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// loopback is the name of the interface of 127.0.0.1.
func loopback(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Name
		}
	}
	t.Skip("no loopback interface")
	return ""
}
