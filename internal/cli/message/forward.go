package message

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/sshconfig"
)

// listenFailed prints why a local listener cannot be opened.
func (p *Printer) listenFailed(e *forward.ListenError) {
	var lookup *net.DNSError
	const setup = "channel_setup_fwd_listener_tcpip"
	switch {
	case e.Addr.Socket != "":
		if e.Unlink != nil {
			p.Errorf("unlink(%s): %s", e.Addr.Socket, Errno(e.Unlink))
		}
		p.Errorf("unix_listener: cannot bind to path %s: %s", e.Addr.Socket, Errno(e.Err))
	case errors.As(e.Err, &lookup):
		p.Errorf("%s: getaddrinfo(%s): %s", setup, e.Addr.Host, resolverText(lookup))
	default:
		p.bindsFailed(e.Binds)
		p.Errorf("%s: cannot listen to port: %d", setup, e.Addr.Port)
	}
}

// bindsFailed prints the addresses that could not be bound. Like ssh it reports
// only the last one at the default level.
func (p *Printer) bindsFailed(failed []forward.BindError) {
	for _, b := range failed {
		level := sshconfig.LogVerbose
		if b.Last {
			level = sshconfig.LogError
		}
		p.Printf(level, "bind [%s]:%d: %s", b.Host, b.Port, Errno(b.Err))
	}
}

// ClientForwardFailed prints, in the master, that a client's forwarding failed.
// The client learns it from the master's answer.
func (p *Printer) ClientForwardFailed(spec forward.Spec, text string, err error) {
	var listen *forward.ListenError
	var refused *forward.RefusedError
	switch {
	case errors.As(err, &refused) && spec.Listen.Socket != "":
		p.Errorf("mux_confirm_remote_forward: remote port forwarding failed for listen path %s", spec.Listen.Socket)
		return
	case errors.As(err, &refused):
		p.Errorf("mux_confirm_remote_forward: remote port forwarding failed for listen port %d", spec.Listen.Port)
		return
	case errors.As(err, &listen):
		p.listenFailed(listen)
	}
	p.Infof("mux_master_process_open_fwd: requested %s failed", text)
}

// ForwardConnFailed prints why a forwarded connection did not reach its target.
func (p *Printer) ForwardConnFailed(f forward.ConnFailure) {
	var refused *forward.OpenError
	var lookup *net.DNSError
	var errno syscall.Errno
	to := f.Target
	if f.Spec.Kind == forward.Remote {
		if errors.As(f.Err, &errno) {
			p.Debugf("channel %d: connection failed: %s", f.Channel, Errno(errno))
		}
		p.Debugf("failure %s", remoteChannelType(f.Spec))
	}
	switch {
	case errors.As(f.Err, &refused):
		text := fmt.Sprintf("channel %d: open failed: %s", f.Channel, refused.Reason)
		if refused.Message != "" {
			text += ": " + refused.Message
		}
		p.Infof("%s", text)
	case f.Spec.Kind != forward.Remote, errors.Is(f.Err, forward.ErrClosed), errors.Is(f.Err, forward.ErrConnectionLost):
		// Nothing was asked for, or it is the end of all.
	case errors.Is(f.Err, forward.ErrNotPermitted):
		p.Debugf("PermitRemoteOpen does not allow %s", to)
	case errors.As(f.Err, &lookup):
		p.Errorf("connect_to %s: unknown host (%s)", to.Host, resolverText(lookup))
	case to.Socket != "" && errors.As(f.Err, &errno):
		p.Errorf("connect to %s port -2 failed: %s", to.Socket, Errno(errno))
	case errors.As(f.Err, &errno):
		p.Errorf("connect_to %s port %d: failed.", to.Host, to.Port)
	}
}

// targetText returns a target as ssh prints it: without brackets, and with port
// -2 after the path of a socket.
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

// remoteOpened prints that the server listens.
func (p *Printer) remoteOpened(fwd *forward.Forward, spec forward.Spec) {
	p.remoteAnswered("remote forward success", spec)
	if spec.Listen.Socket == "" && spec.Listen.Port == 0 {
		p.allocatedPort(fwd)
		p.updatedPort(fwd.Spec().Listen.Port, spec)
	}
}

// allocatedPort prints which port the server chose.
func (p *Printer) allocatedPort(fwd *forward.Forward) {
	p.Infof("Allocated port %d for remote forward to %s", fwd.Spec().Listen.Port, targetText(fwd.Spec()))
}

// remoteRefused prints that the server does not listen: as an error if
// ExitOnForwardFailure ends the program, otherwise as a warning.
func (p *Printer) remoteRefused(spec forward.Spec) {
	say, how := p.Infof, "Warning"
	if p.Config.ExitOnForwardFailure {
		say, how = p.Fatalf, "Error"
	}
	if spec.Listen.Socket != "" {
		say("%s: remote port forwarding failed for listen path %s", how, spec.Listen.Socket)
		return
	}
	say("%s: remote port forwarding failed for listen port %d", how, spec.Listen.Port)
}

// ForwardResult prints what became of a forwarding: err is the result of opening
// it, fwd is nil if it failed or is to be tried again.
func (p *Printer) ForwardResult(spec forward.Spec, fwd *forward.Forward, err error) {
	var listen *forward.ListenError
	var refused *forward.RefusedError
	switch {
	case err == nil && fwd == nil: // Reconnect tries again and reports then
	case err == nil && spec.Kind == forward.Remote:
		p.remoteOpened(fwd, spec)
	case errors.As(err, &refused):
		p.remoteAnswered("remote forward failure", spec)
		p.remoteRefused(spec)
	case errors.As(err, &listen):
		p.listenFailed(listen)
	case err != nil:
		p.Errorf("%s", ErrorText(err))
	default:
		p.bindsFailed(fwd.BindErrors())
	}
}

// NoLocalForwarding prints that no local forwarding, or not every one that
// ExitOnForwardFailure demands, could be opened.
func (p *Printer) NoLocalForwarding(fatal bool) {
	print := p.Errorf
	if fatal {
		print = p.Fatalf
	}
	print("Could not request local forwarding.")
}
