package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

// ErrNoStatus says that the channel closed without telling how the program
// ended.
var ErrNoStatus = errors.New("session: the remote program ended without an exit status")

// RequestError is the server's refusal to start the program.
type RequestError struct {
	Request string // "exec", "shell" or "subsystem"
}

func (e *RequestError) Error() string {
	return "session: the server refused the " + e.Request + " request"
}

// ExitError is the end of a program other than exit status 0 (RFC 4254,
// section 6.10).
type ExitError struct {
	// Status is the exit status, when Signal is empty.
	Status int
	// Signal is the name of the signal that ended the program, without
	// "SIG"; Core, Message and Lang come with it. The texts are the server's:
	// not for a terminal as they are.
	Signal  string
	Core    bool
	Message string
	Lang    string
	// Stderr is what the program wrote there, if Output collected it.
	Stderr []byte
}

func (e *ExitError) Error() string {
	if e.Signal == "" {
		return fmt.Sprintf("session: exit status %d", e.Status)
	}
	text := "session: ended by signal " + e.Signal
	if e.Core {
		text += " (core dumped)"
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// OutputError is a program that ended well while Stdout or Stderr no longer
// took what it wrote.
type OutputError struct{ Err error }

func (e *OutputError) Error() string { return "session: output: " + e.Err.Error() }
func (e *OutputError) Unwrap() error { return e.Err }

// Lost reports whether something that was wanted is missing, as after a write
// to a full disk. It is false where the reader has gone, who wants no more.
func (e *OutputError) Lost() bool {
	return !errors.Is(e.Err, syscall.EPIPE) && !errors.Is(e.Err, syscall.ECONNRESET) && !errors.Is(e.Err, io.ErrClosedPipe)
}

// lifeSignLimit is how long a connection may take to show that it lives. Any
// server answers a global request (RFC 4254, section 4), but this is asked of
// one that has just closed a channel without a word.
const lifeSignLimit = 10 * time.Second

// connectionEnd tells why conn is gone, or nil if it is alive. x/crypto
// closes the channels of a lost connection just as a server closes one, so
// a connection that has not yet said that it is done is asked for a sign of
// life.
func connectionEnd(ctx context.Context, conn Conn) error {
	e, tells := conn.(ended)
	w, waits := conn.(interface{ Wait() error })
	if !tells && !waits {
		return nil
	}
	var done <-chan struct{}
	if tells {
		done = e.Done()
	}
	alive := make(chan error, 1)
	go func() { // ends with the answer, or with the connection
		_, _, err := conn.SendRequest("keepalive@openssh.com", true, nil)
		alive <- err
	}()
	limit := time.NewTimer(lifeSignLimit)
	defer limit.Stop()
	for {
		select {
		case <-done:
			return endErr(e)
		case err := <-alive:
			if err == nil {
				return nil
			}
			alive = nil // the request failed: the end is on its way
			if !tells {
				end := awaitConn(w)
				e, done = end, end.done
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit.C:
			return nil
		}
	}
}

// connEnd is the end of a connection that tells of it by Wait alone.
type connEnd struct {
	done chan struct{}
	err  error
}

func (e *connEnd) Done() <-chan struct{} { return e.done }
func (e *connEnd) Err() error            { return e.err }

// awaitConn waits for a connection that is ending.
func awaitConn(w interface{ Wait() error }) *connEnd {
	e := &connEnd{done: make(chan struct{})}
	go func() { // ends with the connection
		e.err = fmt.Errorf("session: the connection ended: %w", cmp.Or(w.Wait(), io.EOF))
		close(e.done)
	}()
	return e
}

func endErr(e ended) error {
	if err := e.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// errOnce keeps the first error that it is given.
type errOnce struct {
	mu  sync.Mutex
	err error
}

func (o *errOnce) set(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
}

func (o *errOnce) get() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
