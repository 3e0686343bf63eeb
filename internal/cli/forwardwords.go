package cli

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/sshconfig"
)

// listenFailed words a forwarding that cannot listen here.
func (p *program) listenFailed(e *forward.ListenError) {
	var lookup *net.DNSError
	const setup = "channel_setup_fwd_listener_tcpip"
	switch {
	case e.Addr.Socket != "":
		if e.Unlink != nil {
			p.console.error("unlink(%s): %s", e.Addr.Socket, errnoText(e.Unlink))
		}
		p.console.error("unix_listener: cannot bind to path %s: %s", e.Addr.Socket, errnoText(e.Err))
	case errors.As(e.Err, &lookup):
		p.console.error("%s: getaddrinfo(%s): %s", setup, e.Addr.Host, resolverText(lookup))
	default:
		p.sayBinds(e.Binds)
		p.console.error("%s: cannot listen to port: %d", setup, e.Addr.Port)
	}
}

// sayBinds words addresses that could not be had. Of several ssh says at its
// usual level only that the last could not.
func (p *program) sayBinds(failed []forward.BindError) {
	for _, b := range failed {
		level := sshconfig.LogVerbose
		if b.Last {
			level = sshconfig.LogError
		}
		p.console.printf(level, "bind [%s]:%d: %s", b.Host, b.Port, errnoText(b.Err))
	}
}

// passengerForwardFailed says to the user of a master what a client asked for
// in vain. The client is told by the master's answer.
func (p *program) passengerForwardFailed(spec forward.Spec, text string, err error) {
	var listen *forward.ListenError
	var refused *forward.RefusedError
	switch {
	case errors.As(err, &refused) && spec.Listen.Socket != "":
		p.console.error("mux_confirm_remote_forward: remote port forwarding failed for listen path %s", spec.Listen.Socket)
		return
	case errors.As(err, &refused):
		p.console.error("mux_confirm_remote_forward: remote port forwarding failed for listen port %d", spec.Listen.Port)
		return
	case errors.As(err, &listen):
		p.listenFailed(listen)
	}
	p.console.info("mux_master_process_open_fwd: requested %s failed", text)
}

// connFailed words a forwarded connection that did not reach its target.
func (p *program) connFailed(f forward.ConnFailure) {
	var refused *forward.OpenError
	var lookup *net.DNSError
	var errno syscall.Errno
	to := f.Target
	if f.Spec.Kind == forward.Remote {
		if errors.As(f.Err, &errno) {
			p.console.debugf("channel %d: connection failed: %s", f.Channel, errnoText(errno))
		}
		p.console.debugf("failure %s", remoteChannelType(f.Spec))
	}
	switch {
	case errors.As(f.Err, &refused):
		text := fmt.Sprintf("channel %d: open failed: %s", f.Channel, refused.Reason)
		if refused.Message != "" {
			text += ": " + refused.Message
		}
		p.console.info("%s", text)
	case f.Spec.Kind != forward.Remote, errors.Is(f.Err, forward.ErrClosed), errors.Is(f.Err, forward.ErrConnectionLost):
		// Nothing was asked for, or it is the end of all.
	case errors.Is(f.Err, forward.ErrNotPermitted):
		p.console.printf(levelDebug1, "debug1: PermitRemoteOpen does not allow %s", to)
	case errors.As(f.Err, &lookup):
		p.console.error("connect_to %s: unknown host (%s)", to.Host, resolverText(lookup))
	case to.Socket != "" && errors.As(f.Err, &errno):
		p.console.error("connect to %s port -2 failed: %s", to.Socket, errnoText(errno))
	case errors.As(f.Err, &errno):
		p.console.error("connect_to %s port %d: failed.", to.Host, to.Port)
	}
}

// targetText is a target as ssh prints it: without brackets, and with port -2
// behind a socket.
func targetText(spec forward.Spec) string {
	to := spec.Connect
	switch {
	case spec.SOCKS():
		return "socks:0"
	case to.Socket != "":
		return to.Socket + ":-2"
	}
	return fmt.Sprintf("%s:%d", to.Host, to.Port)
}
