package cli

import (
	"context"
	"io/fs"
	"slices"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
)

// forwards opens and ends the forwardings of an invocation.
type forwards struct {
	print *message.Printer
	cfg   *sshconfig.Config
}

// openAll opens the forwardings of the configuration. A failure is printed; with
// ExitOnForwardFailure openAll returns it.
func (f *forwards) openAll(ctx context.Context, c connection) error {
	cfg := f.cfg
	if cfg.ClearAllForwardings || c.client.Restricted() {
		return nil
	}
	local := cfg.LocalListeners()
	failed := 0
	for _, spec := range local {
		if err := f.open(ctx, c, spec, true); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			failed++
		}
	}
	switch {
	case failed > 0 && cfg.ExitOnForwardFailure: // once all have been tried
		f.print.NoLocalForwarding(true)
		return message.ErrForward
	case failed > 0 && failed == len(local):
		f.print.NoLocalForwarding(false)
	}
	for _, spec := range cfg.RemoteForward {
		if err := f.open(ctx, c, spec, true); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			if cfg.ExitOnForwardFailure {
				return message.ErrForward
			}
		}
	}
	return nil
}

// open opens a forwarding and prints the result. With Reconnect the forwarding
// lasts longer than the connection, and with insist one that fails is tried again.
func (f *forwards) open(ctx context.Context, c connection, spec forward.Spec, insist bool) error {
	if insist {
		f.print.ForwardRequested(spec)
	}
	fwd, err := f.openOver(ctx, c, spec, insist)
	f.print.ForwardResult(spec, fwd, err)
	return err
}

// openOver opens a forwarding without a message.
func (f *forwards) openOver(ctx context.Context, c connection, spec forward.Spec, insist bool) (*forward.Forward, error) {
	options := forwardOptions(f.print, f.cfg)
	if c.kept == nil {
		return c.client.Forwards().Open(ctx, spec, options)
	}
	fwd, err := c.kept.Forward(ctx, spec, options)
	if err != nil {
		if fwd != nil && !insist {
			fwd.Stop()
		}
		return nil, err
	}
	return fwd.Forward(), nil
}

// forwardOptions returns the options of every forwarding.
func forwardOptions(print *message.Printer, cfg *sshconfig.Config) forward.Options {
	o := forward.Options{
		GatewayPorts: cfg.GatewayPorts,
		SocketMode:   fs.ModeSocket | 0o777&^cfg.StreamLocalBindMask,
		UnlinkSocket: cfg.StreamLocalBindUnlink,
		OnFailure:    print.ForwardConnFailed,
		Notify:       print.ForwardEvent,
	}
	switch cfg.AddressFamily {
	case sshconfig.AddressFamilyInet:
		o.Network = "tcp4"
	case sshconfig.AddressFamilyInet6:
		o.Network = "tcp6"
	}
	if !cfg.PermitRemoteOpen.Any {
		hosts := cfg.PermitRemoteOpen.Hosts
		if len(hosts) == 0 {
			hosts = []string{"none"}
		}
		// Package sshconfig has parsed them once without an error.
		o.Permit, _ = forward.ParsePermitOpen(hosts)
	}
	return o
}

// closeLocal closes the local listeners without asking the server.
func closeLocal(c *client.Client) {
	for _, f := range c.Forwards().Forwards() {
		if f.Spec().Kind != forward.Remote {
			f.Close()
		}
	}
}

// await stops listening and, like ssh, waits for the forwarded connections that are
// still open. end is how the connection ended if that came first; err is the cause
// of ctx.
func (f *forwards) await(ctx context.Context, c connection) (end, err error) {
	if c.kept != nil {
		for _, fwd := range c.kept.Forwards() {
			fwd.Stop()
		}
	}
	all := c.client.Forwards()
	for _, fwd := range all.Forwards() {
		fwd.Stop()
	}
	select {
	case <-all.Idle():
		return nil, nil
	default:
	}
	select {
	case <-all.Idle():
	case <-c.client.Done():
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // which may be what has ended the connection
		return nil, context.Cause(ctx)
	}
	return c.client.Err(), nil
}

// at returns the forwardings of a kind that listen at an address. With Reconnect it
// includes those that are to listen there again, under each port that the server
// has chosen for them.
func (f *forwards) at(c connection, kind forward.Kind, addr forward.Addr) (found []interface{ Stop() error }) {
	if c.kept == nil {
		for _, fwd := range c.client.Forwards().Forwards() {
			if s := fwd.Spec(); s.Kind == kind && fwd.Err() == nil && listenName(s.Listen) == addr {
				found = append(found, fwd)
			}
		}
		return found
	}
	for _, fwd := range c.kept.Forwards() {
		s := fwd.Spec()
		if s.Listen.Port == 0 && slices.Contains(fwd.Ports(), addr.Port) {
			s.Listen.Port = addr.Port
		}
		if s.Kind == kind && listenName(s.Listen) == addr {
			found = append(found, fwd)
		}
	}
	return found
}

// listenName returns a listening address in the form in which ssh compares it to
// cancel a forwarding: the default, every interface and localhost are equal.
func listenName(a forward.Addr) forward.Addr {
	if a.Host == "*" || a.Host == "localhost" {
		a.Host = ""
	}
	a.EmptyHost = false
	return a
}
