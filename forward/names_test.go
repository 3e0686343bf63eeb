package forward

import (
	"fmt"
	"net"
	"testing"

	"github.com/gossh-project/gossh/internal/nss"
	"github.com/gossh-project/gossh/internal/testenv"
)

// TestNamesOfOtherSources: bind addresses and targets of this side take names
// that only the C library knows.
func TestNamesOfOtherSources(t *testing.T) {
	switchFile, getent, _ := testenv.FakeGetent(t, "hosts: files virt\n", `
while [ "${1#--}" != "$1" ]; do shift; done
case "$1 $2" in
"ahosts guest") printf '127.0.0.1 STREAM guest\n::1 STREAM\n';;
"ahostsv4 guest") echo 127.0.0.1 STREAM guest;;
*) exit 2;;
esac
`)
	opts := Options{names: nss.Resolver{SwitchFile: switchFile, Getent: getent}}
	for network, want := range map[string]string{"": "[{tcp4 127.0.0.1} {tcp6 ::1}]", "tcp4": "[{tcp4 127.0.0.1}]"} {
		opts.Network = network
		binds, err := bindAddrs(t.Context(), Addr{Host: "guest"}, opts)
		if got := fmt.Sprint(binds); err != nil || got != want {
			t.Errorf("%q: listen on %s %v, want %s", network, got, err, want)
		}
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	c, err := opts.dial(t.Context(), opts.network(), net.JoinHostPort("guest", port))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
