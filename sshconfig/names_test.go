package sshconfig

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/internal/nss"
	"github.com/gossh-project/gossh/internal/testenv"
)

// TestUsersAndNamesOfOtherSources: the local user, ~user and canonical names
// may be known to the C library alone.
func TestUsersAndNamesOfOtherSources(t *testing.T) {
	uid := strconv.Itoa(os.Getuid())
	switchFile, getent, calls := testenv.FakeGetent(t, "passwd: files sss\nhosts: files virt\n", `
while [ "${1#--}" != "$1" ]; do shift; done
case "$1 $2" in
"passwd `+uid+`") echo 'ann:*:`+uid+`:1::/net/home/ann:/bin/sh';;
"passwd bob") echo 'bob:*:2002:2002::/net/home/bob:/bin/sh';;
"ahosts guest.test."|"ahostsv4 guest.test.") echo 192.0.2.7 STREAM real.virt;;
*) exit 2;;
esac
`)
	file := filepath.Join(t.TempDir(), "config")
	text := `
IdentityFile ~/key
IdentityFile ~bob/key
IdentityFile %d/%u
CanonicalizeHostname yes
CanonicalDomains nowhere.test test
CanonicalizePermittedCNAMEs *.test:*.virt
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLoader(t.Context(), Options{UserFile: file})
	l.nss = nss.Resolver{SwitchFile: switchFile, Getent: getent, PasswdFile: os.DevNull}
	c, err := l.load("guest")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range c.IdentityFile {
		keys = append(keys, f.Path)
	}
	if got, want := strings.Join(keys, " "), "/net/home/ann/key /net/home/bob/key /net/home/ann/ann"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
	if c.User != "ann" || c.HostName != "real.virt" {
		t.Errorf("user %s, host %s; asked %q", c.User, c.HostName, calls())
	}
}
