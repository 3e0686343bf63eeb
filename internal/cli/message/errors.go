package message

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/xssh"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/transport"
)

// Failure prints what err means to a person. Some errors have no words: the
// exit status of the remote program, for one.
func (p *Printer) Failure(err error) {
	var auth *client.AuthError
	var exit *session.ExitError
	var log *LogFileError
	var broken *client.ConnError
	var killed *SignalError
	switch {
	case errors.As(err, &auth): // whatever its Errs match
		p.failAuth(auth)
	case errors.As(err, &exit):
		p.exitSignal(exit)
	case errors.As(err, &log):
		p.Plain(log.Error())
	case p.failUsage(err), p.failHostKey(err):
	case errors.As(err, &killed):
		p.Printf(sshconfig.LogVerbose, "Killed by signal %d.", killed.Number())
	case errors.As(err, &broken) && IsRefusal(broken):
		p.failOther(broken.Err)
	case errors.As(err, &broken):
		p.failConn(broken)
	default:
		p.failOther(err)
	}
}

// IsRefusal reports whether a Dial failed for another reason than the network:
// the configuration, a name without an address, the host key, authentication,
// or the end of the context.
func IsRefusal(e *client.ConnError) bool {
	var auth *client.AuthError
	var resolve *client.ResolveError
	return e.Phase == client.PhaseConfig || errors.As(e.Err, &auth) || errors.As(e.Err, &resolve) ||
		errors.Is(e.Err, hostkey.ErrVerification) || errors.Is(e.Err, context.Canceled)
}

// exitSignal prints which signal ended the remote program.
func (p *Printer) exitSignal(exit *session.ExitError) {
	if exit.Signal == "" {
		return
	}
	core := ""
	if exit.Core {
		core = " (core dumped)"
	}
	p.Debugf("client_input_channel_req: exit-signal %s%s", exit.Signal, core)
}

// failUsage reports whether err is about the command line or the configuration,
// and prints it if so.
func (p *Printer) failUsage(err error) bool {
	var line *Error
	var config *sshconfig.Error
	var target *client.TargetError
	switch {
	case errors.Is(err, ErrUsage), errors.Is(err, sshconfig.ErrUsage):
		var why *UsageError
		if errors.As(err, &why) {
			p.Infof("%s", why.Line)
		}
		p.usage()
	case errors.As(err, &line):
		p.Fatalf("%s", line.Line)
	case errors.As(err, &config):
		for _, l := range config.Problems {
			p.ConfigLine(l)
		}
		if config.Usage {
			p.usage()
		}
	case errors.As(err, &target) && target.What == "destination":
		p.usage()
	case errors.As(err, &target):
		what := "hostname"
		if target.What == "user name" {
			what = "remote username"
		}
		p.Fatalf("%s contains invalid characters", what)
	default:
		return false
	}
	return true
}

// failConn prints why a connection could not be made, or why it ended. Errors of
// ssh's packet layer are printed at INFO (its logdie), not at FATAL.
func (p *Printer) failConn(e *client.ConnError) {
	var lost *keepalive.PeerLostError
	var disconnect *client.DisconnectError
	var negotiation *ssh.AlgorithmNegotiationError
	var version *client.VersionError
	var refused *ssh.OpenChannelError // by the jump host
	var program *fs.PathError
	switch where := fmt.Sprintf("%s port %d", e.Address, portOf(e)); {
	case errors.Is(e.Err, client.ErrNoDescriptor):
		p.Fatalf("proxy dialer did not pass back a connection")
	case errors.As(e.Err, &refused):
		p.Errorf("channel 0: open failed: %s: %s", refused.Reason, refused.Message)
		p.Errorf("%s: connect to host %s port %d: %s", p.Program, e.Peer(), e.Port, cmp.Or(refused.Message, "refused by the jump host"))
	case errors.As(e.Err, &program) && program.Op == "fork/exec":
		// The shell of a ProxyCommand. ssh finds out in the child, and then that
		// the child has gone.
		p.Printf(sshconfig.LogQuiet, "%s: %s", program.Path, Errno(program))
		p.Infof("Connection closed by UNKNOWN port 65535")
	case e.Phase == client.PhaseConnect, e.Phase == client.PhaseResolve:
		p.Errorf("%s: connect to host %s port %d: %s", p.Program, e.Peer(), e.Port, Errno(e.Err))
	case errors.As(e.Err, &lost) && e.Phase == client.PhaseConnected:
		p.Infof("Timeout, server %s not responding.", e.Peer())
	case errors.As(e.Err, &disconnect):
		p.Errorf("Received disconnect from %s:%d: %s", where, disconnect.Reason, disconnect.Message)
		p.Infof("Disconnected from %s", where)
		if e.Phase == client.PhaseAuth && e.KeysOffered > 1 {
			p.Errorf("%d keys were offered: IdentitiesOnly=yes with IdentityFile offers the right one alone.", e.KeysOffered)
		}
	case errors.As(e.Err, &negotiation):
		p.Infof("Unable to negotiate with %s: no matching %s found. Their offer: %s",
			where, negotiated(negotiation.What), strings.Join(negotiation.RequestedAlgorithms, ","))
	case errors.As(e.Err, &version):
		p.failVersion(version, where)
	case isTimeout(e.Err):
		if e.Phase == client.PhaseBanner {
			p.Errorf("Connection timed out during banner exchange")
		}
		p.Infof("Connection to %s timed out", where)
	case e.Phase == client.PhaseConnected:
		p.failBroken(e)
	default:
		p.failHandshake(e, where)
	}
}

// failVersion prints why the version line of the server is refused.
func (p *Printer) failVersion(e *client.VersionError, where string) {
	why := "invalid format"
	const before = "kex_exchange_identification: "
	switch {
	case errors.Is(e.Err, transport.ErrLineTooLong):
		p.Printf(sshconfig.LogVerbose, before+"banner line too long")
	case errors.Is(e.Err, transport.ErrLineInvalid):
		p.Printf(sshconfig.LogVerbose, before+"banner line contains invalid characters")
	case errors.Is(e.Err, transport.ErrTooManyLines):
		p.Errorf(before + "No SSH version received in first 1024 lines from server")
	case e.Major > 0:
		why = "could not read protocol version"
		p.Errorf("Protocol major versions differ: 2 vs. %d", e.Major)
	default:
		p.Errorf("Bad remote protocol version identification: '%.100s'", e.Line)
	}
	p.Infof("banner exchange: Connection to %s: %s", where, why)
}

// failHandshake prints how a connection ended before the session.
func (p *Printer) failHandshake(e *client.ConnError, where string) {
	how, what := "closed", "Connection closed by remote host"
	if errors.Is(e.Err, syscall.ECONNRESET) {
		how, what = "reset", "read: Connection reset by peer"
	} else if p.failPacket(e) {
		return
	} else if !IsEOF(e.Err) && !errors.Is(e.Err, syscall.EPIPE) { // a write may be first to meet the end
		p.Infof("Connection to %s: %s", where, ErrorText(e.Err))
		return
	}
	if e.Phase == client.PhaseBanner {
		p.Errorf("kex_exchange_identification: %s", what)
	}
	p.Infof("Connection %s by %s", how, where)
}

// failBroken prints how a connection ended during the session.
func (p *Printer) failBroken(e *client.ConnError) {
	switch {
	case IsEOF(e.Err):
		p.Last("Connection to %s closed by remote host.", e.Peer())
	case errors.Is(e.Err, syscall.ECONNRESET):
		p.Fatalf("client_loop: send disconnect: Broken pipe")
	case p.failPacket(e):
	default:
		p.Infof("Connection to %s port %d: %s", e.Address, portOf(e), ErrorText(e.Err))
	}
}

// failPacket reports whether e is about a damaged packet, and prints it if so.
func (p *Printer) failPacket(e *client.ConnError) bool {
	why := ""
	switch {
	case xssh.IsDamagedPacket(e.Err):
		p.Infof("Corrupted MAC on input.")
		why = "message authentication code incorrect"
	case xssh.IsBadPacketLength(e.Err):
		p.Infof("Bad packet length.")
		why = "Connection corrupted"
	default:
		return false
	}
	p.Infof("ssh_dispatch_run_fatal: Connection to %s port %d: %s", e.Address, portOf(e), why)
	return true
}

// failOther prints every other error.
func (p *Printer) failOther(err error) {
	var resolve *client.ResolveError
	var request *session.RequestError
	var open *ssh.OpenChannelError
	var fwd *forward.OpenError
	channel := 0
	if on := new(ChannelError); errors.As(err, &on) {
		channel = on.Channel
	}
	switch {
	case errors.As(err, &resolve):
		p.Errorf("%s: Could not resolve hostname %s: %s", p.Program, resolve.Host, resolverText(resolve.Err))
	case errors.As(err, &request):
		p.Fatalf("%s request failed on channel %d", request.Request, channel)
	case errors.As(err, &fwd):
		p.Errorf("channel %d: open failed: %s: %s", channel, fwd.Reason, fwd.Message)
		p.Fatalf("stdio forwarding failed")
	case errors.As(err, &open):
		p.Errorf("channel %d: open failed: %s: %s", channel, open.Reason, open.Message)
	case errors.Is(err, ErrNoTTY):
		p.Fatalf("PTY allocation request failed on channel %d", channel)
	case errors.Is(err, ErrForward), errors.Is(err, ErrQuit), errors.Is(err, ErrMasterExited):
		// The words have been printed already.
	case errors.Is(err, client.ErrClosed), errors.Is(err, session.ErrNoStatus), errors.Is(err, context.Canceled):
		// ssh prints nothing when it ends the session itself, or when the
		// server does without a status.
	default:
		p.Fatalf("%s: %s", p.Program, ErrorText(err))
	}
}

// failAuth prints the line that tools look for, and then what was tried.
func (p *Printer) failAuth(e *client.AuthError) {
	p.Fatalf("%s@%s: Permission denied (%s).", e.User, e.Host, strings.Join(e.Methods, ","))
	p.Errorf("%s", authHint(e))
}

// authHint returns which methods were tried and which the server accepts.
func authHint(e *client.AuthError) string {
	var tried []string
	for _, m := range e.Tried {
		if m == "publickey" {
			m = fmt.Sprintf("publickey (%d offered)", len(e.Keys))
		}
		tried = append(tried, m)
	}
	if len(tried) == 0 {
		tried = []string{"nothing, for there was nothing to offer"}
	}
	if len(e.Methods) == 0 {
		return "Tried: " + strings.Join(tried, ", ") + ". The server does not say what it accepts."
	}
	return "Tried: " + strings.Join(tried, ", ") + ". The server accepts: " + strings.Join(e.Methods, ", ") + "."
}

// failHostKey reports whether err is about a refused host key, and prints it if
// so.
func (p *Printer) failHostKey(err error) bool {
	if !errors.Is(err, hostkey.ErrVerification) {
		return false
	}
	var command *hostkey.CommandError
	if errors.As(err, &command) {
		p.commandFailed(command)
		return true
	}
	p.hostKeyRefused(err)
	p.Fatalf("Host key verification failed.")
	return true
}

// negotiated translates x/crypto's name of an algorithm into ssh's.
func negotiated(what string) string {
	switch {
	case strings.Contains(what, "key exchange"):
		return "key exchange method"
	case strings.Contains(what, "host key"):
		return "host key type"
	case strings.Contains(what, "cipher"):
		return "cipher"
	case strings.Contains(what, "MAC"):
		return "MAC"
	}
	return what
}

func portOf(e *client.ConnError) int {
	if e.Address == "UNKNOWN" {
		return 65535 // ssh prints this port with a ProxyCommand
	}
	return e.Port
}

// IsEOF reports whether err says that the other side has closed the connection.
func IsEOF(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EPIPE)
}

// isTimeout reports whether err is a timeout of ours or of the kernel's.
func isTimeout(err error) bool {
	if errors.Is(err, client.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) {
		return true
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// Errno returns the text of strerror(3) for the innermost cause of err. Go's
// texts differ from it by a lower-case first letter.
func Errno(err error) string {
	if isTimeout(err) {
		return "Connection timed out"
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	text := err.Error()
	if text == "" {
		return "failure"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// resolverText returns the text of gai_strerror(3) for err.
func resolverText(err error) string {
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		return Errno(err)
	}
	switch {
	case dns.IsNotFound:
		return "Name or service not known"
	case dns.IsTimeout, dns.IsTemporary:
		return "Temporary failure in name resolution"
	}
	return dns.Err
}

// ErrorText returns the text of err without the package names in front.
func ErrorText(err error) string {
	text := err.Error()
	for _, prefix := range []string{"ssh: handshake failed: ", "ssh: ", "client: ", "session: ", "forward: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
