package faultnet

import (
	"fmt"
	"net"
	"sync"
)

// Proxy is a TCP proxy on a loopback port, for programs that make their own
// connections. The faults of its Link apply to all its connections, also to
// later ones.
type Proxy struct {
	*Link
	ln     net.Listener
	target string

	wg     sync.WaitGroup
	mu     sync.Mutex
	closed bool
	count  int
}

// NewProxy starts a Proxy that listens on a free port of 127.0.0.1 and passes
// connections to target, a TCP address. Close stops it.
func NewProxy(target string) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("faultnet: %w", err)
	}
	p := &Proxy{Link: newLink(), ln: ln, target: target}
	p.wg.Go(p.acceptLoop)
	return p, nil
}

// Addr returns the address to connect to, host:port.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Port returns the port of Addr.
func (p *Proxy) Port() int { return p.ln.Addr().(*net.TCPAddr).Port }

// Connections returns the number of connections that were accepted.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Close closes the listener and all connections, and waits for the goroutines.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.ln.Close()
	p.Cut()
	p.wg.Wait()
	return nil
}

// acceptLoop ends when the listener is closed.
func (p *Proxy) acceptLoop() {
	for {
		nc, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.relay(nc) })
	}
}

// relay serves one connection until it ends. If the target cannot be reached,
// the connection is reset.
func (p *Proxy) relay(nc net.Conn) {
	target, err := net.Dial("tcp", p.target)
	if err != nil {
		resetConn(nc)
		nc.Close()
		return
	}
	p.mu.Lock()
	p.count++ // before its first byte is passed
	p.mu.Unlock()
	c := p.carry(nc, target)
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		c.end(nil)
	}
	c.wg.Wait()
}
