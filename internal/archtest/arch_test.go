// Package archtest holds the tree to docs/architecture.md: which room may
// import which, who may end the process, and what a package may keep. It reads
// the sources of all platforms, not just of the one that the test runs on.
package archtest

import (
	"os"
	"testing"
)

const module = "github.com/gossh-project/gossh"

// maxLines is the longest that a file may be, tests excepted.
const maxLines = 500

// layers are the rooms, from the top; a room may import those of the layers
// below its own. Every folder with Go files has to have a place here.
var layers = [...][]string{
	{"cmd/gossh"},
	{"internal/cli"},
	{"internal/cli/share", "internal/cli/reconnect"},
	{"internal/cli/backchannel", "internal/cli/keyboard", "internal/cli/task"},
	{"internal/cli/prompt"},
	{"internal/cli/process"},
	{"internal/cli/message"},
	{"client", "mux", "sshconfig", "internal/terminal"},
	{"session", "forward", "agentfwd", "hostkey", "keepalive", "x11fwd"},
	{"connection", "userauth", "internal/xssh"},
	{"transport"},
	{"internal/sshkey"},
	{"internal/nss", "internal/shellexec", "internal/keyhelper", "internal/wipe", "internal/cause"},
	{"internal/wire", "internal/pattern"},
}

// besides are the arrows that go to the same layer, or to a room of tests.
var besides = [...]struct{ from, to, file, reason string }{
	{"client", "sshconfig", "", "Dial takes whatever ssh_config says"},
	{"client", "mux", "", "a live control socket is a way to a connection"},
	{"internal/cli", "sshtest", "demo.go", "the demonstration runs the server of the tests"},
	{"mux", "internal/terminal", "harness_test.go", "the descriptors that the program passes, for tests alone"},
	{"sshtest", "sshtest/faultnet", "", "connections in memory"},
	{"sshtest", "internal/rawssh", "", "messages that x/crypto cannot be made to send"},
	{"sshtest/opensshd", "sshtest", "", "keys"},
}

// testRooms are for tests: a test of any room may import them.
var testRooms = [...]string{
	"sshtest", "sshtest/faultnet", "sshtest/opensshd", "internal/rawssh", "internal/testenv",
}

// tools stand beside the house; nobody imports them.
var tools = [...]string{"examples/sftp", "integration_test", "bench", "regress", "scripts/testreport", "internal/archtest"}

// modules are those of others, with the rooms that may import them outside
// tests; no rooms: all.
var modules = [...]struct {
	path  string
	rooms []string
}{
	{"golang.org/x/crypto", nil},
	{"golang.org/x/sys", nil},
	{"golang.org/x/term", nil},
	{"github.com/dchest/bcrypt_pbkdf", []string{"internal/sshkey"}},
	{"github.com/creack/pty", []string{"sshtest", "sshtest/opensshd"}},
	{"go.uber.org/goleak", []string{"none, tests alone"}},
	{"github.com/pkg/sftp", []string{"none, tests alone"}},
}

// excepted are package variables that the rule about them would refuse.
var excepted = [...]struct{ name, reason string }{
	{"forward.noOrigin", "a netip.AddrPort, which nobody can change in part"},
	{"forward.socksGreeted", "a result that is compared and never looked into"},
}

// TestArchitecture is the test of the tree; the others test the checker.
func TestArchitecture(t *testing.T) {
	found, err := check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}
