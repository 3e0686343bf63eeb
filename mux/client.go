package mux

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
)

// Client is a connection to a master. It allows one session. Other requests can be
// made one after another. A master closes the connection of a client that has no
// session and sends no request for a minute.
type Client struct {
	c     *net.UnixConn
	path  string
	opts  ClientOptions
	log   *slog.Logger
	hello *helloMessage // the master's

	mu     sync.Mutex // held while a request waits for its reply
	nextID uint32
	taken  error // why no further request is possible
}

// Connect connects to the master at path and exchanges HELLOs. Its error wraps
// ErrNoMaster, ErrStale, ErrTimeout, ErrMasterGone, ErrPeer or the cause of
// ctx, or is a *PathError, *VersionError or *ProtocolError.
func Connect(ctx context.Context, path string, opts ClientOptions) (*Client, error) {
	if err := checkPath(path, 0); err != nil {
		return nil, err
	}
	if opts.AgentSocket != "" {
		if err := checkAgentSocket(opts.AgentSocket); err != nil {
			return nil, err
		}
	}
	limited, cancel := context.WithTimeout(ctx, cmp.Or(opts.HelloTimeout, helloTimeout))
	defer cancel()
	conn, err := connect(limited, path, opts.RemoveStale)
	if err != nil {
		return nil, fmt.Errorf("mux: connect to %s: %w", path, explain(ctx, limited, err))
	}
	c := &Client{c: conn, path: path, opts: opts, log: opts.Logger}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if err := c.greet(limited, opts.AgentSocket); err != nil {
		conn.Close()
		return nil, fmt.Errorf("mux: greet %s: %w", path, explain(ctx, limited, err))
	}
	c.log.Debug("mux: connected to a master", "path", path, "version", c.hello.version, "extensions", len(c.hello.extensions))
	return c, nil
}

// connect makes sure that nobody else gets what follows: commands, and
// descriptors.
func connect(ctx context.Context, path string, removeStale bool) (*net.UnixConn, error) {
	dev, ino, own := ownSocket(path)
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", ErrNoMaster, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		// A new master may have replaced it in the meantime.
		if removeStale && own && sameSocket(path, dev, ino) {
			os.Remove(path)
		}
		return nil, fmt.Errorf("%w: %w", ErrStale, err)
	case errors.Is(err, syscall.EAGAIN):
		// The queue of a master that accepts nobody is full (unix(7)).
		return nil, fmt.Errorf("%w: %w", ErrTimeout, err)
	case err != nil:
		return nil, err
	}
	c := conn.(*net.UnixConn)
	if err := checkMaster(c, path); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// explain makes of a failure what a caller can act on. limited is ctx with our
// own limit.
func explain(ctx, limited context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
			return cause
		}
		return fmt.Errorf("%w: %w", ErrTimeout, context.Cause(ctx))
	case limited.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrTimeout, os.ErrDeadlineExceeded)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%w: %w", ErrMasterGone, err)
	}
	return err
}

// greet exchanges HELLOs. The client sends first, because OpenSSH's master sends
// its own HELLO only when it has something to read.
func (c *Client) greet(ctx context.Context, agent string) error {
	defer c.interruptible(ctx)()
	if err := c.send(ourHello(agent)); err != nil {
		return err
	}
	b, err := readFrame(c.c, nil)
	if err != nil {
		return err
	}
	c.hello, err = parseHello(b)
	return err
}

// interruptible makes reads and writes fail when ctx ends, until release is
// called.
func (c *Client) interruptible(ctx context.Context) (release func()) {
	stop := context.AfterFunc(ctx, func() { c.c.SetDeadline(past()) })
	return func() {
		if stop() {
			c.c.SetDeadline(time.Time{})
		}
	}
}

func (c *Client) send(m message) error {
	b, err := frame(m)
	if err != nil {
		return err
	}
	_, err = c.c.Write(b)
	return err
}

// ask sends a request with descriptors, and waits for the reply. request gets the
// id of the request. After a failure the connection is closed, because a late
// reply would be taken for the reply to the next request.
func (c *Client) ask(ctx context.Context, request func(id uint32) message, fds ...int) (message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken != nil {
		return nil, c.taken
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	id := c.nextID
	c.nextID++
	release := c.interruptible(ctx)
	reply, err := c.exchange(request(id), id, fds)
	release()
	if err != nil {
		err = explain(ctx, ctx, err)
		c.taken = fmt.Errorf("mux: connection closed: %w", err)
		c.c.Close()
		return nil, err
	}
	if no, ok := reply.(*refusalMessage); ok {
		return nil, &RefusedError{Denied: no.kind == msgPermissionDenied, Reason: no.reason}
	}
	return reply, nil
}

func (c *Client) exchange(m message, id uint32, fds []int) (message, error) {
	if err := c.send(m); err != nil {
		return nil, err
	}
	for _, fd := range fds {
		if err := sendFD(c.c, fd); err != nil {
			return nil, err
		}
	}
	b, err := readFrame(c.c, nil)
	if err != nil {
		return nil, err
	}
	reply, err := parseReply(b)
	if err != nil {
		return nil, err
	}
	if got := replyID(reply); got != id {
		return nil, &ProtocolError{fmt.Sprintf("out of sequence reply: my id %d theirs %d", id, got)}
	}
	return reply, nil
}

func replyID(m message) uint32 {
	switch m := m.(type) {
	case *plainReply:
		return m.id
	case *refusalMessage:
		return m.id
	case *infoReplyMessage:
		return m.id
	}
	return 0
}

// want returns the reply if it is of the given kind, and an error otherwise.
func want(reply message, kind msgType) (*plainReply, error) {
	if r, ok := reply.(*plainReply); ok && r.kind == kind {
		return r, nil
	}
	return nil, &ProtocolError{fmt.Sprintf("unexpected %T from the master", reply)}
}

// Close closes the connection. The master ends its session.
func (c *Client) Close() error { return c.c.Close() }

// Ours reports whether the master is gossh's, as opposed to OpenSSH's.
func (c *Client) Ours() bool { return c.hello.has(extStatus) }

// Proxy turns the connection into one that speaks the SSH connection protocol. The
// ssh.Conn owns the Client. As with x/crypto's NewClientConn, both Go channels
// must be served.
//
// Proxy mode can end OpenSSH's master, so it is not used there. Sessions,
// connections and listeners are then those of [Client.NewSession],
// [Client.StdioForward] and [Client.OpenForward], in the form of an ssh.Conn.
// Signals, window sizes and terminal modes are not passed on, and the agent is the
// master's. What is not possible, such as a channel of another type, fails with
// errors.ErrUnsupported.
func (c *Client) Proxy(ctx context.Context) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	if !c.Ours() {
		conn, err := newPassengerConn(ctx, c)
		if err != nil {
			return nil, nil, nil, err
		}
		return conn, conn.channels, conn.requests, nil
	}
	reply, err := c.ask(ctx, func(id uint32) message { return &plainRequest{msgProxy, id} })
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err := want(reply, msgProxyReply); err != nil {
		return nil, nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = &ProtocolError{"the connection is in proxy mode"}
	return proxyConn(c.c)
}

// Dial returns a client that uses the connection of the master at path, which may
// be OpenSSH's or gossh's. Closing it does not affect the master. See
// [Client.Proxy] for what is not possible through OpenSSH's master.
func Dial(ctx context.Context, path string) (*ssh.Client, error) {
	c, err := Connect(ctx, path, ClientOptions{})
	if err != nil {
		return nil, err
	}
	conn, channels, requests, err := c.Proxy(ctx)
	if err != nil {
		c.Close()
		return nil, err
	}
	return ssh.NewClient(conn, channels, requests), nil
}

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
