package transport

import (
	crand "crypto/rand"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Config says how a connection is made. The lists are in the order of
// preference, and names that the package does not know are not offered.
type Config struct {
	// Version is the identification without its line ending, such as
	// "SSH-2.0-gossh_0.1".
	Version string

	KeyExchanges      []string
	HostKeyAlgorithms []string
	Ciphers           []string
	MACs              []string

	// HostKey decides about the server's host key in each key exchange. It is
	// called after the server has proved that it has the private half; an error
	// ends the connection before anything else is sent.
	HostKey func(HostKey) error

	// Guess has the first message of the key exchange sent along with KEXINIT,
	// for the first of KeyExchanges, which saves a round trip if the server
	// prefers the same (RFC 4253, section 7).
	Guess bool

	// RekeyBytes, if not zero, is after how many bytes of one direction keys are
	// exchanged again; RekeyInterval, if not zero, after what time. There is a
	// limit for the sake of the cipher in any case. Rekeying begins with
	// [Conn.AllowRekey].
	RekeyBytes    uint64
	RekeyInterval time.Duration

	// Rand is the source of keys. The default is crypto/rand.
	Rand io.Reader

	// OnLine, if set, gets the lines that the server sends before its
	// identification, numbered from 0, and OnVersion the identification.
	OnLine    func(number int, line string)
	OnVersion func(line string)

	// OnKeyExchange, if set, is called after each key exchange, by ReadPacket or
	// Client.
	OnKeyExchange func(Algorithms)
}

// A HostKey is the host key that the server has used in a key exchange.
type HostKey struct {
	Algorithm string // of the signature, as negotiated
	Key       ssh.PublicKey
	Signature []byte // over the exchange hash, in the wire format
}

// A Conn is the client's side of an SSH connection.
type Conn struct {
	nc  net.Conn
	cfg Config

	in input // of the caller of ReadPacket alone

	// What the first key exchange has set and later ones leave.
	clientVersion, serverVersion string
	sessionID                    []byte
	strict                       bool
	initial                      bool // the first key exchange is not over
	early                        int  // messages before the first KEXINIT
	firstHostKey                 HostKey
	serverKex                    []string

	mu           sync.Mutex
	changed      sync.Cond // of what follows
	out          output
	err          error // the first cause of the end
	flushing     bool
	started      bool      // the first key exchange is over
	exchange     *exchange // the one under way, nil for none
	held         [][]byte  // packets for after it
	heldBytes    int
	mayRekey     bool
	limits       [2]uint64 // bytes of each direction until keys are exchanged again: read, write
	rekeyTimer   *time.Timer
	algorithms   Algorithms
	extensions   map[string]string
	extensionsIn int

	kick  chan struct{} // wakes flushLoop
	done  chan struct{} // closed with err
	loops sync.WaitGroup
}

// Bounds of what waits to be sent.
const (
	maxPending = 512 << 10 // bytes, beyond which WritePacket waits
	maxQueued  = 4 << 20   // bytes of QueuePacket, beyond which the connection ends
)

// Client exchanges versions and keys with the server at the other end of nc. It
// blocks until that has been done or has failed, for as long as nc does: the
// caller bounds it with deadlines or by closing nc. The returned Conn owns nc.
// If there is an error, nc is left to the caller.
func Client(nc net.Conn, cfg *Config) (*Conn, error) {
	c := &Conn{nc: nc, cfg: *cfg, kick: make(chan struct{}, 1), done: make(chan struct{})}
	c.changed.L = &c.mu
	if c.cfg.Rand == nil {
		c.cfg.Rand = crand.Reader
	}
	var seed [32]byte
	crand.Read(seed[:])
	c.initial = true
	c.in = input{src: nc, guard: plain{}}
	c.out = output{guard: plain{}, padding: rand.NewChaCha8(seed)}
	c.limits = [2]uint64{c.rekeyLimit(""), c.rekeyLimit("")}
	if err := c.handshake(); err != nil {
		return nil, err
	}
	c.started = true
	c.loops.Add(1)
	go c.flushLoop()
	return c, nil
}

// handshake runs to the end of the first key exchange. NEWKEYS is left in the
// buffer, to go out together with what the caller sends first.
func (c *Conn) handshake() error {
	c.clientVersion = c.cfg.Version
	c.out.pending = append(append(c.out.pending, c.clientVersion...), "\r\n"...)
	if err := c.startExchange(); err != nil {
		return err
	}
	if err := c.flushAll(); err != nil {
		return err
	}
	var err error
	if c.serverVersion, err = c.readVersion(); err != nil {
		return err
	}
	if c.cfg.OnVersion != nil {
		c.cfg.OnVersion(c.serverVersion)
	}
	for c.initial {
		p, err := c.in.next()
		if err != nil {
			return err
		}
		if err := c.transportMessage(p); err != nil {
			return err
		}
	}
	return nil
}

// ReadPacket returns the next message of the layers above, without its framing.
// It is valid until the next call. Messages of the transport layer are handled
// and not returned. ReadPacket has one caller at a time.
func (c *Conn) ReadPacket() ([]byte, error) {
	for {
		p, err := c.in.next()
		if err != nil {
			c.in.guard.clear()
			return nil, c.fail(err)
		}
		if p[0] >= msgFirstHigher && p[0] < msgPing || p[0] == msgServiceAccept {
			c.rekeyIfDue()
			return p, nil
		}
		if err := c.transportMessage(p); err != nil {
			return nil, c.fail(err)
		}
	}
}

// WritePacket sends a message of the layers above whose payload is head followed
// by body. It blocks while keys are exchanged and while the connection does not
// take what was sent before. It keeps neither slice.
func (c *Conn) WritePacket(head, body []byte) error {
	if err := checkPayload(head, body); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && (c.exchange != nil || len(c.out.pending) > maxPending) {
		c.changed.Wait()
	}
	if c.err != nil {
		return c.err
	}
	c.out.append(head, body)
	if err := c.rekeyIfDueLocked(); err != nil {
		return err
	}
	c.flush()
	return c.err
}

// WritePackets sends several messages in one piece, as far as the connection
// allows. Otherwise it is like WritePacket.
func (c *Conn) WritePackets(packets ...[]byte) error {
	for _, p := range packets {
		if err := checkPayload(p, nil); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && (c.exchange != nil || len(c.out.pending) > maxPending) {
		c.changed.Wait()
	}
	if c.err != nil {
		return c.err
	}
	for _, p := range packets {
		c.out.append(p, nil)
	}
	c.flush()
	return c.err
}

// QueuePacket sends a message as WritePacket does, but never blocks: the message
// is kept until it can be sent. It is for answers to what was read. If far too
// many wait, the connection ends.
func (c *Conn) QueuePacket(p []byte) error {
	if err := checkPayload(p, nil); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue(p)
}

func (c *Conn) queue(p []byte) error {
	if c.err != nil {
		return c.err
	}
	if len(c.out.pending)+c.heldBytes > maxQueued {
		c.failLocked(ErrTooManyQueued)
		return c.err
	}
	if c.exchange != nil && p[0] != msgPong {
		c.held = append(c.held, slices.Clone(p))
		c.heldBytes += len(p)
		return nil
	}
	c.out.append(p, nil)
	c.wakeFlusher()
	return nil
}

func checkPayload(head, body []byte) error {
	if n := len(head) + len(body); n > maxPayload || n == 0 || len(head) == 0 {
		return protocolErrorf("message of %d bytes is too long or empty", n)
	}
	return nil
}

// flush writes what is pending, unless another goroutine is doing so. What has
// gathered meanwhile is left to flushLoop, so that no sender works for the
// others without end. c.mu is held, and released in between.
func (c *Conn) flush() {
	if c.flushing || len(c.out.pending) == 0 {
		return
	}
	c.writePending()
	if len(c.out.pending) > 0 {
		c.wakeFlusher()
	}
}

// writePending writes what is pending once. c.mu is held, and released while the
// connection is written to.
func (c *Conn) writePending() {
	buf := c.out.pending
	c.out.pending = c.out.spare[:0]
	c.flushing = true
	c.mu.Unlock()
	_, err := c.nc.Write(buf)
	c.mu.Lock()
	c.flushing = false
	c.out.spare = nil
	if cap(buf) <= maxPending {
		c.out.spare = buf[:0]
	}
	if err != nil {
		c.failLocked(err)
	}
	c.changed.Broadcast()
}

func (c *Conn) wakeFlusher() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// flushLoop writes what QueuePacket and flush have left. It ends with the
// connection.
func (c *Conn) flushLoop() {
	defer c.loops.Done()
	for {
		select {
		case <-c.done:
			return
		case <-c.kick:
		}
		c.mu.Lock()
		for c.err == nil && len(c.out.pending) > 0 {
			if c.flushing {
				c.changed.Wait()
				continue
			}
			c.writePending()
		}
		c.mu.Unlock()
	}
}

// flushAll writes what is pending, before flushLoop runs.
func (c *Conn) flushAll() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && len(c.out.pending) > 0 {
		c.writePending()
	}
	return c.err
}

// fail ends the connection and returns the first cause of its end.
func (c *Conn) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked(err)
	return c.err
}

func (c *Conn) failLocked(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	if c.rekeyTimer != nil {
		c.rekeyTimer.Stop()
	}
	c.out.guard.clear()
	close(c.done)
	c.changed.Broadcast()
	c.nc.Close()
}

// Close closes the connection and waits for the goroutine of the package, not
// for the peer. It unblocks ReadPacket and WritePacket.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	c.loops.Wait()
	return nil
}

// Err returns the first cause of the connection's end, nil before.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// SessionID returns the hash of the first key exchange, which names the
// connection (RFC 4253, section 7.2).
func (c *Conn) SessionID() []byte { return slices.Clone(c.sessionID) }

// ServerVersion returns the server's identification.
func (c *Conn) ServerVersion() string { return c.serverVersion }

// ClientVersion returns the client's identification.
func (c *Conn) ClientVersion() string { return c.clientVersion }

// HostKey returns the host key of the first key exchange, whose signature is over
// the session id: what an agent is bound to.
func (c *Conn) HostKey() HostKey { return c.firstHostKey }

// ServerKeyExchanges returns what the server offered in the first key exchange.
func (c *Conn) ServerKeyExchanges() []string { return slices.Clone(c.serverKex) }

// Algorithms returns what the latest key exchange has agreed on.
func (c *Conn) Algorithms() Algorithms {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.algorithms
}

// Extension returns an extension that the server has announced in EXT_INFO
// (RFC 8308), such as server-sig-algs.
func (c *Conn) Extension(name string) (value string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok = c.extensions[name]
	return value, ok
}

// LocalAddr returns the address of this end of the network connection.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr returns the address of the other end of the network connection.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }
