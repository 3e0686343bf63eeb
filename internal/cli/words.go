package cli

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
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// fail says what went wrong, and gives the exit status. It is the one place
// that does either.
func (p *program) fail(err error) int {
	var exit *session.ExitError
	if errors.As(err, &exit) {
		return p.exitStatus(exit)
	}
	if status, died := deathStatus(err); died {
		return status
	}
	var log *logFileError
	if errors.As(err, &log) {
		p.console.plain(log.Error())
		return 1 // as ssh's log_redirect_stderr_to does
	}
	var lost *client.ConnError
	switch {
	case p.failUsage(err), p.failHostKey(err), p.killed(err):
	case errors.As(err, &lost):
		p.failConn(lost)
	default:
		p.failOther(err)
	}
	return exitFailure
}

// exitStatus is that of the remote program; a death by signal has none.
func (p *program) exitStatus(exit *session.ExitError) int {
	if exit.Signal == "" {
		return exit.Status & 0xff
	}
	core := ""
	if exit.Core {
		core = " (core dumped)"
	}
	p.console.printf(sshconfig.LogDebug1, "debug1: client_input_channel_req: exit-signal %s%s", exit.Signal, core)
	return exitFailure
}

// failUsage words what is wrong with the command line or the configuration.
func (p *program) failUsage(err error) bool {
	var line *lineError
	var config *sshconfig.Error
	var target *client.TargetError
	switch {
	case errors.Is(err, errUsage), errors.Is(err, sshconfig.ErrUsage):
		var why *usageError
		if errors.As(err, &why) {
			p.console.info("%s", why.line)
		}
		fmt.Fprintf(p.std.Stderr, usageText, p.name)
	case errors.As(err, &line):
		p.console.fatal("%s", line.line)
	case errors.As(err, &config):
		for _, l := range config.Problems {
			p.console.configLine(l)
		}
		if config.Usage {
			fmt.Fprintf(p.std.Stderr, usageText, p.name)
		}
	case errors.As(err, &target) && target.What == "destination":
		fmt.Fprintf(p.std.Stderr, usageText, p.name)
	case errors.As(err, &target):
		what := "hostname"
		if target.What == "user name" {
			what = "remote username"
		}
		p.console.fatal("%s contains invalid characters", what)
	default:
		return false
	}
	return true
}

// failConn words a connection that was not made, or that broke. What ssh's
// packet layer dies of is said at the usual level (its logdie), not as fatal.
func (p *program) failConn(e *client.ConnError) {
	var lost *keepalive.PeerLostError
	var disconnect *client.DisconnectError
	var negotiation *ssh.AlgorithmNegotiationError
	var version *client.VersionError
	var refused *ssh.OpenChannelError // by the jump host
	var program *fs.PathError
	switch where := fmt.Sprintf("%s port %d", e.Address, portOf(e)); {
	case errors.Is(e.Err, client.ErrNoDescriptor):
		p.console.fatal("proxy dialer did not pass back a connection")
	case errors.As(e.Err, &refused):
		p.console.error("channel 0: open failed: %s: %s", refused.Reason, refused.Message)
		p.console.error("%s: connect to host %s port %d: %s", p.name, e.Host, e.Port, cmp.Or(refused.Message, "refused by the jump host"))
	case errors.As(e.Err, &program) && program.Op == "fork/exec":
		// The shell of a ProxyCommand. ssh finds out in the child, and then that
		// the child has gone.
		p.console.printf(sshconfig.LogQuiet, "%s: %s", program.Path, errnoText(program))
		p.console.info("Connection closed by UNKNOWN port 65535")
	case e.Phase == client.PhaseConnect:
		p.console.error("%s: connect to host %s port %d: %s", p.name, e.Host, e.Port, errnoText(e.Err))
	case errors.As(e.Err, &lost) && e.Phase == client.PhaseConnected:
		p.console.info("Timeout, server %s not responding.", e.Host)
	case errors.As(e.Err, &disconnect):
		p.console.error("Received disconnect from %s:%d: %s", where, disconnect.Reason, disconnect.Message)
		p.console.info("Disconnected from %s", where)
		if e.Phase == client.PhaseAuth && e.KeysOffered > 1 {
			p.console.error("%d keys were offered: IdentitiesOnly=yes with IdentityFile offers the right one alone.", e.KeysOffered)
		}
	case errors.As(e.Err, &negotiation):
		p.console.info("Unable to negotiate with %s: no matching %s found. Their offer: %s",
			where, negotiated(negotiation.What), strings.Join(negotiation.RequestedAlgorithms, ","))
	case errors.As(e.Err, &version):
		p.failVersion(version, where)
	case isTimeout(e.Err):
		if e.Phase == client.PhaseBanner {
			p.console.error("Connection timed out during banner exchange")
		}
		p.console.info("Connection to %s timed out", where)
	case e.Phase == client.PhaseConnected:
		p.failBroken(e)
	default:
		p.failHandshake(e, where)
	}
}

// failVersion words a server of another protocol.
func (p *program) failVersion(e *client.VersionError, where string) {
	why := "invalid format"
	const before = "kex_exchange_identification: "
	switch {
	case errors.Is(e.Err, client.ErrLineTooLong):
		p.console.printf(sshconfig.LogVerbose, before+"banner line too long")
	case errors.Is(e.Err, client.ErrLineInvalid):
		p.console.printf(sshconfig.LogVerbose, before+"banner line contains invalid characters")
	case errors.Is(e.Err, client.ErrTooManyLines):
		p.console.error(before + "No SSH version received in first 1024 lines from server")
	case e.Major > 0:
		why = "could not read protocol version"
		p.console.error("Protocol major versions differ: 2 vs. %d", e.Major)
	default:
		p.console.error("Bad remote protocol version identification: '%.100s'", e.Line)
	}
	p.console.info("banner exchange: Connection to %s: %s", where, why)
}

// failHandshake words an end before the session.
func (p *program) failHandshake(e *client.ConnError, where string) {
	how, what := "closed", "Connection closed by remote host"
	if errors.Is(e.Err, syscall.ECONNRESET) {
		how, what = "reset", "read: Connection reset by peer"
	} else if p.failPacket(e) {
		return
	} else if !isEOF(e.Err) && !errors.Is(e.Err, syscall.EPIPE) { // a write may be first to meet the end
		p.console.info("Connection to %s: %s", where, xcryptoText(e.Err))
		return
	}
	if e.Phase == client.PhaseBanner {
		p.console.error("kex_exchange_identification: %s", what)
	}
	p.console.info("Connection %s by %s", how, where)
}

// failBroken words an end during the session.
func (p *program) failBroken(e *client.ConnError) {
	switch {
	case isEOF(e.Err):
		p.console.last("Connection to %s closed by remote host.", e.Host)
	case errors.Is(e.Err, syscall.ECONNRESET):
		p.console.fatal("client_loop: send disconnect: Broken pipe")
	case p.failPacket(e):
	default:
		p.console.info("Connection to %s port %d: %s", e.Address, portOf(e), xcryptoText(e.Err))
	}
}

// failPacket words a packet that was damaged on its way, and reports whether
// that is what e is about.
func (p *program) failPacket(e *client.ConnError) bool {
	text, why := e.Err.Error(), ""
	switch {
	case strings.Contains(text, "MAC failure"), strings.Contains(text, "message authentication failed"):
		p.console.info("Corrupted MAC on input.")
		why = "message authentication code incorrect"
	case strings.Contains(text, "packet length"):
		p.console.info("Bad packet length.")
		why = "Connection corrupted"
	default:
		return false
	}
	p.console.info("ssh_dispatch_run_fatal: Connection to %s port %d: %s", e.Address, portOf(e), why)
	return true
}

// failOther words the rest.
func (p *program) failOther(err error) {
	var resolve *client.ResolveError
	var auth *client.AuthError
	var request *session.RequestError
	var open *ssh.OpenChannelError
	var fwd *forward.OpenError
	switch {
	case errors.As(err, &resolve):
		p.console.error("%s: Could not resolve hostname %s: %s", p.name, resolve.Host, resolverText(resolve.Err))
	case errors.As(err, &auth):
		p.failAuth(auth)
	case errors.As(err, &request):
		p.console.fatal("%s request failed on channel %d", request.Request, p.channel)
	case errors.As(err, &fwd):
		p.console.error("channel %d: open failed: %s: %s", p.channel, fwd.Reason, fwd.Message)
		p.console.fatal("stdio forwarding failed")
	case errors.As(err, &open):
		p.console.error("channel %d: open failed: %s: %s", p.channel, open.Reason, open.Message)
	case errors.Is(err, errNoTTY):
		p.console.fatal("PTY allocation request failed on channel %d", p.channel)
	case errors.Is(err, errForward), errors.Is(err, errQuit):
		// Said already.
	case errors.Is(err, client.ErrClosed), errors.Is(err, session.ErrNoStatus), errors.Is(err, context.Canceled):
		// Our own end, or the server's without a word: ssh says nothing.
	default:
		p.console.fatal("%s: %s", p.name, xcryptoText(err))
	}
}

// failAuth prints the line that tools know, and below it what was tried.
func (p *program) failAuth(e *client.AuthError) {
	p.console.fatal("%s", e.Error())
	p.console.error("%s", authHint(e))
}

// authHint says what was tried, for whoever wonders why.
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

// failHostKey words a refused host key; see hostkeytext.go for the banners.
func (p *program) failHostKey(err error) bool {
	if !errors.Is(err, hostkey.ErrVerification) {
		return false
	}
	var command *hostkey.CommandError
	if errors.As(err, &command) {
		p.commandFailed(command)
		return true
	}
	p.hostKeyRefused(err)
	p.console.fatal("Host key verification failed.")
	return true
}

// negotiated puts x/crypto's names of what could not be agreed on into ssh's.
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
		return 65535 // as ssh prints what only a ProxyCommand knows
	}
	return e.Port
}

func isEOF(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EPIPE)
}

func isTimeout(err error) bool {
	if errors.Is(err, client.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) {
		return true
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// errnoText is strerror(3)'s text of an error's innermost cause: Go's begins in
// lower case.
func errnoText(err error) string {
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

// resolverText is gai_strerror(3)'s text.
func resolverText(err error) string {
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		return errnoText(err)
	}
	switch {
	case dns.IsNotFound:
		return "Name or service not known"
	case dns.IsTimeout, dns.IsTemporary:
		return "Temporary failure in name resolution"
	}
	return dns.Err
}

// xcryptoText takes the package names off the front of an error's text.
func xcryptoText(err error) string {
	text := err.Error()
	for _, prefix := range []string{"ssh: handshake failed: ", "ssh: ", "client: ", "session: ", "forward: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
