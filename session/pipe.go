package session

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/gossh-project/gossh/internal/cause"
)

var errNotStarted = errors.New("session: not started")

// StdinPipe returns a pipe to the program's standard input. It may be used after
// Start, by one goroutine at a time. Close sends end-of-file.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil || c.stdinPiped || c.ended != nil {
		return nil, errors.New("session: Stdin already set, or started")
	}
	c.stdinPiped = true
	return inputPipe{c}, nil
}

// StdoutPipe returns a pipe from the program's standard output. It may be read
// after Wait, and before Start: Read then waits for Start. Data that is not read
// holds up the program when the channel's window (2 MiB) is full.
//
// Read returns io.EOF only if the program closed its output. If the context ends,
// Read returns the error of the context at once. If the connection ends, Read
// returns the reason after the data that has arrived.
func (c *Cmd) StdoutPipe() (io.Reader, error) {
	if c.Stdout != nil || c.stdoutPiped || c.ended != nil || c.begun == nil {
		return nil, errors.New("session: Stdout already set, or started")
	}
	c.stdoutPiped = true
	return &outputPipe{c: c, stream: func() io.Reader { return c.ch }}, nil
}

// StderrPipe is like StdoutPipe for the program's standard error.
func (c *Cmd) StderrPipe() (io.Reader, error) {
	if c.Stderr != nil || c.stderrPiped || c.ended != nil || c.begun == nil {
		return nil, errors.New("session: Stderr already set, or started")
	}
	c.stderrPiped = true
	return &outputPipe{c: c, stream: func() io.Reader { return c.ch.Stderr() }}, nil
}

// inputPipe is the writing end of a pipe to the program's standard input.
type inputPipe struct{ c *Cmd }

func (p inputPipe) Write(b []byte) (int, error) {
	if p.c.ch == nil {
		return 0, errNotStarted
	}
	n, err := p.c.ch.Write(b)
	return n, p.c.pipeError(err)
}

func (p inputPipe) Close() error {
	if p.c.ch == nil {
		return errNotStarted
	}
	if err := p.c.ch.CloseWrite(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil // the program has ended
}

// pipeError returns the error of a Write for one of x/crypto, which has io.EOF for
// a channel that has ended.
func (c *Cmd) pipeError(err error) error {
	if err == nil {
		return nil
	}
	if stopped := c.stopCause(); stopped != nil {
		return stopped
	}
	return closedPipe(err)
}

// closedPipe returns io.ErrClosedPipe for io.EOF, x/crypto's error of a write to a
// channel that has ended.
func closedPipe(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrClosedPipe
	}
	return err
}

// outputPipe is the reading end of a pipe from one of the program's outputs. A
// Read of the channel cannot be cancelled, so a goroutine does it. The goroutine
// ends with the data or with the channel.
type outputPipe struct {
	c      *Cmd
	stream func() io.Reader // valid once the program has started

	mu      sync.Mutex // held by Read
	buf     []byte     // filled by the goroutine
	rest    []byte     // the part of buf that Read has not returned yet
	pending chan filled
	err     error // of the end of the stream
}

// filled is the result of one Read of the channel.
type filled struct {
	n   int
	err error
}

func (p *outputPipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	if err := p.c.awaitStart(); err != nil {
		return 0, err
	}
	for len(p.rest) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		p.fill()
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// fill reads data into rest, or sets err.
func (p *outputPipe) fill() {
	if p.pending == nil {
		if p.buf == nil {
			p.buf = make([]byte, chunk)
		}
		p.pending = make(chan filled, 1)
		go func() {
			n, err := p.stream().Read(p.buf)
			p.pending <- filled{n, err}
		}()
	}
	select {
	case f := <-p.pending:
		p.pending = nil
		p.rest = p.buf[:f.n]
		if f.err != nil {
			p.err = p.c.streamEnd(f.err)
		}
	case <-p.c.caller.Done():
		p.err = cause.Of(p.c.caller)
	case <-p.c.closed:
		p.err = errClosed
	}
}

// awaitStart blocks until Start has succeeded or failed. It returns the error of
// Start or of the context.
func (c *Cmd) awaitStart() error {
	select {
	case <-c.begun:
		return c.startErr
	default:
	}
	select {
	case <-c.begun:
		return c.startErr
	case <-c.caller.Done():
		return cause.Of(c.caller)
	case <-c.closed:
		return errClosed
	}
}

// stopCause returns errClosed after Close, the error of the context if that has
// ended, and nil otherwise.
func (c *Cmd) stopCause() error {
	select {
	case <-c.closed:
		return errClosed
	default:
	}
	return cause.Of(c.caller)
}

// contextError returns why ctx has ended, or nil if it has not.
func (c *Cmd) contextError() error {
	if stopped := c.stopCause(); stopped != nil {
		return stopped
	}
	return context.Cause(c.ctx)
}

// streamEnd returns the error of a stream that ended with err. x/crypto has io.EOF
// both for the server's end-of-file and for a lost connection.
func (c *Cmd) streamEnd(err error) error {
	if stopped := c.stopCause(); stopped != nil {
		return stopped
	}
	if known, _ := c.exit.get(); known && errors.Is(err, io.EOF) {
		return io.EOF
	}
	if lost := c.connectionLost(); lost != nil {
		return lost
	}
	return err
}

// connectionLost returns why the connection ended, or nil if it has not.
func (c *Cmd) connectionLost() error {
	var transport <-chan struct{}
	if t, ok := c.conn.(interface{ TransportEnded() <-chan struct{} }); ok {
		transport = t.TransportEnded()
	}
	e, ok := c.conn.(ended)
	if transport == nil || !ok {
		return connectionEnd(c.caller, c.conn)
	}
	select {
	case <-transport:
		<-e.Done() // is closed at once
		return endErr(e)
	default:
		return nil
	}
}
