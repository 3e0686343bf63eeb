package session

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// exitStatus is what the server has told of the program's end.
type exitStatus struct {
	mu   sync.Mutex
	told bool
	err  *ExitError // nil for status 0
}

func (s *exitStatus) set(err *ExitError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.told {
		s.told, s.err = true, err
	}
}

func (s *exitStatus) get() (told bool, err *ExitError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told, s.err
}

// serveRequests takes what the server sends beside the data. It ends when
// the channel has been closed by both sides, or the connection is gone.
func (c *Cmd) serveRequests(reqs <-chan *ssh.Request) {
	defer close(c.ended)
	for r := range reqs {
		ok := true
		switch r.Type {
		case "exit-status":
			ok = c.exitStatusRequest(r.Payload)
		case "exit-signal":
			ok = c.exitSignalRequest(r.Payload)
		case "eow@openssh.com":
			c.stopInput() // the program no longer reads
		default:
			// Also the server's keepalive@openssh.com, for which a failure
			// is as good an answer as any.
			ok = false
		}
		r.Reply(ok, nil)
	}
}

func (c *Cmd) exitStatusRequest(payload []byte) bool {
	var msg struct{ Status uint32 }
	if ssh.Unmarshal(payload, &msg) != nil {
		return false
	}
	if msg.Status == 0 {
		c.exit.set(nil)
	} else {
		c.exit.set(&ExitError{Status: int(msg.Status)})
	}
	return true
}

func (c *Cmd) exitSignalRequest(payload []byte) bool {
	var msg struct {
		Signal  string
		Core    bool
		Message string
		Lang    string
	}
	if ssh.Unmarshal(payload, &msg) != nil {
		return false
	}
	c.exit.set(&ExitError{Signal: msg.Signal, Core: msg.Core, Message: msg.Message, Lang: msg.Lang})
	return true
}

// Wait returns when the program has ended and all that it wrote has been
// delivered: nil for exit status 0, an [*ExitError] for any other end that
// the server told, [ErrNoStatus], or the cause of the context's or the
// connection's end.
func (c *Cmd) Wait() error {
	if c.ch == nil {
		return errors.New("session: not started")
	}
	finished := make(chan struct{})
	go c.awaitEnd(finished)
	select {
	case <-finished:
	case <-c.ctx.Done():
		c.gate.Lock() // a Write under way ends first; no other follows
		c.stopped = true
		c.gate.Unlock()
	}
	err := c.result()
	c.release(err)
	return err
}

// awaitEnd closes finished when output and channel have ended. It ends with
// the channel, at the latest with the connection.
func (c *Cmd) awaitEnd(finished chan<- struct{}) {
	c.output.Wait()
	<-c.ended
	close(finished)
}

// result tells how it ended. A status that the server told wins over the
// context: the program did end.
func (c *Cmd) result() error {
	if told, err := c.exit.get(); told {
		if err != nil {
			return err
		}
		if context.Cause(c.ctx) == nil {
			return c.pumpErr.get()
		}
		return nil
	}
	return c.cause(ErrNoStatus)
}

// release gives back what Start took. The Stdin pump is waited for when it
// can be cancelled; otherwise it ends with its next Read.
func (c *Cmd) release(err error) {
	c.stopCtx()
	c.stopInput()
	c.cancel(err)
	if _, ok := c.Stdin.(Canceler); ok {
		c.input.Wait()
	}
}

// Signal sends a signal to the remote program, by its name without "SIG"
// (RFC 4254, section 6.9). Some servers ignore it.
func (c *Cmd) Signal(name string) error {
	return c.send("signal", ssh.Marshal(struct{ Name string }{name}))
}

// Break sends a break of the given length in milliseconds (RFC 4335).
func (c *Cmd) Break(milliseconds uint32) error {
	return c.send("break", ssh.Marshal(struct{ Length uint32 }{milliseconds}))
}

// Resize tells the server the terminal's new size (RFC 4254, section 6.7).
func (c *Cmd) Resize(s Size) error {
	return c.send("window-change", ssh.Marshal(s))
}

func (c *Cmd) send(name string, payload []byte) error {
	if c.ch == nil {
		return errors.New("session: not started")
	}
	_, err := c.ch.SendRequest(name, false, payload)
	if errors.Is(err, io.EOF) {
		return io.ErrClosedPipe
	}
	return err
}

// Close closes the channel without waiting for the program. Wait returns
// once the server has closed it too.
func (c *Cmd) Close() error {
	if c.ch == nil {
		return nil
	}
	return c.ch.Close()
}
