package mux

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gossh-project/gossh/forward"
)

// spec is what a client asks to be forwarded; ok is false if that is nonsense.
func (m *forwardMessage) spec() (spec forward.Spec, ok bool) {
	spec = forward.Spec{Kind: forward.Kind(m.direction), Listen: wireAddr(m.listenHost, m.listenPort)}
	switch spec.Kind {
	case forward.Dynamic:
		return spec, spec.Listen.Socket != "" || m.listenPort != 0 && m.listenPort != portSocket
	case forward.Local, forward.Remote:
	default:
		return spec, false
	}
	// A Remote that speaks SOCKS has port 0, and OpenSSH writes "socks" for
	// the host.
	if spec.Kind != forward.Remote || m.connectPort != 0 {
		spec.Connect = wireAddr(m.connectHost, m.connectPort)
		if spec.Connect.Socket == "" && (spec.Connect.Host == "" || spec.Connect.Port == 0) {
			return spec, false
		}
	}
	if m.listenPort == portSocket {
		return spec, spec.Listen.Socket != ""
	}
	return spec, true
}

// wireAddr reads one end of a forwarding: "" is no bind address and "*" all.
func wireAddr(host string, port uint32) forward.Addr {
	if port == portSocket {
		return forward.Addr{Socket: host}
	}
	return forward.Addr{Host: host, Port: int(port)}
}

// normal gives every interface its one form on the wire.
func normal(spec forward.Spec) forward.Spec {
	if spec.Listen.EmptyHost && spec.Listen.Host == "" {
		spec.Listen.Host = "*"
	}
	spec.Listen.EmptyHost = false
	return spec
}

// describe is what OpenSSH calls a forwarding in the question about it.
func (s *Server) describe(spec forward.Spec) string {
	text := func(a forward.Addr, none string) string {
		switch {
		case a.Socket != "":
			return a.Socket + ":-2"
		case a.Host == "":
			return fmt.Sprintf("%s:%d", none, a.Port)
		}
		return fmt.Sprintf("%s:%d", a.Host, a.Port)
	}
	local := "LOCALHOST"
	if s.opts.Forward.GatewayPorts {
		local = "*"
	}
	switch spec.Kind {
	case forward.Dynamic:
		return fmt.Sprintf("dynamic forward %s -> *", text(spec.Listen, local))
	case forward.Remote:
		return fmt.Sprintf("remote forward %s -> %s", text(spec.Listen, "LOCALHOST"), text(spec.Connect, "socks"))
	}
	return fmt.Sprintf("local forward %s -> %s", text(spec.Listen, local), text(spec.Connect, ""))
}

// lockForwards is a lock that a client who leaves does not wait for.
func (c *serverConn) lockForwards() error {
	select {
	case c.s.forwarding <- struct{}{}:
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

func (c *serverConn) unlockForwards() { <-c.s.forwarding }

// listening is a PersistentForward that ends with its connection.
type listening struct {
	open  *forward.Forward
	asked forward.Spec
}

func (l listening) Spec() forward.Spec                              { return l.asked }
func (l listening) Ports() []int                                    { return []int{l.open.Spec().Listen.Port} }
func (l listening) Forward() *forward.Forward                       { return l.open }
func (l listening) Await(context.Context) (*forward.Forward, error) { return l.open, nil }
func (l listening) Stop() error                                     { return l.open.Stop() }

// standing are the forwardings that there are, those of the master itself
// included.
func (s *Server) standing() (all []PersistentForward) {
	if r, ok := s.conn.(ReconnectingConn); ok {
		return r.PersistentForwards()
	}
	open := s.conn.Forwards().Forwards()
	maps.DeleteFunc(s.asked, func(f *forward.Forward, _ forward.Spec) bool { return !slices.Contains(open, f) })
	for _, f := range open {
		asked, ok := s.asked[f]
		if !ok {
			asked = f.Spec()
		}
		if f.Err() == nil {
			all = append(all, listening{f, asked})
		}
	}
	return all
}

// findForward finds what was asked for before, by a client or by the master
// itself: in the same words or, where the server chose the port, by that. Of
// two that had the same port, one after the other, it is the one that has it.
func (s *Server) findForward(spec forward.Spec) PersistentForward {
	all := s.standing()
	for _, f := range all {
		if normal(f.Spec()) == spec {
			return f
		}
	}
	var had PersistentForward
	for _, f := range all {
		asked, ports := normal(f.Spec()), f.Ports()
		if asked.Listen.Port != 0 || !slices.Contains(ports, spec.Listen.Port) {
			continue
		}
		if asked.Listen.Port = spec.Listen.Port; asked != spec {
			continue
		}
		if ports[len(ports)-1] == spec.Listen.Port {
			return f
		}
		had = f
	}
	return had
}

// openForward handles OPEN_FWD.
func (c *serverConn) openForward(m *forwardMessage) error {
	spec, ok := m.spec()
	if !ok {
		return c.refuse(m, "Invalid forwarding request")
	}
	// This and Await are not done with the lock: they may take as long as the
	// next connection does.
	if _, err := c.s.current(c.ctx); err != nil {
		return c.forwardFailed(m, spec, err)
	}
	standing, err := c.findOrOpen(spec)
	switch {
	case errors.Is(err, errDenied):
		return c.deny(m)
	case err != nil:
		return c.forwardFailed(m, spec, err)
	}
	f, err := standing.Await(c.ctx)
	if err != nil {
		return c.forwardFailed(m, spec, err)
	}
	if tell := c.s.opts.ForwardOpened; tell != nil {
		tell(spec, f)
	}
	if spec.Kind == forward.Remote && spec.Listen.Socket == "" && spec.Listen.Port == 0 {
		return c.write(&plainReply{msgRemotePort, m.id, uint32(f.Spec().Listen.Port)})
	}
	return c.write(&plainReply{kind: msgOK, id: m.id})
}

// errDenied is the answer no to the question whether to open a forwarding.
var errDenied = errors.New("mux: permission denied")

// findOrOpen finds what was asked for before, or opens it if the person, where
// one is to be asked, permits it.
func (c *serverConn) findOrOpen(spec forward.Spec) (PersistentForward, error) {
	if err := c.lockForwards(); err != nil {
		return nil, err
	}
	defer c.unlockForwards()
	if f := c.s.findForward(spec); f != nil {
		return f, nil
	}
	if !c.confirm("Open %s on %s?", c.s.describe(spec), c.s.opts.Host) {
		return nil, errDenied
	}
	return c.s.open(c.ctx, spec)
}

// open opens what is not open yet. It is called with the forwardings locked.
func (s *Server) open(ctx context.Context, spec forward.Spec) (PersistentForward, error) {
	if r, ok := s.conn.(ReconnectingConn); ok {
		return r.OpenForward(ctx, spec, s.opts.Forward)
	}
	f, err := s.conn.Forwards().Open(ctx, spec, s.opts.Forward)
	if err != nil {
		return nil, err
	}
	s.asked[f] = spec
	return listening{f, spec}, nil
}

// forwardFailed tells the master's user, and then the client.
func (c *serverConn) forwardFailed(m *forwardMessage, spec forward.Spec, err error) error {
	c.s.log.Debug("mux: forwarding failed", "forward", spec.String(), "error", err)
	if tell := c.s.opts.ForwardFailed; tell != nil && c.ctx.Err() == nil {
		tell(spec, c.s.describe(spec), err)
	}
	return c.refuse(m, forwardFailure(spec, err))
}

// forwardFailure is how OpenSSH words it.
func forwardFailure(spec forward.Spec, err error) string {
	var refused *forward.RefusedError
	switch {
	case !errors.As(err, &refused):
		return "Port forwarding failed"
	case spec.Listen.Socket != "":
		return "remote port forwarding failed for listen path " + spec.Listen.Socket
	}
	return fmt.Sprintf("remote port forwarding failed for listen port %d", spec.Listen.Port)
}

// closeForward handles CLOSE_FWD. Established connections stay open.
func (c *serverConn) closeForward(m *forwardMessage) error {
	spec, ok := m.spec()
	if !ok {
		return c.refuse(m, "port not forwarded")
	}
	if err := c.lockForwards(); err != nil {
		return err
	}
	defer c.unlockForwards()
	f := c.s.findForward(spec)
	if f == nil {
		return c.refuse(m, "port not forwarded")
	}
	if err := f.Stop(); err != nil {
		c.s.log.Debug("mux: closing a forwarding", "forward", spec.String(), "error", err)
		return c.refuse(m, "port not found")
	}
	return c.write(&plainReply{kind: msgOK, id: m.id})
}
