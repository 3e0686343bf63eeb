package mux

import (
	"context"
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/forward"
)

// Alive returns the state of the master and, for a master of gossh, of its
// connection (-O check).
func (c *Client) Alive(ctx context.Context) (MasterStatus, error) {
	var status MasterStatus
	reply, err := c.ask(ctx, func(id uint32) message { return &plainRequest{msgAliveCheck, id} })
	if err != nil {
		return status, err
	}
	alive, err := want(reply, msgAlive)
	if err != nil {
		return status, err
	}
	status.PID = int(alive.value)
	if c.hello.has(extStatus) {
		text, err := c.askInfo(ctx, extStatus)
		if err != nil {
			return status, err
		}
		parseStatus(text, &status)
	}
	return status, nil
}

// Terminate asks the master to exit (-O exit).
func (c *Client) Terminate(ctx context.Context) error {
	err := c.order(ctx, msgTerminate)
	if errors.Is(err, ErrMasterGone) {
		return nil // OpenSSH's master may be quicker than its reply
	}
	return err
}

// Stop asks the master to stop accepting clients (-O stop).
func (c *Client) Stop(ctx context.Context) error { return c.order(ctx, msgStopListening) }

// order sends a request whose answer is OK.
func (c *Client) order(ctx context.Context, kind msgType) error {
	reply, err := c.ask(ctx, func(id uint32) message { return &plainRequest{kind, id} })
	if err != nil {
		return err
	}
	_, err = want(reply, msgOK)
	return err
}

// OpenForward requests a forwarding (-O forward). If it exists already, that is no
// error. For a Remote with port 0 it returns the port that the server chose, and
// otherwise 0.
func (c *Client) OpenForward(ctx context.Context, spec forward.Spec) (port int, err error) {
	reply, err := c.ask(ctx, func(id uint32) message { return forwardRequest(msgOpenForward, id, spec) })
	if err != nil {
		return 0, err
	}
	if r, ok := reply.(*plainReply); ok && r.kind == msgRemotePort {
		if r.value > 65535 {
			return 0, &ProtocolError{fmt.Sprintf("remote port %d", r.value)}
		}
		return int(r.value), nil
	}
	_, err = want(reply, msgOK)
	return 0, err
}

// CloseForward requests the end of a forwarding (-O cancel). spec must be the one
// that was opened, with port 0 if the server chose the port.
func (c *Client) CloseForward(ctx context.Context, spec forward.Spec) error {
	reply, err := c.ask(ctx, func(id uint32) message { return forwardRequest(msgCloseForward, id, spec) })
	if err != nil {
		return err
	}
	_, err = want(reply, msgOK)
	return err
}

// forwardRequest returns the message for a forwarding as OpenSSH sends it: a
// forwarding that speaks SOCKS has the target "socks", port 0.
func forwardRequest(kind msgType, id uint32, spec forward.Spec) *forwardMessage {
	spec = normal(spec)
	m := &forwardMessage{kind: kind, id: id, direction: uint32(spec.Kind), connectHost: "socks"}
	m.listenHost, m.listenPort = wireHost(spec.Listen)
	if !spec.SOCKS() {
		m.connectHost, m.connectPort = wireHost(spec.Connect)
	}
	return m
}

func wireHost(a forward.Addr) (host string, port uint32) {
	if a.Socket != "" {
		return a.Socket, portSocket
	}
	return a.Host, uint32(a.Port)
}

// HasInfo reports whether the master answers Info. OpenSSH's does since version
// 10.
func (c *Client) HasInfo() bool { return c.hello.has(extInfo) }

// Info requests the text of -O conninfo ("connection") or -O channels
// ("channels"). The text comes from the master, with line ends, and may contain
// control characters.
func (c *Client) Info(ctx context.Context, what string) (string, error) {
	if !c.HasInfo() {
		return "", &RefusedError{Reason: "unsupported request"}
	}
	return c.askInfo(ctx, what)
}

func (c *Client) askInfo(ctx context.Context, what string) (string, error) {
	reply, err := c.ask(ctx, func(id uint32) message { return &infoMessage{id, what} })
	if err != nil {
		return "", err
	}
	info, ok := reply.(*infoReplyMessage)
	if !ok {
		return "", &ProtocolError{fmt.Sprintf("unexpected %T from the master", reply)}
	}
	if info.status != infoOK {
		return "", &RefusedError{Reason: info.text}
	}
	return info.text, nil
}
