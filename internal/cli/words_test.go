package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// at is a connection that ended at a phase.
func at(phase client.Phase, err error) error {
	return &client.ConnError{Phase: phase, Host: "web", Port: 22, Address: "192.0.2.1", Err: err}
}

// opErr is how package net wraps the kernel's errors.
func opErr(err error) error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
}

// TestWords: each error becomes these lines and this status. Where a line is
// ssh's, the integration tests compare it with the real one.
func TestWords(t *testing.T) {
	offending := hostkey.Location{File: "/k", Line: 3, KeyType: "ED25519"}
	for _, test := range []struct {
		name   string
		err    error
		status int // 0: 255
		want   string
	}{
		{"status", &session.ExitError{Status: 3}, 3, ""},
		{"status of a byte", &session.ExitError{Status: 256 + 7}, 7, ""},
		{"status -1", &session.ExitError{Status: 0xffffffff}, 255, ""},
		{"wrapped status", fmt.Errorf("x: %w", &session.ExitError{Status: 3}), 3, ""},
		{"signal", &session.ExitError{Signal: "SEGV", Core: true}, 255, ""},
		{"line", linef("a %s", "line"), 255, "a line"},
		{"config", &sshconfig.Error{Problems: []sshconfig.Problem{{Text: "f line 1: a", Level: sshconfig.LogError}, {Text: "b", Level: sshconfig.LogFatal}}}, 255, "f line 1: a|b"},
		{"user name", &client.TargetError{What: "user name"}, 255, "remote username contains invalid characters"},
		{"host name", &client.TargetError{What: "host name"}, 255, "hostname contains invalid characters"},

		{"refused", at(client.PhaseConnect, opErr(syscall.ECONNREFUSED)), 255, "ssh: connect to host web port 22: Connection refused"},
		{"unreachable", at(client.PhaseConnect, opErr(syscall.EHOSTUNREACH)), 255, "ssh: connect to host web port 22: No route to host"},
		{"connect timed out", at(client.PhaseConnect, client.ErrTimeout), 255, "ssh: connect to host web port 22: Connection timed out"},
		{"kernel's time-out", at(client.PhaseConnect, opErr(syscall.ETIMEDOUT)), 255, "ssh: connect to host web port 22: Connection timed out"},
		{"banner timed out", at(client.PhaseBanner, client.ErrTimeout), 255, "Connection timed out during banner exchange|Connection to 192.0.2.1 port 22 timed out"},
		{"kex timed out", at(client.PhaseKex, client.ErrTimeout), 255, "Connection to 192.0.2.1 port 22 timed out"},
		{"closed at banner", at(client.PhaseBanner, io.EOF), 255,
			"kex_exchange_identification: Connection closed by remote host|Connection closed by 192.0.2.1 port 22"},
		{"reset at banner", at(client.PhaseBanner, opErr(syscall.ECONNRESET)), 255,
			"kex_exchange_identification: read: Connection reset by peer|Connection reset by 192.0.2.1 port 22"},
		{"closed at kex", at(client.PhaseKex, io.ErrUnexpectedEOF), 255, "Connection closed by 192.0.2.1 port 22"},
		{"broken pipe at auth", at(client.PhaseAuth, opErr(syscall.EPIPE)), 255, "Connection closed by 192.0.2.1 port 22"},
		{"nonsense at kex", at(client.PhaseKex, errors.New("ssh: handshake failed: ssh: nonsense\x1b[2J")), 255,
			`Connection to 192.0.2.1 port 22: nonsense\033[2J`},
		{"an old server", at(client.PhaseBanner, &client.VersionError{Line: "SSH-1.5-x", Major: 1}), 255,
			"Protocol major versions differ: 2 vs. 1|banner exchange: Connection to 192.0.2.1 port 22: could not read protocol version"},
		{"no version", at(client.PhaseBanner, &client.VersionError{Line: "SSH-2.0\x1b"}), 255,
			`Bad remote protocol version identification: 'SSH-2.0\033'|banner exchange: Connection to 192.0.2.1 port 22: invalid format`},
		{"no common cipher", at(client.PhaseKex, &ssh.AlgorithmNegotiationError{What: "client to server cipher", RequestedAlgorithms: []string{"a", "b"}}), 255,
			"Unable to negotiate with 192.0.2.1 port 22: no matching cipher found. Their offer: a,b"},
		{"no common kex", at(client.PhaseKex, &ssh.AlgorithmNegotiationError{What: "key exchange", RequestedAlgorithms: []string{"a"}}), 255,
			"Unable to negotiate with 192.0.2.1 port 22: no matching key exchange method found. Their offer: a"},
		{"no common host key", at(client.PhaseKex, &ssh.AlgorithmNegotiationError{What: "host key"}), 255,
			"Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: "},
		{"behind a proxy", &client.ConnError{Phase: client.PhaseKex, Host: "web", Port: 22, Address: "UNKNOWN", Err: io.EOF}, 255,
			"Connection closed by UNKNOWN port 65535"},
		{"refused by the jump host", at(client.PhaseConnect, &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "Connection refused"}), 255,
			"channel 0: open failed: connect failed: Connection refused|ssh: connect to host web port 22: Connection refused"},
		{"disconnect", at(client.PhaseConnected, &client.DisconnectError{Reason: 2, Message: "bye\a"}), 255,
			`Received disconnect from 192.0.2.1 port 22:2: bye\007|Disconnected from 192.0.2.1 port 22`},
		{"too many keys", &client.ConnError{Phase: client.PhaseAuth, Address: "192.0.2.1", Port: 22, KeysOffered: 6,
			Err: &client.DisconnectError{Reason: 2, Message: "Too many authentication failures"}}, 255,
			"Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures|Disconnected from 192.0.2.1 port 22|" +
				"6 keys were offered: IdentitiesOnly=yes with IdentityFile offers the right one alone."},
		{"peer lost", at(client.PhaseConnected, &keepalive.PeerLostError{}), 255, "Timeout, server web not responding."},
		{"closed", at(client.PhaseConnected, io.EOF), 255, "Connection to web closed by remote host."},
		{"reset", at(client.PhaseConnected, opErr(syscall.ECONNRESET)), 255, "client_loop: send disconnect: Broken pipe"},
		{"corrupted", at(client.PhaseConnected, errors.New("ssh: MAC failure")), 255,
			"Corrupted MAC on input.|ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: message authentication code incorrect"},
		{"corrupted while authenticating", at(client.PhaseAuth, errors.New("cipher: message authentication failed")), 255,
			"Corrupted MAC on input.|ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: message authentication code incorrect"},
		{"corrupted length", at(client.PhaseConnected, errors.New("ssh: max packet length exceeded")), 255,
			"Bad packet length.|ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: Connection corrupted"},
		{"broken", at(client.PhaseConnected, errors.New("ssh: odd")), 255, "Connection to 192.0.2.1 port 22: odd"},

		{"no such host", &client.ResolveError{Host: "web", Err: &net.DNSError{IsNotFound: true}}, 255,
			"ssh: Could not resolve hostname web: Name or service not known"},
		{"no resolver", &client.ResolveError{Host: "web", Err: &net.DNSError{IsTemporary: true}}, 255,
			"ssh: Could not resolve hostname web: Temporary failure in name resolution"},
		{"denied", &client.AuthError{User: "me", Host: "web", Methods: []string{"publickey", "password"},
			Tried: []string{"publickey"}, Keys: []string{"a", "b"}}, 255,
			"me@web: Permission denied (publickey,password).|Tried: publickey (2 offered). The server accepts: publickey, password."},
		{"nothing to offer", &client.AuthError{User: "me", Host: "web", Methods: []string{"password"}}, 255,
			"me@web: Permission denied (password).|Tried: nothing, for there was nothing to offer. The server accepts: password."},
		{"request", &session.RequestError{Request: "subsystem"}, 255, "subsystem request failed on channel 0"},
		{"channel", &ssh.OpenChannelError{Reason: ssh.Prohibited, Message: "no\x9b"}, 255,
			`channel 0: open failed: administratively prohibited: no\233`},
		{"-W", &forward.OpenError{Reason: ssh.ConnectionFailed, Message: "refused"}, 255,
			"channel 0: open failed: connect failed: refused|stdio forwarding failed"},
		{"forward", errForward, 255, ""},
		{"escape", errQuit, 255, ""},
		{"no terminal", errNoTTY, 255, "PTY allocation request failed on channel 0"},
		{"closed by us", client.ErrClosed, 255, ""},
		{"no status", session.ErrNoStatus, 255, ""},
		{"cancelled", context.Canceled, 255, ""},
		{"SIGTERM", &signalError{syscall.SIGTERM}, 255, "Killed by signal 15."},
		{"anything", errors.New("client: odd"), 255, "ssh: odd"},

		{"unknown host", &hostkey.UnknownError{Host: "web", KeyType: "ED25519", Strict: hostkey.StrictYes}, 255,
			"No ED25519 host key is known for web and you have requested strict checking.|Host key verification failed."},
		{"unknown host, not accepted", at(client.PhaseKex, &hostkey.UnknownError{Host: "web", Strict: hostkey.StrictAsk}), 255, "Host key verification failed."},
		{"changed", &hostkey.ChangedError{Host: "web", KeyType: "ED25519", Fingerprint: "SHA256:x", AddTo: "/k", Offending: []hostkey.Location{offending}}, 255,
			bannerLine + "|@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @|" + bannerLine +
				"|IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!|" +
				"Someone could be eavesdropping on you right now (man-in-the-middle attack)!|" +
				"It is also possible that a host key has just been changed.|" +
				"The fingerprint for the ED25519 key sent by the remote host is\nSHA256:x.|Please contact your system administrator.|" +
				"Add correct host key in /k to get rid of this message.|Offending ED25519 key in /k:3|  remove with:|" +
				"  ssh-keygen -f \"/k\" -R \"web\"|Host key for web has changed and you have requested strict checking.|Host key verification failed."},
		{"revoked by file", &hostkey.RevokedError{Host: "web", KeyType: "RSA", Fingerprint: "SHA256:x", File: "/r"}, 255,
			"Host key RSA SHA256:x revoked by file /r|Host key verification failed."},
		{"certificate", &hostkey.CertError{Reason: "Certificate invalid: expired"}, 255, "Certificate invalid: expired|Host key verification failed."},
		{"key size", &hostkey.KeySizeError{Bits: 512, Required: 1024}, 255,
			"server's RSA host key has 512 bits, 1024 are required|Host key verification failed."},
		{"rekey", &hostkey.RekeyError{Accepted: "a", Shown: "b"}, 255,
			"server changed its host key during the connection, from a to b|Host key verification failed."},
		{"revocation list", &hostkey.RevocationListError{File: "/r", KeyType: "RSA", Fingerprint: "SHA256:x", Err: fs.ErrNotExist}, 255,
			"Error checking host key RSA SHA256:x in revoked keys file /r: File does not exist|Host key verification failed."},
		{"command", &hostkey.CommandError{Purpose: hostkey.PurposeOrder, Command: "/x y", Err: fs.ErrPermission}, 255,
			"KnownHostsCommand-ORDER /x y: Permission denied|KnownHostsCommand failed"},
		{"nobody to ask", &hostkey.AskError{Err: io.EOF}, 255, "Host key verification failed."},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, said := newProgram(sshconfig.LogVerbose)
			if test.status == 0 {
				test.status = exitFailure
			}
			if status := p.fail(test.err); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			got := strings.TrimSuffix(strings.ReplaceAll(said.String(), "\r\n", "|"), "|")
			if got != test.want {
				t.Errorf("\ngot  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestWordsQuiet: -q leaves nothing but the status.
func TestWordsQuiet(t *testing.T) {
	for _, err := range []error{
		at(client.PhaseConnect, opErr(syscall.ECONNREFUSED)), linef("x"), io.EOF,
		&hostkey.ChangedError{}, &client.AuthError{}, &client.ResolveError{Err: io.EOF}, &session.ExitError{Signal: "TERM"},
	} {
		p, said := newProgram(sshconfig.LogQuiet)
		if status := p.fail(err); status != exitFailure || said.Len() != 0 {
			t.Errorf("%v: status %d, %q", err, status, said)
		}
	}
}

// TestWordsOfPackets: what ssh's packet layer dies of is told at the usual
// level, and only what led to it may be an error.
func TestWordsOfPackets(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{at(client.PhaseBanner, &client.VersionError{Line: "SSH-1.5-x", Major: 1}), "Protocol major versions differ: 2 vs. 1\r\n"},
		{at(client.PhaseBanner, io.EOF), "kex_exchange_identification: Connection closed by remote host\r\n"},
		{at(client.PhaseKex, errors.New("odd")), ""},
		{at(client.PhaseConnected, errors.New("ssh: MAC failure")), ""},
		{at(client.PhaseConnected, errors.New("odd")), ""},
	} {
		p, said := newProgram(sshconfig.LogError)
		if p.fail(test.err); said.String() != test.want {
			t.Errorf("%v: %q, want %q", test.err, said, test.want)
		}
	}
}

// TestWordsUsage: the usage goes to standard error, whatever the LogLevel.
func TestWordsUsage(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{errUsage, "usage: ssh "},
		{&usageError{"why"}, "why\r\nusage: ssh "},
		{sshconfig.ErrUsage, "usage: ssh "},
		{&client.TargetError{What: "destination"}, "usage: ssh "},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p, _ := newProgram(sshconfig.LogInfo)
		p.std.Stderr, p.console = f, newConsole(f)
		status := p.fail(test.err)
		text, _ := os.ReadFile(f.Name())
		if status != exitFailure || !strings.HasPrefix(string(text), test.want) {
			t.Errorf("%v: status %d, %q", test.err, status, text)
		}
	}
}
