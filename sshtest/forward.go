package sshtest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// directTCP is the payload of direct-tcpip and forwarded-tcpip opens
// (RFC 4254, section 7.2).
type directTCP struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// forwardTCP is the payload of tcpip-forward (section 7.1).
type forwardTCP struct {
	Host string
	Port uint32
}

// directUnix is the payload of direct-streamlocal@openssh.com opens
// (PROTOCOL, section 2.4).
type directUnix struct {
	Path     string
	Reserved string
	Unused   uint32
}

// forwardedUnix is the payload of forwarded-streamlocal@openssh.com opens.
type forwardedUnix struct {
	Path     string
	Reserved string
}

func (c *Conn) acceptDirectTCP(nch ssh.NewChannel, id int) {
	var to directTCP
	if err := ssh.Unmarshal(nch.ExtraData(), &to); err != nil {
		nch.Reject(ssh.ConnectionFailed, "malformed direct-tcpip")
		return
	}
	c.connect(nch, id, "tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
}

func (c *Conn) acceptDirectUnix(nch ssh.NewChannel, id int) {
	var to directUnix
	if err := ssh.Unmarshal(nch.ExtraData(), &to); err != nil {
		nch.Reject(ssh.ConnectionFailed, "malformed direct-streamlocal")
		return
	}
	c.connect(nch, id, "unix", to.Path)
}

// connect dials the target of a forward and copies data until both sides have
// ended.
func (c *Conn) connect(nch ssh.NewChannel, id int, network, addr string) {
	if c.srv.opts.NoForwarding {
		nch.Reject(ssh.Prohibited, "open failed")
		return
	}
	dial := c.srv.opts.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	target, err := dial(c.ctx, network, addr)
	if err != nil {
		nch.Reject(ssh.ConnectionFailed, connectError(err))
		return
	}
	ch, reqs, err := nch.Accept()
	if err != nil {
		target.Close()
		return
	}
	c.carry(ch, reqs, target, id)
}

// connectError returns the text that sshd has for a failed connect.
func connectError(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		msg := errno.Error()
		return strings.ToUpper(msg[:1]) + msg[1:]
	}
	return err.Error()
}

// carry copies data between a channel and a connection, including half closes.
// It returns when the channel has ended.
func (c *Conn) carry(ch ssh.Channel, reqs <-chan *ssh.Request, nc net.Conn, id int) {
	stop := context.AfterFunc(c.ctx, func() { nc.Close() })
	defer stop()
	ended := make(chan struct{}) // closed when the channel has ended
	c.wg.Go(func() {
		defer close(ended)
		c.refuseRequests(reqs, id)
	})
	var both sync.WaitGroup
	delivered := make(chan struct{})
	both.Go(func() {
		defer close(delivered)
		io.Copy(nc, ch)
		if hc, ok := nc.(interface{ CloseWrite() error }); !ok || hc.CloseWrite() != nil {
			nc.Close()
		}
	})
	both.Go(func() {
		io.Copy(ch, nc)
		ch.CloseWrite()
	})
	c.wg.Go(func() {
		// The copy to the closed channel may still read from nc. What came
		// before the close must reach nc first.
		<-ended
		<-delivered
		nc.Close()
	})
	both.Wait()
	ch.Close()
	nc.Close()
	<-ended
}

// refuseRequests records and refuses the requests on a channel. It ends with the
// channel.
func (c *Conn) refuseRequests(reqs <-chan *ssh.Request, id int) {
	replies := 0
	for req := range reqs {
		r := c.note(Record{Kind: Channel, Type: req.Type, Conn: c.ID, Channel: id, WantReply: req.WantReply,
			Payload: req.Payload, RepliesBefore: replies})
		ok, _, answer := c.react(r, func() (bool, []byte) { return false, nil })
		if answer && req.WantReply {
			replies++
			req.Reply(ok, nil)
		}
	}
}

// listenTCP handles tcpip-forward.
func (c *Conn) listenTCP(payload []byte) (bool, []byte) {
	var at forwardTCP
	if err := ssh.Unmarshal(payload, &at); err != nil || c.srv.opts.NoForwarding || at.Port > 65535 {
		return false, nil
	}
	ln, err := c.srv.listen("tcp", net.JoinHostPort(c.bindHost(at.Host), strconv.Itoa(int(at.Port))))
	if err != nil {
		return false, nil
	}
	port := at.Port
	if a, ok := ln.Addr().(*net.TCPAddr); ok {
		port = uint32(a.Port)
	}
	// cancel-tcpip-forward names the port that was bound, channel opens the host
	// that was asked for
	c.addForward(tcpKey(at.Host, port), ln, func(nc net.Conn) (string, []byte) {
		from := directTCP{Host: at.Host, Port: port, OriginHost: "127.0.0.1"}
		if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
			from.OriginHost, from.OriginPort = a.IP.String(), uint32(a.Port)
		}
		return "forwarded-tcpip", ssh.Marshal(from)
	})
	if at.Port != 0 {
		return true, nil
	}
	return true, binary.BigEndian.AppendUint32(nil, port)
}

// bindHost returns the address on which a remote forward listens: loopback,
// unless GatewayPorts is set.
func (c *Conn) bindHost(asked string) string {
	switch {
	case !c.srv.opts.GatewayPorts, asked == "localhost":
		return "127.0.0.1"
	case asked == "*":
		return ""
	}
	return asked
}

func (c *Conn) cancelTCP(payload []byte) bool {
	var at forwardTCP
	if err := ssh.Unmarshal(payload, &at); err != nil {
		return false
	}
	return c.removeForward(tcpKey(at.Host, at.Port))
}

func tcpKey(host string, port uint32) string { return "tcp " + host + " " + strconv.Itoa(int(port)) }

// listenUnix handles streamlocal-forward@openssh.com.
func (c *Conn) listenUnix(payload []byte) bool {
	var at struct{ Path string }
	if err := ssh.Unmarshal(payload, &at); err != nil || c.srv.opts.NoForwarding {
		return false
	}
	ln, err := c.srv.listen("unix", at.Path)
	if err != nil {
		return false
	}
	if c.srv.opts.ListenForward == nil {
		os.Chmod(at.Path, 0o600) // StreamLocalBindMask's default
	}
	c.addForward("unix "+at.Path, ln, func(net.Conn) (string, []byte) {
		return "forwarded-streamlocal@openssh.com", ssh.Marshal(forwardedUnix{Path: at.Path})
	})
	return true
}

func (c *Conn) cancelUnix(payload []byte) bool {
	var at struct{ Path string }
	if err := ssh.Unmarshal(payload, &at); err != nil {
		return false
	}
	return c.removeForward("unix " + at.Path)
}

func (s *Server) listen(network, addr string) (net.Listener, error) {
	if s.opts.ListenForward != nil {
		return s.opts.ListenForward(network, addr)
	}
	return net.Listen(network, addr)
}

// addForward accepts connections and opens a channel for each, until the forward
// is cancelled or the connection ends.
func (c *Conn) addForward(key string, ln net.Listener, open func(net.Conn) (string, []byte)) {
	c.mu.Lock()
	c.forwards[key] = ln
	c.mu.Unlock()
	c.srv.journal.touch()
	stop := context.AfterFunc(c.ctx, func() { ln.Close() })
	c.wg.Go(func() {
		defer stop()
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() {
				channelType, payload := open(nc)
				c.forwarded(nc, channelType, payload)
			})
		}
	})
}

// forwarded serves one connection to a remote forward.
func (c *Conn) forwarded(nc net.Conn, channelType string, payload []byte) {
	ch, reqs, id, err := c.openToClient(channelType, payload)
	if err != nil {
		nc.Close()
		return
	}
	c.carry(ch, reqs, nc, id)
}

// openToClient opens a channel to the client and numbers it for Record.
func (c *Conn) openToClient(channelType string, payload []byte) (ssh.Channel, <-chan *ssh.Request, int, error) {
	ch, reqs, err := c.SSH.OpenChannel(channelType, payload)
	if err != nil {
		return nil, nil, 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.openedByServer++
	return ch, reqs, -c.openedByServer, nil
}

// OpenForwardedTCP opens forwarded-tcpip, as if a client had connected from
// origin to the remote forward that listens on host and port. The caller closes
// the channel.
func (c *Conn) OpenForwardedTCP(host string, port int, origin *net.TCPAddr) (ssh.Channel, error) {
	ch, reqs, id, err := c.openToClient("forwarded-tcpip", ssh.Marshal(directTCP{
		Host: host, Port: uint32(port), OriginHost: origin.IP.String(), OriginPort: uint32(origin.Port)}))
	if err != nil {
		return nil, err
	}
	c.wg.Go(func() { c.refuseRequests(reqs, id) })
	return ch, nil
}

func (c *Conn) removeForward(key string) bool {
	c.mu.Lock()
	ln := c.forwards[key]
	delete(c.forwards, key)
	c.mu.Unlock()
	if ln == nil {
		return false
	}
	ln.Close()
	c.srv.journal.touch()
	return true
}

// Forwards returns the number of remote forwards of the connection.
func (c *Conn) Forwards() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.forwards)
}

// ForwardAddrs returns the addresses on which the remote forwards listen.
func (c *Conn) ForwardAddrs() []net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	var addrs []net.Addr
	for _, ln := range c.forwards {
		addrs = append(addrs, ln.Addr())
	}
	return addrs
}

// OpenAgent opens auth-agent@openssh.com, as sshd does when a program on the
// server connects to its SSH_AUTH_SOCK. The caller closes the channel.
func (c *Conn) OpenAgent() (agent.ExtendedAgent, ssh.Channel, error) {
	ch, reqs, id, err := c.openToClient("auth-agent@openssh.com", nil)
	if err != nil {
		return nil, nil, err
	}
	c.wg.Go(func() { c.refuseRequests(reqs, id) })
	return agent.NewClient(ch), ch, nil
}

// serveAgentSocket creates a socket that leads to the client's agent, until stop
// is called or the session ends.
func (s *Session) serveAgentSocket() (path string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "sshtest-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "agent")
	ln, err := net.Listen("unix", path)
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	unwatch := context.AfterFunc(s.ctx, func() { ln.Close() })
	s.Conn.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			s.Conn.wg.Go(func() { s.Conn.forwarded(nc, "auth-agent@openssh.com", nil) })
		}
	})
	return path, func() {
		unwatch()
		ln.Close()
		os.RemoveAll(dir)
	}, nil
}
