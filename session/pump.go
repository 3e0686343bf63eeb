package session

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"sync"
)

// chunk is the largest payload of a channel packet of x/crypto.
const chunk = 32 << 10

// startPumps starts the goroutines that copy input and output. Each ends with its
// direction of the channel.
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

// sameWriter reports whether a and b are the same writer. Types that cannot be
// compared are not.
func sameWriter(a, b io.Writer) bool {
	t := reflect.TypeOf(a)
	return t != nil && t == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

// pumpInput copies Stdin to the channel. It ends with either.
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

// readInput reads Stdin, unless stopInput was called.
func (c *Cmd) readInput(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.noInput.Load() {
		return 0, io.EOF
	}
	return c.Stdin.Read(p)
}

// stopInput makes pumpInput stop reading.
func (c *Cmd) stopInput() {
	c.noInput.Store(true)
	cancelBlocked(c.Stdin)
}

// cancelBlocked unblocks a reader or writer that is a Canceler.
func cancelBlocked(stream any) {
	if s, ok := stream.(Canceler); ok {
		s.Cancel()
	}
}

// pumpOutput copies one output of the program to a writer, and ends at its
// end-of-file. It calls first, if not nil, before the first Write, and failed after
// a Write that failed. Then it goes on to read, so that the server is not held up.
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

// outputFailed records a failed Write. If the context has ended, that was the
// reason.
func (c *Cmd) outputFailed(err error) {
	if ended := c.contextError(); ended != nil {
		c.pumpErr.set(ended)
		return
	}
	c.pumpErr.set(&OutputError{err})
}

var errStopped = errors.New("session: no longer waited for")

// deliver writes p, unless Wait has returned.
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

// stopOutput waits for Writes in progress and prevents others.
func (c *Cmd) stopOutput() {
	cancelBlocked(c.Stdout)
	cancelBlocked(c.Stderr)
	c.gate.Lock()
	c.stopped = true
	c.gate.Unlock()
}

// sendEOW asks the server to close the program's output, because it is not read any
// more (OpenSSH PROTOCOL, section 2.1). Servers ignore an unknown request that
// wants no reply.
func (c *Cmd) sendEOW() {
	c.ch.SendRequest("eow@openssh.com", false, nil)
}

// Output runs the program and returns its standard output. If Stderr is nil, an
// [*ExitError] holds the last 64 KiB of standard error.
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

// CombinedOutput runs the program and returns its standard output and standard
// error. Each of the two is in order. SSH sends them as separate streams: how they
// are interleaved may differ from the order in which the program wrote them, unless
// a TTY makes one stream of them.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil || c.stdoutPiped || c.stderrPiped {
		return nil, errors.New("session: Stdout or Stderr already set")
	}
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	err := c.Run()
	return both.Bytes(), err
}

// tail keeps the last 64 KiB that are written to it.
type tail struct{ kept []byte }

const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}
