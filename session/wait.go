package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// exitStatus is what the server has told of the program's end.
type exitStatus struct {
	mu   sync.Mutex
	told bool
	err  *ExitError // nil for status 0
}

// set keeps the first that is told.
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
		c.told(nil)
	} else {
		c.told(&ExitError{Status: int(msg.Status)})
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
	c.told(&ExitError{Signal: msg.Signal, Core: msg.Core, Message: msg.Message, Lang: msg.Lang})
	return true
}

// told takes the program's end, unless it is our own that the program met: the
// context's end has closed the channel.
func (c *Cmd) told(err *ExitError) {
	if c.ctx.Err() == nil {
		c.exit.set(err)
	}
}

// Wait returns when the program has ended and all that it wrote has been
// delivered: nil for exit status 0, an [*ExitError] for any other end that
// the server told, an [*OutputError], [ErrNoStatus], or the cause of the
// context's or the connection's end. It is called once.
func (c *Cmd) Wait() error {
	if c.ch == nil {
		return errNotStarted
	}
	if c.waited.Swap(true) {
		return errors.New("session: Wait was already called")
	}
	finished := make(chan struct{})
	go c.awaitEnd(finished)
	complete := true
	select {
	case <-finished:
	case <-c.ctx.Done():
		c.stopOutput()
		complete = false
	}
	if complete {
		c.ch.Close() // for whoever keeps account of channels: the server has closed it
	}
	err := c.result(complete)
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

// result tells how it ended. A status that the server told before the context
// ended wins over that, save that success takes the whole output.
func (c *Cmd) result(complete bool) error {
	told, exit := c.exit.get()
	switch {
	case !told:
		return c.cause(ErrNoStatus)
	case exit != nil:
		return exit
	}
	if err := c.pumpErr.get(); err != nil || complete {
		return err
	}
	return context.Cause(c.ctx)
}

// release gives back what Start took. A Stdin that can be cancelled is no
// longer read when it returns; another one is left alone after its next Read.
// The pump itself may be in a Write to the channel, and ends with that.
func (c *Cmd) release(err error) {
	c.stopCtx()
	c.stopInput()
	c.cancel(err)
	if _, ok := c.Stdin.(Canceler); ok {
		c.reading.Lock() // waits for the Read under way
		defer c.reading.Unlock()
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
		return errNotStarted
	}
	_, err := c.ch.SendRequest(name, false, payload)
	return closedPipe(err)
}

// errClosed is the error of a program that Close gave up.
var errClosed = fmt.Errorf("session: %w", net.ErrClosed)

// Close closes the channel without waiting for the program, and ends a Start
// under way. It frees Wait and the Reads of pipes, whose error then matches
// [net.ErrClosed].
func (c *Cmd) Close() error {
	if c.closed == nil {
		return nil
	}
	c.closing.Lock()
	defer c.closing.Unlock()
	select {
	case <-c.closed:
		return nil
	default:
		close(c.closed)
	}
	if c.cancel == nil {
		return nil
	}
	c.cancel(errClosed)
	select {
	case <-c.begun:
		if c.ch == nil {
			return nil
		}
		if err := c.ch.Close(); !errors.Is(err, io.EOF) { // closed already, by the context's end or the server
			return err
		}
	default:
	}
	return nil
}
