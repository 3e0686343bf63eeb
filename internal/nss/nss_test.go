package nss

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gossh-project/gossh/internal/testenv"
)

// fake returns a resolver with an nsswitch.conf, a getent and users of its own.
func fake(t *testing.T, nsswitch, script string) (r *Resolver, calls func() []string) {
	t.Helper()
	switchFile, getent, calls := testenv.FakeGetent(t, nsswitch, script)
	passwd := filepath.Join(filepath.Dir(switchFile), "passwd")
	users := "root:x:0:0:root:/root:/bin/sh\n+nis::::::\nann:x:1001:1001:Ann,,:/home/ann:/bin/sh\n"
	if err := os.WriteFile(passwd, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Resolver{SwitchFile: switchFile, Getent: getent, PasswdFile: passwd}, calls
}

// guest is a getent that knows one name of each kind.
const guest = `
while [ "${1#--}" != "$1" ]; do shift; done
case "$1 $2" in
"ahosts guest") printf '192.0.2.7 STREAM guest.virt\n192.0.2.7 DGRAM\n192.0.2.7 RAW\n2001:db8::7 STREAM\n';;
"ahostsv4 guest") printf '192.0.2.7 STREAM guest.virt\n';;
"ahostsv6 guest") printf '::ffff:192.0.2.7 STREAM guest.virt\n2001:db8::7 STREAM\n';;
"ahostsv6 four") printf '::ffff:192.0.2.4 STREAM four\n';;
"ahosts local") printf '127.0.0.1 STREAM local\n';;
"passwd bob"|"passwd 2002") echo 'bob:*:2002:2002:Bob:/net/home/bob:/bin/sh';;
"passwd CORP\\bob smith") echo 'bob smith:*:2003:2003::/net/home/smith:/bin/sh';;
"passwd ann") echo 'ann:*:9001:9001::/net/home/ann:/bin/sh';;
*) exit 2;;
esac
`

func TestHosts(t *testing.T) {
	tests := []struct {
		network, host string
		want          string // addresses, or what the error says
	}{
		{"ip", "guest", "192.0.2.7 2001:db8::7"},
		{"ip4", "guest", "192.0.2.7"},
		{"ip6", "guest", "2001:db8::7"},
		{"ip6", "four", "no such host"},
		{"ip", "nowhere", "no such host"},
		{"ip", "-s", "no such host"},
		{"ip", "a\nb", "no such host"},
		{"ip", "", "no such host"},
	}
	for _, tt := range tests {
		r, _ := fake(t, "hosts: files virt [NOTFOUND=return] other\n", guest)
		addrs, err := r.LookupNetIP(t.Context(), tt.network, tt.host)
		got := ""
		var dns *net.DNSError
		switch {
		case errors.As(err, &dns) && dns.IsNotFound:
			got = dns.Err
		case err != nil:
			t.Errorf("%s %q: %v", tt.network, tt.host, err)
			continue
		default:
			var list []string
			for _, a := range addrs {
				list = append(list, a.String())
			}
			got = strings.Join(list, " ")
		}
		if got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.network, tt.host, got, tt.want)
		}
	}
}

func TestCanonicalName(t *testing.T) {
	r, _ := fake(t, "hosts: files virt\n", guest)
	if name, err := r.LookupCNAME(t.Context(), "guest"); name != "guest.virt" || err != nil {
		t.Errorf("%q %v", name, err)
	}
	if name, err := r.LookupCNAME(t.Context(), "nowhere"); err == nil {
		t.Errorf("a name that does not exist is %q", name)
	}
}

// TestPlainSwitch: nothing is run where package net has all sources.
func TestPlainSwitch(t *testing.T) {
	for _, conf := range []string{"", "passwd: files\n", "hosts: files dns\n", "hosts: dns [!UNAVAIL=return] files # mdns\n", "#hosts: mdns\nhosts: files\n"} {
		r, calls := fake(t, conf, guest)
		if _, err := r.LookupNetIP(t.Context(), "ip", "localhost"); err != nil {
			t.Errorf("%q: %v", conf, err)
		}
		if c := calls(); len(c) > 0 {
			t.Errorf("%q: getent was run: %q", conf, c)
		}
	}
	r, calls := fake(t, "hosts: mdns\n", guest)
	if addrs, err := r.LookupNetIP(t.Context(), "ip", "::ffff:192.0.2.1"); err != nil || addrs[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("%v %v", addrs, err)
	}
	if c := calls(); len(c) > 0 {
		t.Errorf("getent was run for an address: %q", c)
	}
}

// TestOtherGetents: programs that know no options, no ahosts, or are missing.
func TestOtherGetents(t *testing.T) {
	for _, status := range []string{"1", "64"} {
		r, calls := fake(t, "hosts: mdns\n", `case "$1" in --*) exit `+status+`;; esac; echo 192.0.2.1 STREAM x`)
		addrs, err := r.LookupNetIP(t.Context(), "ip", "x")
		if err != nil || len(addrs) != 1 {
			t.Errorf("without options: %v %v", addrs, err)
		}
		if want := []string{"--no-addrconfig --no-idn ahosts x", "ahosts x"}; !slices.Equal(calls(), want) {
			t.Errorf("calls %q", calls())
		}
	}
	for name, script := range map[string]string{"no ahosts": "exit 1\n", "killed": "kill -9 $$\n", "endless": "yes 192.0.2.1 STREAM localhost\n"} {
		r, _ := fake(t, "hosts: mdns files\n", script)
		if addrs, err := r.LookupNetIP(t.Context(), "ip", "localhost"); err != nil || !addrs[0].IsLoopback() {
			t.Errorf("%s: %v %v", name, addrs, err)
		}
	}
	r, _ := fake(t, "hosts: mdns files\n", "")
	r.Getent += "-missing"
	if addrs, err := r.LookupNetIP(t.Context(), "ip", "localhost"); err != nil || !addrs[0].IsLoopback() {
		t.Errorf("no getent: %v %v", addrs, err)
	}
}

func TestDeadline(t *testing.T) {
	r, _ := fake(t, "hosts: mdns\npasswd: files sss\n", "exec sleep 3600\n")
	errLate := errors.New("late")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errLate)
	defer cancel()
	if _, err := r.LookupNetIP(ctx, "ip", "guest"); !errors.Is(err, errLate) {
		t.Errorf("host: %v", err)
	}
	if _, err := r.LookupUser(ctx, "bob"); !errors.Is(err, errLate) {
		t.Errorf("user: %v", err)
	}
}

func TestDial(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	r, _ := fake(t, "hosts: virt\n", guest)
	c, err := r.DialContext(t.Context(), "tcp", net.JoinHostPort("local", port))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	var dns *net.DNSError
	if _, err := r.DialContext(t.Context(), "tcp6", net.JoinHostPort("four", port)); !errors.As(err, &dns) {
		t.Errorf("a name without an address of the family: %v", err)
	}
}

func TestUsers(t *testing.T) {
	tests := []struct {
		nsswitch, name string
		want           string // name and home, "" for none
		calls          int
	}{
		{"passwd: files sss\n", "ann", "ann /home/ann", 0},
		{"passwd: files sss\n", "bob", "bob /net/home/bob", 1},
		{"passwd: files systemd\n", "carl", "", 1},
		{"passwd: files\n", "bob", "", 0},
		{"hosts: mdns\n", "bob", "", 0},
		{"passwd: compat\n", "ann", "ann /home/ann", 0},
		{"passwd: compat\n", "+nis", "", 1},
		{"passwd: sss files\n", "ann", "ann /net/home/ann", 1},
		{"passwd: files winbind\n", `CORP\bob smith`, "bob smith /net/home/smith", 1},
		{"passwd: files sss\n", "2002", "", 1}, // a name, which getent takes for a number
		{"passwd: files sss\n", "-s", "", 0},
	}
	for _, tt := range tests {
		r, calls := fake(t, tt.nsswitch, guest)
		u, err := r.LookupUser(t.Context(), tt.name)
		got := ""
		var unknown user.UnknownUserError
		switch {
		case err == nil:
			got = u.Username + " " + u.HomeDir
		case !errors.As(err, &unknown):
			t.Errorf("%s %s: %v", tt.nsswitch, tt.name, err)
		}
		if n := len(calls()); got != tt.want || n != tt.calls {
			t.Errorf("%s %s: %q after %d calls, want %q after %d", tt.nsswitch, tt.name, got, n, tt.want, tt.calls)
		}
	}
}

func TestUID(t *testing.T) {
	r, _ := fake(t, "passwd: files sss\n", guest)
	if u, err := r.LookupUID(t.Context(), 2002); err != nil || u.Username != "bob" || u.HomeDir != "/net/home/bob" {
		t.Errorf("%v %v", u, err)
	}
	if u, err := r.LookupUID(t.Context(), 1001); err != nil || u.Username != "ann" {
		t.Errorf("%v %v", u, err)
	}
	if u, err := r.LookupUID(t.Context(), 3003); err == nil {
		t.Errorf("nobody is %v", u)
	}
	// Where nobody can be asked, this process has a user all the same.
	t.Setenv("USER", "me")
	t.Setenv("HOME", "/home/me")
	r.Getent += "-missing"
	r.PasswdFile = os.DevNull
	if u, err := r.LookupUID(t.Context(), os.Getuid()); err != nil || u.Username == "" {
		t.Errorf("%v %v", u, err)
	}
}

// TestSystem compares with the real one what does not depend on the machine.
func TestSystem(t *testing.T) {
	var r Resolver
	if r.getentPath() == "" {
		t.Skip("no getent here")
	}
	r.SwitchFile = filepath.Join(t.TempDir(), "nsswitch.conf")
	if err := os.WriteFile(r.SwitchFile, []byte("hosts: mdns\npasswd: sss\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if addrs, err := r.LookupNetIP(t.Context(), "ip4", "localhost"); err != nil || !addrs[0].IsLoopback() {
		t.Errorf("%v %v", addrs, err)
	}
	u, err := r.LookupUID(t.Context(), 0)
	if err != nil || u.Username != "root" {
		t.Errorf("%v %v", u, err)
	}
}
