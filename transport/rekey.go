package transport

import "time"

// Rekey begins a key exchange, unless one is under way. It does not wait for its
// end.
func (c *Conn) Rekey() error { return c.startExchange() }

// AllowRekey has keys exchanged again by the limits of Config. It is called once
// the user is authenticated: OpenSSH's server answers no key exchange before.
func (c *Conn) AllowRekey() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mayRekey = true
	c.restartTimer()
}

func (c *Conn) restartTimer() {
	if c.cfg.RekeyInterval <= 0 || !c.mayRekey || c.err != nil {
		return
	}
	if c.rekeyTimer == nil {
		c.rekeyTimer = time.AfterFunc(c.cfg.RekeyInterval, func() { c.Rekey() })
		return
	}
	c.rekeyTimer.Reset(c.cfg.RekeyInterval)
}

// maxPacketsPerKey is far below the 2^32 after which sequence numbers repeat.
const maxPacketsPerKey = 1 << 31

// rekeyLimit is the number of bytes for which keys of a cipher are used: as
// OpenSSH has it, by RFC 4344, section 3.2, and Config.RekeyBytes.
func (c *Conn) rekeyLimit(cipher string) uint64 {
	limit := uint64(16) << 32
	if s := cipherByName(cipher); s != nil && s.smallBlocks {
		limit = 1 << 30
	}
	if c.cfg.RekeyBytes > 0 {
		limit = min(limit, c.cfg.RekeyBytes)
	}
	return limit
}

// rekeyIfDue is called by the reader.
func (c *Conn) rekeyIfDue() {
	if c.in.packets < maxPacketsPerKey && c.in.bytes < c.limits[0] {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mayRekey {
		c.startExchangeLocked()
	}
}

func (c *Conn) rekeyIfDueLocked() error {
	if c.mayRekey && (c.out.packets >= maxPacketsPerKey || c.out.bytes >= c.limits[1]) {
		return c.startExchangeLocked()
	}
	return nil
}
