package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"sync"
)

// chunk is what one channel packet of x/crypto carries at the most.
const chunk = 32 << 10

// startPumps moves the data. Each pump ends with its side of the channel.
func (c *Cmd) startPumps() {
	if sameWriter(c.Stdout, c.Stderr) {
		c.single = new(sync.Mutex)
	}
	if !c.stdinPiped {
		go c.pumpInput()
	}
	if !c.stdoutPiped {
		c.output.Add(1)
		go c.pumpOutput(c.ch, c.Stdout, nil, c.sendEOW)
	}
	if !c.stderrPiped {
		c.output.Add(1)
		go c.pumpOutput(c.ch.Stderr(), c.Stderr, c.OnStderr, nil)
	}
}

// sameWriter compares without a panic over types that cannot be compared.
func sameWriter(a, b io.Writer) bool {
	t := reflect.TypeOf(a)
	return t != nil && t == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

// pumpInput ends when Stdin or the channel does.
func (c *Cmd) pumpInput() {
	if c.Stdin != nil {
		buf := make([]byte, chunk)
		for {
			n, err := c.readInput(buf)
			if n > 0 {
				if _, werr := c.ch.Write(buf[:n]); werr != nil {
					return // the channel has ended
				}
			}
			if err != nil {
				break
			}
		}
	}
	c.ch.CloseWrite()
}

// readInput reads Stdin, unless the pump is to stop.
func (c *Cmd) readInput(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.noInput.Load() {
		return 0, io.EOF
	}
	return c.Stdin.Read(p)
}

// stopInput makes the Stdin pump read no more.
func (c *Cmd) stopInput() {
	c.noInput.Store(true)
	cancelBlocked(c.Stdin)
}

// cancelBlocked ends what blocks in a reader or writer that has a way to.
func cancelBlocked(end any) {
	if s, ok := end.(Canceler); ok {
		s.Cancel()
	}
}

// pumpOutput ends at the channel's end-of-file. After a failed Write it
// goes on reading, so that the server, told by failed, is never held up.
func (c *Cmd) pumpOutput(from io.Reader, to io.Writer, first, failed func()) {
	defer c.output.Done()
	if to == nil {
		to = io.Discard
	}
	buf := make([]byte, chunk)
	for broken := false; ; {
		n, err := from.Read(buf)
		if n > 0 && first != nil {
			first()
			first = nil
		}
		if n > 0 && !broken {
			if werr := c.deliver(to, buf[:n]); werr != nil {
				broken = true
				c.outputFailed(werr)
				if failed != nil {
					failed()
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// outputFailed notes the first failed Write, unless it is the context's end
// that made it fail.
func (c *Cmd) outputFailed(err error) {
	if cause := context.Cause(c.ctx); cause != nil {
		c.pumpErr.set(cause)
		return
	}
	c.pumpErr.set(&OutputError{err})
}

var errStopped = errors.New("session: no longer waited for")

// deliver writes unless Wait has already returned.
func (c *Cmd) deliver(to io.Writer, p []byte) error {
	c.gate.RLock()
	defer c.gate.RUnlock()
	if c.stopped {
		return errStopped
	}
	if c.single != nil {
		c.single.Lock()
		defer c.single.Unlock()
	}
	_, err := to.Write(p)
	return err
}

// stopOutput ends the delivery: a Write under way ends first, and no other
// follows.
func (c *Cmd) stopOutput() {
	cancelBlocked(c.Stdout)
	cancelBlocked(c.Stderr)
	c.gate.Lock()
	c.stopped = true
	c.gate.Unlock()
}

// sendEOW tells an OpenSSH server that nobody reads the output any more, at
// which it closes the program's (OpenSSH PROTOCOL, section 2.1). Other servers
// take no notice of a request that they do not know and that wants no reply.
func (c *Cmd) sendEOW() {
	c.ch.SendRequest("eow@openssh.com", false, nil)
}

// Output runs the program and returns what it wrote to its standard output.
// If Stderr is nil, an [*ExitError] carries the end of what went there.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil || c.stdoutPiped {
		return nil, errors.New("session: Stdout already set")
	}
	var stdout bytes.Buffer
	c.Stdout = &stdout
	var stderr *tail
	if c.Stderr == nil && !c.stderrPiped {
		stderr = new(tail)
		c.Stderr = stderr
	}
	err := c.Run()
	var exit *ExitError
	if stderr != nil && errors.As(err, &exit) {
		exit.Stderr = stderr.kept
	}
	return stdout.Bytes(), err
}

// CombinedOutput runs the program and returns its standard output and
// error, in the order in which they came.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil || c.stdoutPiped || c.stderrPiped {
		return nil, errors.New("session: Stdout or Stderr already set")
	}
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	err := c.Run()
	return both.Bytes(), err
}
