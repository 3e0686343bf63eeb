package sshtest

import (
	"errors"
	"time"
)

// errClientLost is the cause of the end of a connection whose client did not
// answer the server's keepalives.
var errClientLost = errors.New("sshtest: client does not answer")

// aliveLoop probes the client as sshd does: with a request on an open session
// channel, or a global one while there is none. It ends with the connection.
func (c *Conn) aliveLoop() {
	countMax := c.srv.opts.AliveCountMax
	if countMax == 0 {
		countMax = 3
	}
	answers := make(chan bool, 1)
	answers <- true // nothing is outstanding yet
	ticker := time.NewTicker(c.srv.opts.AliveInterval)
	defer ticker.Stop()
	missed := 0
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
		}
		select {
		case <-answers:
			missed = 0
			// One at a time: x/crypto queues a second request that wants a
			// reply behind the first. It ends with the connection.
			c.wg.Go(func() { c.probe(answers) })
		default:
			if missed++; missed >= countMax {
				c.cancel(errClientLost)
				return
			}
		}
	}
}

// probe sends one keepalive and waits for any answer.
func (c *Conn) probe(answers chan<- bool) {
	c.aliveSent.Add(1)
	c.srv.journal.touch()
	var err error
	if s := c.anySession(); s != nil {
		_, err = s.ch.SendRequest("keepalive@openssh.com", true, nil)
	} else {
		_, _, err = c.SSH.SendRequest("keepalive@openssh.com", true, nil)
	}
	if err == nil {
		c.aliveAnswered.Add(1)
		c.srv.journal.touch()
	}
	// A channel that was closed under the request shows life too.
	answers <- true
}

// anySession returns a session channel that is open, or nil.
func (c *Conn) anySession() *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.sessions {
		if s.ch != nil && s.ctx.Err() == nil {
			return s
		}
	}
	return nil
}

// Alive returns how many keepalives the server has sent and how many of them
// the client has answered, in whatever way.
func (c *Conn) Alive() (sent, answered int) {
	return int(c.aliveSent.Load()), int(c.aliveAnswered.Load())
}
