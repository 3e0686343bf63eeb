package session

import (
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/gossh-project/gossh/internal/cause"
	"golang.org/x/crypto/ssh"
)

// exitStatus holds how the program ended, once the server has sent it.
type exitStatus struct {
	mu    sync.Mutex
	known bool
	err   *ExitError // nil for status 0
}

// set keeps the first status.
func (s *exitStatus) set(err *ExitError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		s.known, s.err = true, err
	}
}

func (s *exitStatus) get() (known bool, err *ExitError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known, s.err
}

// serveRequests handles the channel requests of the server. It ends when both
// sides have closed the channel, or the connection has ended.
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
			// This includes keepalive@openssh.com: the server wants any answer.
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
		c.setExit(nil)
	} else {
		c.setExit(&ExitError{Status: int(msg.Status)})
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
	c.setExit(&ExitError{Signal: msg.Signal, Core: msg.Core, Message: msg.Message, Lang: msg.Lang})
	return true
}

// setExit records how the program ended. A status that comes after the context has
// ended is ignored: the program ended because the channel was closed.
func (c *Cmd) setExit(err *ExitError) {
	if c.ctx.Err() == nil {
		c.exit.set(err)
	}
}

// Wait waits until the program has ended and its output has been written to Stdout
// and Stderr. It returns nil for exit status 0, an [*ExitError] for another status
// or a signal, an [*OutputError], [ErrNoStatus], the error of the context, or the
// reason why the connection ended. It must be called once.
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
		c.ch.Close() // the server has closed it; wrappers of the channel learn of it
	}
	err := c.result(complete)
	c.release(err)
	return err
}

// awaitEnd closes finished when the output and the channel have ended. It ends
// with the channel, or with the connection.
func (c *Cmd) awaitEnd(finished chan<- struct{}) {
	c.output.Wait()
	<-c.ended
	close(finished)
}

// result returns how the program ended. A status that came before the context
// ended takes precedence over the context's error, but status 0 only if the output
// is complete.
func (c *Cmd) result(complete bool) error {
	known, exit := c.exit.get()
	switch {
	case !known:
		return c.cause(ErrNoStatus)
	case exit != nil:
		return exit
	}
	if err := c.pumpErr.get(); err != nil || complete {
		return err
	}
	return c.contextError()
}

// release frees what Start took. When it returns, a Stdin that is a Canceler is no
// longer read; another one may be in a last Read. The pump may be in a Write to
// the channel, and ends when that returns.
func (c *Cmd) release(err error) {
	c.stopCtx()
	c.stopInput()
	c.cancel(err)
	if _, ok := c.Stdin.(Canceler); ok {
		c.reading.Lock() // waits for the Read in progress
		defer c.reading.Unlock()
	}
}

// Signal sends a signal to the remote program (RFC 4254, section 6.9). name is the
// signal's name, with or without "SIG": "TERM" or "SIGTERM". The server does not
// confirm signals, and may ignore them.
func (c *Cmd) Signal(name string) error {
	name = strings.TrimPrefix(name, "SIG")
	return c.send("signal", ssh.Marshal(struct{ Name string }{name}))
}

// Break sends a break of the given length to the terminal (RFC 4335).
func (c *Cmd) Break(milliseconds uint32) error {
	return c.send("break", ssh.Marshal(struct{ Length uint32 }{milliseconds}))
}

// Resize sends the new size of the terminal (RFC 4254, section 6.7).
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

// errClosed is the error of a Cmd after Close.
var errClosed = cause.Closed("session: closed")

// Close closes the channel and does not wait for the program. It unblocks Start,
// Wait and Reads of pipes, which then return an error that matches
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
		if err := c.ch.Close(); !errors.Is(err, io.EOF) { // io.EOF: it was closed already
			return err
		}
	default:
	}
	return nil
}
