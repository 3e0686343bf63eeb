package client

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/gossh-project/gossh/internal/nss"
	"github.com/gossh-project/gossh/internal/testenv"
	"github.com/gossh-project/gossh/sshconfig"
)

// guestNames knows one name, which no file and no name server has.
const guestNames = `
while [ "${1#--}" != "$1" ]; do shift; done
case "$1 $2" in
"ahosts guest") printf '127.0.0.1 STREAM guest\n::1 STREAM\n';;
"ahostsv4 guest") echo 127.0.0.1 STREAM guest;;
"ahostsv6 guest") echo ::1 STREAM guest;;
*) exit 2;;
esac
`

// TestNamesOfOtherSources: targets, jump hosts and BindAddress take names that
// only the C library knows.
func TestNamesOfOtherSources(t *testing.T) {
	switchFile, getent, _ := testenv.FakeGetent(t, "hosts: files virt\n", guestNames)
	names := nss.Resolver{SwitchFile: switchFile, Getent: getent}
	for family, want := range map[sshconfig.AddressFamily]string{
		sshconfig.AddressFamilyAny: "[127.0.0.1:22 [::1]:22]", sshconfig.AddressFamilyInet: "[127.0.0.1:22]",
		sshconfig.AddressFamilyInet6: "[[::1]:22]",
	} {
		target := newDialer(Options{Config: &sshconfig.Config{}}, nil)
		target.names = names
		cfg := &sshconfig.Config{HostName: "guest", Port: 22, AddressFamily: family, BindAddress: "guest"}
		d := newDialer(Options{Config: cfg}, target) // as its jump host
		addrs, err := d.resolve(t.Context())
		if got := fmt.Sprint(addrs); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", family, got, err, want)
		}
		for _, a := range addrs {
			local, err := d.bindAddress(t.Context(), a.Addr())
			if err != nil || local.(*net.TCPAddr).AddrPort() != netip.AddrPortFrom(a.Addr(), 0) {
				t.Errorf("bind address for %s: %v %v", a, local, err)
			}
		}
		cfg.HostName = "nowhere"
		var unknown *ResolveError
		var dns *net.DNSError
		if _, err := d.resolve(t.Context()); !errors.As(err, &unknown) || !errors.As(err, &dns) || !dns.IsNotFound {
			t.Errorf("a name that does not exist: %v", err)
		}
	}
}
