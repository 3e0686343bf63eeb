package message

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

// Roughly rounds a duration for people.
func Roughly(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// Loss returns why there is no connection, as part of a line.
func Loss(err error) string {
	var conn *client.ConnError
	var resolve *client.ResolveError
	switch {
	case errors.As(err, &resolve):
		return fmt.Sprintf("could not resolve hostname %s: %s", resolve.Host, resolverText(resolve.Err))
	case !errors.As(err, &conn):
		return ErrorText(err)
	}
	var lost *keepalive.PeerLostError
	var disconnect *client.DisconnectError
	switch {
	case errors.As(conn.Err, &lost) && lost.Reason == keepalive.ReasonMoved:
		return "the network has changed"
	case errors.As(conn.Err, &lost):
		return fmt.Sprintf("server not responding for %v", Roughly(lost.Silence))
	case errors.As(conn.Err, &disconnect):
		return "server: " + disconnect.Message
	case isTimeout(conn.Err):
		return "timed out"
	case errors.Is(conn.Err, syscall.ECONNRESET):
		return "connection reset by peer"
	case IsEOF(conn.Err):
		return "closed by remote host"
	case conn.Phase == client.PhaseConnect, conn.Phase == client.PhaseResolve:
		return Errno(conn.Err)
	}
	return ErrorText(conn.Err)
}

// ForwardReopened prints what became of a forwarding on a later connection. It
// reports a port that is still in use once at the default level.
func (p *Printer) ForwardReopened(st client.ForwardState) {
	spec := st.Forward.Spec()
	listen := spec.Listen.String()
	chosen := spec.Kind == forward.Remote && spec.Listen.Socket == "" && spec.Listen.Port == 0
	if chosen {
		if ports := st.Forward.Ports(); len(ports) > 0 { // the one that was printed
			at := spec.Listen
			at.Port = ports[len(ports)-1]
			listen = at.String()
		}
	}
	if st.Open != nil && spec.Kind == forward.Remote {
		p.remoteAnswered("remote forward success", spec)
	}
	switch {
	case st.Open != nil && chosen:
		p.allocatedPort(st.Open)
	case st.Open != nil && st.Attempt > 1:
		p.Infof("%s forwarding of %s is back at attempt %d.", kindName(spec.Kind), listen, st.Attempt)
	case st.Open != nil:
		p.Debugf("%s forwarding of %s restored", kindName(spec.Kind), listen)
	case st.Attempt == 1 && !st.Until.IsZero():
		p.Infof("Warning: %s forwarding of %s is not possible yet: %s. It will be tried again.",
			spec.Kind, listen, forwardText(st.Err))
	case st.Until.IsZero():
		p.Errorf("%s forwarding of %s failed: %s", kindName(spec.Kind), listen, forwardText(st.Err))
	default:
		p.Printf(sshconfig.LogVerbose, "%s forwarding of %s, attempt %d: %s. Again in %v.", kindName(spec.Kind),
			listen, st.Attempt, forwardText(st.Err), Roughly(time.Until(st.Until)))
	}
}

// kindName returns the kind of a forwarding for the start of a line.
func kindName(k forward.Kind) string {
	switch k {
	case forward.Remote:
		return "Remote"
	case forward.Dynamic:
		return "Dynamic"
	}
	return "Local"
}

// forwardText returns why a forwarding failed, as part of a line.
func forwardText(err error) string {
	var refused *forward.RefusedError
	var listen *forward.ListenError
	switch {
	case errors.As(err, &refused):
		return "refused by the server"
	case errors.As(err, &listen):
		return Errno(listen.Err)
	}
	return ErrorText(err)
}
