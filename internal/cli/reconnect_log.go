package cli

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/sshconfig"
)

// waitView shows somebody how the waiting for a connection goes.
type waitView interface {
	show(client.KeepState)
	// ticks asks for a tick from time to time; nil for none.
	ticks() <-chan time.Time
	tick()
	keys() <-chan key
	close()
}

// waitLog shows it as lines for a file or a journal, each with its time.
type waitLog struct{ p *program }

func (w *waitLog) ticks() <-chan time.Time { return nil }
func (w *waitLog) tick()                   {}
func (w *waitLog) keys() <-chan key        { return nil }
func (w *waitLog) close()                  {}

func (w *waitLog) show(st client.KeepState) {
	c, host := w.p.console, w.p.cfg.HostName
	now := time.Now().Format(time.DateTime)
	switch st.Phase {
	case client.KeepWaiting:
		what := fmt.Sprintf("Attempt %d to connect to %s again has failed", st.Attempt-1, host)
		if st.Up > 0 {
			what = fmt.Sprintf("Connection to %s lost after %v", host, roughly(st.Up))
		}
		c.info("%s %s: %s. Attempt %d in %v.", now, what, lossText(st.Cause), st.Attempt, roughly(time.Until(st.Until)))
	case client.KeepConnecting:
		c.printf(sshconfig.LogVerbose, "%s Connecting to %s again, attempt %d.", now, host, st.Attempt)
	case client.KeepConnected:
		c.info("%s Connection to %s re-established after %v, at attempt %d.", now, host, roughly(st.Down), st.Attempt)
	case client.KeepEnded:
		if !errors.Is(st.Cause, client.ErrClosed) {
			c.info("%s Connection to %s given up after attempt %d.", now, host, st.Attempt)
		}
	}
}

// roughly rounds a time for people.
func roughly(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// lossText is why there is no connection, as part of a line.
func lossText(err error) string {
	var conn *client.ConnError
	var resolve *client.ResolveError
	switch {
	case errors.As(err, &resolve):
		return fmt.Sprintf("could not resolve hostname %s: %s", resolve.Host, resolverText(resolve.Err))
	case !errors.As(err, &conn):
		return xcryptoText(err)
	}
	var lost *keepalive.PeerLostError
	var disconnect *client.DisconnectError
	switch {
	case errors.As(conn.Err, &lost) && lost.Reason == keepalive.ReasonMoved:
		return "the network has changed"
	case errors.As(conn.Err, &lost):
		return fmt.Sprintf("server not responding for %v", roughly(lost.Silence))
	case errors.As(conn.Err, &disconnect):
		return "server: " + disconnect.Message
	case isTimeout(conn.Err):
		return "timed out"
	case errors.Is(conn.Err, syscall.ECONNRESET):
		return "connection reset by peer"
	case isEOF(conn.Err):
		return "closed by remote host"
	case conn.Phase == client.PhaseConnect:
		return errnoText(conn.Err)
	}
	return xcryptoText(conn.Err)
}

// forwardAgain words what came of a forwarding on a later connection. That a
// port is still held is said once; then only that it is free.
func (p *program) forwardAgain(st client.ForwardState) {
	spec := st.Forward.Spec()
	listen := spec.Listen.String()
	chosen := spec.Kind == forward.Remote && spec.Listen.Socket == "" && spec.Listen.Port == 0
	if chosen {
		if ports := st.Forward.Ports(); len(ports) > 0 { // the one that was told
			at := spec.Listen
			at.Port = ports[len(ports)-1]
			listen = at.String()
		}
	}
	if st.Open != nil && spec.Kind == forward.Remote {
		p.remoteForwardAnswered("remote forward success", spec)
	}
	switch {
	case st.Open != nil && chosen:
		p.allocatedPort(st.Open)
	case st.Open != nil && st.Attempt > 1:
		p.console.info("%s forwarding of %s is back at attempt %d.", kindWord(spec.Kind), listen, st.Attempt)
	case st.Open != nil:
		p.console.printf(sshconfig.LogDebug1, "debug1: %s forwarding of %s restored", kindWord(spec.Kind), listen)
	case st.Attempt == 1 && !st.Until.IsZero():
		p.console.info("Warning: %s forwarding of %s is not possible yet: %s. It will be tried again.",
			spec.Kind, listen, forwardText(st.Err))
	case st.Until.IsZero():
		p.console.error("%s forwarding of %s failed: %s", kindWord(spec.Kind), listen, forwardText(st.Err))
	default:
		p.console.printf(sshconfig.LogVerbose, "%s forwarding of %s, attempt %d: %s. Again in %v.", kindWord(spec.Kind),
			listen, st.Attempt, forwardText(st.Err), roughly(time.Until(st.Until)))
	}
}

// kindWord begins a line.
func kindWord(k forward.Kind) string {
	switch k {
	case forward.Remote:
		return "Remote"
	case forward.Dynamic:
		return "Dynamic"
	}
	return "Local"
}

func forwardText(err error) string {
	var refused *forward.RefusedError
	var listen *forward.ListenError
	switch {
	case errors.As(err, &refused):
		return "refused by the server"
	case errors.As(err, &listen):
		return errnoText(listen.Err)
	}
	return xcryptoText(err)
}

// startedAgain says what runs on a new connection.
func (p *program) startedAgain() string {
	switch {
	case p.flags.command != "":
		return "The command is run again."
	case p.cfg.RemoteCommand != "":
		return "RemoteCommand is run again."
	}
	return "This is a new shell."
}
