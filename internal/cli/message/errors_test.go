package message

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
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

// at returns the error of a connection that ended at a phase.
func at(phase client.Phase, err error) error {
	return &client.ConnError{Phase: phase, Host: "web", Port: 22, Address: "192.0.2.1", Err: err}
}

// opErr wraps an error of the kernel like package net.
func opErr(err error) error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
}

// TestWords checks the lines for each error. The integration tests compare them with
// the real ssh's.
func TestWords(t *testing.T) {
	offending := hostkey.Location{File: "/k", Line: 3, KeyType: "ED25519"}
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"status", &session.ExitError{Status: 3}, ""},
		{"status of a byte", &session.ExitError{Status: 256 + 7}, ""},
		{"status -1", &session.ExitError{Status: 0xffffffff}, ""},
		{"wrapped status", fmt.Errorf("x: %w", &session.ExitError{Status: 3}), ""},
		{"signal", &session.ExitError{Signal: "SEGV", Core: true}, ""},
		{"line", Errorf("a %s", "line"), "a line"},
		{"config", &sshconfig.Error{Problems: []sshconfig.Problem{{Text: "f line 1: a", Level: sshconfig.LogError}, {Text: "b", Level: sshconfig.LogFatal}}}, "f line 1: a|b"},
		{"user name", &client.TargetError{What: "user name"}, "remote username contains invalid characters"},
		{"host name", &client.TargetError{What: "host name"}, "hostname contains invalid characters"},

		{"refused", at(client.PhaseConnect, opErr(syscall.ECONNREFUSED)), "ssh: connect to host web port 22: Connection refused"},
		{"unreachable", at(client.PhaseConnect, opErr(syscall.EHOSTUNREACH)), "ssh: connect to host web port 22: No route to host"},
		{"connect timed out", at(client.PhaseConnect, client.ErrTimeout), "ssh: connect to host web port 22: Connection timed out"},
		{"kernel's time-out", at(client.PhaseConnect, opErr(syscall.ETIMEDOUT)), "ssh: connect to host web port 22: Connection timed out"},
		{"banner timed out", at(client.PhaseBanner, client.ErrTimeout), "Connection timed out during banner exchange|Connection to 192.0.2.1 port 22 timed out"},
		{"kex timed out", at(client.PhaseKex, client.ErrTimeout), "Connection to 192.0.2.1 port 22 timed out"},
		{"closed at banner", at(client.PhaseBanner, io.EOF),
			"kex_exchange_identification: Connection closed by remote host|Connection closed by 192.0.2.1 port 22"},
		{"reset at banner", at(client.PhaseBanner, opErr(syscall.ECONNRESET)),
			"kex_exchange_identification: read: Connection reset by peer|Connection reset by 192.0.2.1 port 22"},
		{"closed at kex", at(client.PhaseKex, io.ErrUnexpectedEOF), "Connection closed by 192.0.2.1 port 22"},
		{"broken pipe at auth", at(client.PhaseAuth, opErr(syscall.EPIPE)), "Connection closed by 192.0.2.1 port 22"},
		{"nonsense at kex", at(client.PhaseKex, errors.New("ssh: handshake failed: ssh: nonsense\x1b[2J")),
			`Connection to 192.0.2.1 port 22: nonsense\033[2J`},
		{"an old server", at(client.PhaseBanner, &client.VersionError{Line: "SSH-1.5-x", Major: 1}),
			"Protocol major versions differ: 2 vs. 1|banner exchange: Connection to 192.0.2.1 port 22: could not read protocol version"},
		{"no version", at(client.PhaseBanner, &client.VersionError{Line: "SSH-2.0\x1b"}),
			`Bad remote protocol version identification: 'SSH-2.0\033'|banner exchange: Connection to 192.0.2.1 port 22: invalid format`},
		{"no common cipher", at(client.PhaseKex, &ssh.AlgorithmNegotiationError{What: "client to server cipher", RequestedAlgorithms: []string{"a", "b"}}),
			"Unable to negotiate with 192.0.2.1 port 22: no matching cipher found. Their offer: a,b"},
		{"no common kex", at(client.PhaseKex, &ssh.AlgorithmNegotiationError{What: "key exchange", RequestedAlgorithms: []string{"a"}}),
			"Unable to negotiate with 192.0.2.1 port 22: no matching key exchange method found. Their offer: a"},
		{"no common host key", at(client.PhaseKex, &ssh.AlgorithmNegotiationError{What: "host key"}),
			"Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: "},
		{"behind a proxy", &client.ConnError{Phase: client.PhaseKex, Host: "web", Port: 22, Address: "UNKNOWN", Err: io.EOF},
			"Connection closed by UNKNOWN port 65535"},
		{"refused by the jump host", at(client.PhaseConnect, &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "Connection refused"}),
			"channel 0: open failed: connect failed: Connection refused|ssh: connect to host web port 22: Connection refused"},
		{"disconnect", at(client.PhaseConnected, &client.DisconnectError{Reason: 2, Message: "bye\a"}),
			`Received disconnect from 192.0.2.1 port 22:2: bye\007|Disconnected from 192.0.2.1 port 22`},
		{"too many keys", &client.ConnError{Phase: client.PhaseAuth, Address: "192.0.2.1", Port: 22, KeysOffered: 6,
			Err: &client.DisconnectError{Reason: 2, Message: "Too many authentication failures"}},
			"Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures|Disconnected from 192.0.2.1 port 22|" +
				"6 keys were offered: IdentitiesOnly=yes with IdentityFile offers the right one alone."},
		{"peer lost", at(client.PhaseConnected, &keepalive.PeerLostError{}), "Timeout, server web not responding."},
		{"closed", at(client.PhaseConnected, io.EOF), "Connection to web closed by remote host."},
		{"reset", at(client.PhaseConnected, opErr(syscall.ECONNRESET)), "client_loop: send disconnect: Broken pipe"},
		{"corrupted", at(client.PhaseConnected, errors.New("ssh: MAC failure")),
			"Corrupted MAC on input.|ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: message authentication code incorrect"},
		{"corrupted while authenticating", at(client.PhaseAuth, errors.New("cipher: message authentication failed")),
			"Corrupted MAC on input.|ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: message authentication code incorrect"},
		{"corrupted length", at(client.PhaseConnected, errors.New("ssh: max packet length exceeded")),
			"Bad packet length.|ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: Connection corrupted"},
		{"broken", at(client.PhaseConnected, errors.New("ssh: odd")), "Connection to 192.0.2.1 port 22: odd"},

		{"no such host", &client.ResolveError{Host: "web", Err: &net.DNSError{IsNotFound: true}},
			"ssh: Could not resolve hostname web: Name or service not known"},
		{"no resolver", &client.ResolveError{Host: "web", Err: &net.DNSError{IsTemporary: true}},
			"ssh: Could not resolve hostname web: Temporary failure in name resolution"},
		{"denied", &client.AuthError{User: "me", Host: "web", Methods: []string{"publickey", "password"},
			Tried: []string{"publickey"}, Keys: []string{"a", "b"}},
			"me@web: Permission denied (publickey,password).|Tried: publickey (2 offered). The server accepts: publickey, password."},
		{"nothing to offer", &client.AuthError{User: "me", Host: "web", Methods: []string{"password"}},
			"me@web: Permission denied (password).|Tried: nothing, for there was nothing to offer. The server accepts: password."},
		{"request", &session.RequestError{Request: "subsystem"}, "subsystem request failed on channel 0"},
		{"channel", &ssh.OpenChannelError{Reason: ssh.Prohibited, Message: "no\x9b"},
			`channel 0: open failed: administratively prohibited: no\233`},
		{"-W", &forward.OpenError{Reason: ssh.ConnectionFailed, Message: "refused"},
			"channel 0: open failed: connect failed: refused|stdio forwarding failed"},
		{"forward", ErrForward, ""},
		{"escape", ErrQuit, ""},
		{"no terminal", ErrNoTTY, "PTY allocation request failed on channel 0"},
		{"closed by us", client.ErrClosed, ""},
		{"no status", session.ErrNoStatus, ""},
		{"cancelled", context.Canceled, ""},
		{"SIGTERM", &SignalError{syscall.SIGTERM}, "Killed by signal 15."},
		{"anything", errors.New("client: odd"), "ssh: odd"},

		{"unknown host", &hostkey.UnknownError{Host: "web", KeyType: "ED25519", Strict: hostkey.StrictYes},
			"No ED25519 host key is known for web and you have requested strict checking.|Host key verification failed."},
		{"unknown host, not accepted", at(client.PhaseKex, &hostkey.UnknownError{Host: "web", Strict: hostkey.StrictAsk}), "Host key verification failed."},
		{"changed", &hostkey.ChangedError{Host: "web", KeyType: "ED25519", Fingerprint: "SHA256:x", AddTo: "/k", Offending: []hostkey.Location{offending}},
			bannerLine + "|@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @|" + bannerLine +
				"|IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!|" +
				"Someone could be eavesdropping on you right now (man-in-the-middle attack)!|" +
				"It is also possible that a host key has just been changed.|" +
				"The fingerprint for the ED25519 key sent by the remote host is\nSHA256:x.|Please contact your system administrator.|" +
				"Add correct host key in /k to get rid of this message.|Offending ED25519 key in /k:3|  remove with:|" +
				"  ssh-keygen -f \"/k\" -R \"web\"|Host key for web has changed and you have requested strict checking.|Host key verification failed."},
		{"revoked by file", &hostkey.RevokedError{Host: "web", KeyType: "RSA", Fingerprint: "SHA256:x", File: "/r"},
			"Host key RSA SHA256:x revoked by file /r|Host key verification failed."},
		{"certificate", &hostkey.CertError{Reason: "Certificate invalid: expired"}, "Certificate invalid: expired|Host key verification failed."},
		{"key size", &hostkey.KeySizeError{Bits: 512, Required: 1024},
			"server's RSA host key has 512 bits, 1024 are required|Host key verification failed."},
		{"rekey", &hostkey.RekeyError{Accepted: "a", Shown: "b"},
			"server changed its host key during the connection, from a to b|Host key verification failed."},
		{"revocation list", &hostkey.RevocationListError{File: "/r", KeyType: "RSA", Fingerprint: "SHA256:x", Err: fs.ErrNotExist},
			"Error checking host key RSA SHA256:x in revoked keys file /r: File does not exist|Host key verification failed."},
		{"command", &hostkey.CommandError{Purpose: hostkey.PurposeOrder, Command: "/x y", Err: fs.ErrPermission},
			"KnownHostsCommand-ORDER /x y: Permission denied|KnownHostsCommand failed"},
		{"no answer", &hostkey.AskError{Err: io.EOF}, "Host key verification failed."},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, printed := newPrinter(sshconfig.LogVerbose)
			p.Failure(test.err)
			got := strings.TrimSuffix(strings.ReplaceAll(printed.String(), "\r\n", "|"), "|")
			if got != test.want {
				t.Errorf("\ngot  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestWordsQuiet checks that -q prints nothing.
func TestWordsQuiet(t *testing.T) {
	for _, err := range []error{
		at(client.PhaseConnect, opErr(syscall.ECONNREFUSED)), Errorf("x"), io.EOF,
		&hostkey.ChangedError{}, &client.AuthError{}, &client.ResolveError{Err: io.EOF}, &session.ExitError{Signal: "TERM"},
	} {
		p, printed := newPrinter(sshconfig.LogQuiet)
		if p.Failure(err); printed.Len() != 0 {
			t.Errorf("%v: %q", err, printed)
		}
	}
}

// TestWordsOfPackets checks that errors of ssh's packet layer are printed at INFO,
// and only their cause at ERROR.
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
		p, printed := newPrinter(sshconfig.LogError)
		if p.Failure(test.err); printed.String() != test.want {
			t.Errorf("%v: %q, want %q", test.err, printed, test.want)
		}
	}
}

// TestWordsUsage checks that the usage is printed at every LogLevel.
func TestWordsUsage(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{ErrUsage, "usage: ssh "},
		{&UsageError{"why"}, "why\r\nusage: ssh "},
		{sshconfig.ErrUsage, "usage: ssh "},
		{&client.TargetError{What: "destination"}, "usage: ssh "},
	} {
		stderr := new(bytes.Buffer)
		p := &Printer{Console: NewConsole(stderr), Program: "ssh"}
		p.Failure(test.err)
		if text := stderr.String(); !strings.HasPrefix(text, test.want) {
			t.Errorf("%v: %q", test.err, text)
		}
	}
}

// newPrinter returns a Printer that prints to a buffer.
func newPrinter(level sshconfig.LogLevel) (*Printer, *bytes.Buffer) {
	printed := new(bytes.Buffer)
	p := &Printer{Console: NewConsole(printed), Program: "ssh", Config: new(sshconfig.Config)}
	p.SetLevel(level)
	return p, printed
}
