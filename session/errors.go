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

	"github.com/gossh-project/gossh/internal/cause"
)

// ErrNoStatus means that the server closed the channel without an exit status or
// signal.
var ErrNoStatus = errors.New("session: the remote program ended without an exit status")

// RequestError means that the server refused to start the program.
type RequestError struct {
	Request string // "exec", "shell" or "subsystem"
}

func (e *RequestError) Error() string {
	return "session: the server refused the " + e.Request + " request"
}

// ExitError means that the program ended with an exit status other than 0, or by
// a signal (RFC 4254, section 6.10).
type ExitError struct {
	// Status is the exit status. It is valid if Signal is empty.
	Status int
	// Signal is the name of the signal that ended the program, without "SIG".
	// Core, Message and Lang come with it. These texts come from the server: they
	// may hold control characters.
	Signal  string
	Core    bool
	Message string
	Lang    string
	// Stderr is the last part of the program's standard error, if Output
	// collected it.
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

// OutputError means that the program exited with status 0, but a Write to Stdout
// or Stderr failed.
type OutputError struct{ Err error }

func (e *OutputError) Error() string { return "session: output: " + e.Err.Error() }
func (e *OutputError) Unwrap() error { return e.Err }

// Lost reports whether output is missing that was wanted, as after a write to a
// full disk. It is false if the reader has closed the pipe or connection.
func (e *OutputError) Lost() bool {
	return !errors.Is(e.Err, syscall.EPIPE) && !errors.Is(e.Err, syscall.ECONNRESET) && !errors.Is(e.Err, io.ErrClosedPipe)
}

// probeLimit is how long connectionEnd waits for an answer. Any server answers a
// global request (RFC 4254, section 4).
const probeLimit = 10 * time.Second

// connectionEnd returns why conn has ended, or nil if it has not. x/crypto closes
// the channels of a lost connection just as a server closes one, and may report
// the loss later, so connectionEnd sends a request that any server answers.
func connectionEnd(ctx context.Context, conn Conn) error {
	e, hasErr := conn.(ended)
	w, hasWait := conn.(interface{ Wait() error })
	if !hasErr && !hasWait {
		return nil
	}
	var done <-chan struct{}
	if hasErr {
		done = e.Done()
	}
	alive := make(chan error, 1)
	go func() { // ends with the answer, or with the connection
		_, _, err := conn.SendRequest("keepalive@openssh.com", true, nil)
		alive <- err
	}()
	limit := time.NewTimer(probeLimit)
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
			if !hasErr {
				end := awaitConn(w)
				e, done = end, end.done
			}
		case <-ctx.Done():
			return cause.Of(ctx)
		case <-limit.C:
			return nil
		}
	}
}

// connEnd implements ended for a connection that has only Wait.
type connEnd struct {
	done chan struct{}
	err  error
}

func (e *connEnd) Done() <-chan struct{} { return e.done }
func (e *connEnd) Err() error            { return e.err }

// awaitConn returns the end of a connection that is about to end.
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

// errOnce keeps the first error that is set.
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
