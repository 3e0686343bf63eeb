//go:build linux

package integration_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// The range of closedPort is below the ports that the kernel assigns, which begin
// at 32768 on Linux: what is not bound there stays unbound.
const lowestPort, highestPort = 12000, 32000

// portsTaken counts the ports that closedPort has tried. Each process begins at
// a different port.
var portsTaken atomic.Uint32

// closedPort returns a port on which nothing listens, by IPv4 or IPv6, and
// that no other program will take.
func closedPort(t *testing.T) int {
	t.Helper()
	for range highestPort - lowestPort {
		next := uint32(os.Getpid())*7919 + portsTaken.Add(1)
		port := lowestPort + int(next%(highestPort-lowestPort))
		if free("tcp4", fmt.Sprintf("127.0.0.1:%d", port)) && free("tcp6", fmt.Sprintf("[::1]:%d", port)) {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// free reports whether an address can be listened on. It reports true for a
// family that the machine does not have.
func free(network, addr string) bool {
	ln, err := net.Listen(network, addr)
	if err == nil {
		ln.Close()
	}
	return !errors.Is(err, syscall.EADDRINUSE)
}

// TestMessages compares error messages with those of ssh. sameWords removes the
// differences that are on purpose.
func TestMessages(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{HostKeys: []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256}})
	other, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	none := w.write("no_hosts", "")
	changed := w.write("changed_hosts", "# a comment\nsshd "+string(ssh.MarshalAuthorizedKey(other.PublicKey())))
	revoked := w.write("revoked_hosts", "@revoked sshd "+string(ssh.MarshalAuthorizedKey(w.srv.HostKeys[0]))+
		"@revoked sshd "+string(ssh.MarshalAuthorizedKey(w.srv.HostKeys[1])))
	broken := w.write("broken_config", "Host *\nNoSuchKeyword yes\nPort 22\nAnother one\n")
	value := w.write("value_config", "Port ninety\n")
	open := w.write("open_config", "Port 22\n")
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	wrongKey := w.keygen("wrong", "-t", "ed25519")
	port := fmt.Sprint(closedPort(t))
	for name, args := range map[string][]string{
		"permission denied":       {"-i", wrongKey, "-o", "IdentityFile=" + wrongKey, "-F", w.configWithout("IdentityFile"), "sshd", "true"},
		"no method":               {"-o", "PubkeyAuthentication=no", "sshd", "true"},
		"no such host":            {"no-such-host..invalid", "true"},
		"refused":                 {"-p", port, "sshd", "true"},
		"refused by name":         {"-p", port, "localhost", "true"},
		"unknown host":            {"-o", "UserKnownHostsFile=" + none, "sshd", "true"},
		"unknown host, asks":      {"-o", "UserKnownHostsFile=" + none, "-o", "StrictHostKeyChecking=ask", "sshd", "true"},
		"unknown host, no batch":  {"-o", "UserKnownHostsFile=" + none, "-o", "StrictHostKeyChecking=ask", "-o", "BatchMode=no", "sshd", "true"},
		"changed key":             {"-o", "UserKnownHostsFile=" + changed, "sshd", "true"},
		"changed key, tolerated":  {"-o", "UserKnownHostsFile=" + changed, "-o", "StrictHostKeyChecking=no", "sshd", "true"},
		"revoked key":             {"-o", "UserKnownHostsFile=" + revoked, "sshd", "true"},
		"unknown keywords":        {"-F", broken, "sshd", "true"},
		"bad value":               {"-F", value, "sshd", "true"},
		"bad -o":                  {"-o", "NoSuchKeyword=1", "sshd", "true"},
		"bad -o value":            {"-o", "Port=x", "sshd", "true"},
		"-o without value":        {"-o", "Port", "sshd", "true"},
		"no config file":          {"-F", w.path("none"), "sshd", "true"},
		"bad port":                {"-p", "0", "sshd", "true"},
		"bad cipher":              {"-c", "rot13", "sshd", "true"},
		"bad escape":              {"-e", "ab", "sshd", "true"},
		"bad forward":             {"-L", "x", "sshd", "true"},
		"bad -R":                  {"-R", "1:2:x", "sshd", "true"},
		"bad -D":                  {"-D", "x", "sshd", "true"},
		"bad -W":                  {"-W", "x", "sshd"},
		"bad -J":                  {"-J", "a b", "sshd", "true"},
		"bad user":                {"-l", "a;b", "sshd", "true"},
		"bad host":                {"-l", "a", "a`b`", "true"},
		"two jumps":               {"-J", "a", "-J", "b", "sshd", "true"},
		"fork without a command":  {"-f", "sshd"},
		"subsystem without name":  {"-s", "sshd"},
		"two commands":            {"-o", "RemoteCommand=true", "sshd", "true"},
		"missing identity":        {"-i", w.path("missing"), "sshd", "true"},
		"bad log level":           {"-o", "LogLevel=LOUD", "sshd", "true"},
		"bad query":               {"-Q", "nothing"},
		"no common cipher":        {"-o", "Ciphers=3des-cbc", "-p", fmt.Sprint(w.srv.Port), "sshd", "true"},
		"tty without a terminal":  {"-t", "sshd", "echo out"},
		"shell without terminal":  {"sshd"},
		"protocol 1":              {"-1", "sshd", "true"},
		"nowhere":                 {"-o", "HostName=127.0.0.1", "-p", port, "-o", "ConnectTimeout=5", "sshd", "true"},
		"server of protocol 1":    {"-o", `ProxyCommand=sh -c "printf 'a line\nSSH-1.5-Old\r\n'; cat >/dev/null"`, "sshd", "true"},
		"server of protocol 3":    {"-o", `ProxyCommand=sh -c "printf 'SSH-3.0-New\n'; cat >/dev/null"`, "sshd", "true"},
		"version without name":    {"-o", `ProxyCommand=sh -c "printf 'SSH-2.0-\r\n'; cat >/dev/null"`, "sshd", "true"},
		"proxy command fails":     {"-o", "ProxyCommand=exit 1", "sshd", "true"},
		"proxy command not there": {"-o", "ProxyCommand=no-such-command", "sshd", "true"},
		"setenv and remote":       {"-o", "SetEnv=A=1", "sshd", "exit 9"},
		"local forward taken":     {"-L", fmt.Sprintf("127.0.0.1:%d:x:1", w.srv.Port), "sshd", "exit 3"},
		"exit on forward failure": {"-o", "ExitOnForwardFailure=yes", "-L", fmt.Sprintf("127.0.0.1:%d:x:1", w.srv.Port), "sshd", "exit 3"},
		"remote forward taken":    {"-R", fmt.Sprintf("127.0.0.1:%d:x:1", w.srv.Port), "sshd", "exit 3"},
		"remote taken, exit":      {"-o", "ExitOnForwardFailure=yes", "-R", fmt.Sprintf("127.0.0.1:%d:x:1", w.srv.Port), "sshd", "exit 3"},
		"dynamic forward taken":   {"-D", fmt.Sprintf("127.0.0.1:%d", w.srv.Port), "sshd", "exit 3"},
		"one local of two taken":  {"-L", "127.0.0.1:0:x:1", "-L", fmt.Sprintf("127.0.0.1:%d:x:1", w.srv.Port), "sshd", "exit 3"},
		"quiet":                   {"-q", "-p", port, "sshd", "true"},
		"quiet, denied":           {"-q", "-o", "PubkeyAuthentication=no", "sshd", "true"},
		"stdio forward refused":   {"-W", "127.0.0.1:" + port, "sshd"},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.at(t)
			got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
			got.stderr, want.stderr = sameWords(got.stderr), sameWords(want.stderr)
			compare(t, name, got, want)
		})
	}
}

// sameWords takes out what differs on purpose:
//   - ssh ends the lines about its arguments in \n, all others in \r\n;
//   - a jump host of ssh's is a process of its own, after whose message comes
//     that of the one that waited for it;
//   - a line tells what was tried, where ssh leaves it to -v;
//   - a ProxyCommand that ends at once is met in a write by ssh, if it is late;
//   - the usage has options that 9.2 did not have.
func sameWords(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text, _, _ = strings.Cut(text, "usage: ")
	text, _, _ = strings.Cut(text, "Tried: ")
	text = strings.ReplaceAll(text, "banner exchange: Connection to UNKNOWN port 65535: Broken pipe\n",
		"kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535\n")
	text = weakWarning.ReplaceAllString(text, "")
	text = includedFrom.ReplaceAllString(text, "$1")
	if strings.HasPrefix(text, "ssh: ") || strings.HasPrefix(text, "gossh: ") {
		text, _, _ = strings.Cut(text, "kex_exchange_identification: Connection closed by remote host\n")
	}
	return text
}

// What ssh 10 says and 9.2 does not: the warning of a key exchange that is not
// post-quantum, and where a file was included that cannot be read.
var (
	weakWarning  = regexp.MustCompile(`(?m)^\*\* .*\n`)
	includedFrom = regexp.MustCompile(`(?m)^.* line \d+: (Can't open user config file )`)
)

// keygen makes a key in home and returns its path.
func (w *world) keygen(name string, args ...string) string {
	w.t.Helper()
	need(w.t, "ssh-keygen")
	cmd := exec.Command("ssh-keygen", append([]string{"-q", "-N", "", "-C", name, "-f", w.path(name)}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("ssh-keygen %q: %v\n%s", args, err, out)
	}
	return w.path(name)
}

// configWithout is the server's configuration less the lines of a keyword.
func (w *world) configWithout(keyword string, more ...string) string {
	var b strings.Builder
	for line := range strings.Lines(w.srv.ConfigText()) {
		if !strings.HasPrefix(strings.TrimSpace(line), keyword+" ") {
			b.WriteString(line)
		}
	}
	return w.write("config_without_"+keyword, b.String()+strings.Join(more, "\n"))
}

func TestUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pre = nil
	for _, args := range [][]string{{}, {"-z"}, {"-p"}, {"-F", "none"}, {"--"}, {"ssh://host:port/"}} {
		got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
		if got.status != 255 || want.status != 255 || got.stdout != "" || !strings.Contains(got.stderr, "usage: gossh [-46") {
			t.Errorf("%q: %v\nssh: %v", args, got, want)
		}
	}
	if o := w.run(w.gossh("-V")); o.status != 0 || o.stdout != "" || !strings.Contains(o.stderr, "OpenSSH_") {
		t.Errorf("-V: %v", o)
	}
}
