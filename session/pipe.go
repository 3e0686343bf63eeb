package session

import (
	"context"
	"errors"
	"io"
	"sync"
)

var errNotStarted = errors.New("session: not started")

// StdinPipe returns a pipe to the program's standard input, to be used after
// Start, from one goroutine at a time. Its Close sends the program's
// end-of-file.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil || c.stdinPiped || c.ended != nil {
		return nil, errors.New("session: Stdin already set, or started")
	}
	c.stdinPiped = true
	return inputPipe{c}, nil
}

// StdoutPipe returns a pipe from the program's standard output. It may be read
// before Start, which Read then waits for, and after Wait. Data that is not read
// holds up the program once the channel's window (2 MiB) is full.
//
// Read returns io.EOF only if the program closed its output. If the context
// ends, Read returns its cause at once; if the connection ends, Read returns the
// cause of that after the last data that arrived.
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

// inputPipe is the writing end of the program's standard input.
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
	return nil // the program was first
}

// pipeError returns the error of a Write to a channel that may have ended:
// x/crypto has io.EOF for that.
func (c *Cmd) pipeError(err error) error {
	if err == nil {
		return nil
	}
	if cause := c.stopCause(); cause != nil {
		return cause
	}
	return closedPipe(err)
}

// closedPipe returns what a pipe says where x/crypto gives io.EOF for the end
// of the channel.
func closedPipe(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrClosedPipe
	}
	return err
}

// outputPipe is the reading end of one of the program's outputs. A Read of the
// channel has no way to be ended from here, so it happens on a goroutine of its
// own, one at a time, which ends with the data or with the channel.
type outputPipe struct {
	c      *Cmd
	stream func() io.Reader // valid once the program has started

	mu      sync.Mutex // held by Read
	buf     []byte     // filled by the goroutine
	rest    []byte     // the part of buf that was not returned yet
	pending chan filled
	err     error // the end
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

// fill gets data or the end.
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
		p.err = context.Cause(p.c.caller)
	case <-p.c.closed:
		p.err = errClosed
	}
}

// awaitStart blocks until Start has succeeded or failed. It returns Start's
// error, or the cause of the context.
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
		return context.Cause(c.caller)
	case <-c.closed:
		return errClosed
	}
}

// stopCause returns why this side gave the program up, or nil.
func (c *Cmd) stopCause() error {
	select {
	case <-c.closed:
		return errClosed
	default:
	}
	return context.Cause(c.caller)
}

// streamEnd returns what the end of a stream means: x/crypto gives io.EOF when
// the server sent end-of-file, and when the connection is lost.
func (c *Cmd) streamEnd(err error) error {
	if cause := c.stopCause(); cause != nil {
		return cause
	}
	if told, _ := c.exit.get(); told && errors.Is(err, io.EOF) {
		return io.EOF
	}
	if lost := c.connectionLost(); lost != nil {
		return lost
	}
	return err
}

// connectionLost returns why the connection is gone, or nil if it is alive.
func (c *Cmd) connectionLost() error {
	var transport <-chan struct{}
	if t, ok := c.conn.(interface{ TransportEnded() <-chan struct{} }); ok {
		transport = t.TransportEnded()
	}
	e, tells := c.conn.(ended)
	if transport == nil || !tells {
		return connectionEnd(c.caller, c.conn)
	}
	select {
	case <-transport:
		<-e.Done() // follows at once
		return endErr(e)
	default:
		return nil
	}
}
