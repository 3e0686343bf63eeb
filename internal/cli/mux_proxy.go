package cli

import (
	"io"
	"os"
	"sync"
	"time"
)

// relayedStderr passes on what a ProxyCommand writes to standard error for a
// master that persists. The ProxyCommand gets a pipe instead of standard error
// itself. Otherwise it would keep standard error open after the master has
// closed it, and a caller that reads it to its end would wait.
type relayedStderr struct {
	r, w *os.File
	to   io.Writer
	once sync.Once
	done chan struct{}
}

// relayDrain is how long flush waits for the next piece of what is in the pipe.
const relayDrain = 20 * time.Millisecond

func newRelayedStderr(to io.Writer) (*relayedStderr, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	relay := &relayedStderr{r: r, w: w, to: to, done: make(chan struct{})}
	go relay.copy()
	return relay, nil
}

// copy ends with flush.
func (s *relayedStderr) copy() {
	defer close(s.done)
	io.Copy(writerOnly{s.to}, s.r)
}

// writerOnly keeps io.Copy from splicing to the file that is at the descriptor
// at first: its place is taken by another.
type writerOnly struct{ io.Writer }

// flush passes on what has been written so far. Nothing is passed on after it.
func (s *relayedStderr) flush() {
	s.once.Do(func() {
		s.r.SetReadDeadline(time.Now())
		<-s.done
		s.r.SetReadDeadline(time.Now().Add(relayDrain))
		io.Copy(writerOnly{s.to}, s.r)
	})
}

// relayProxyStderr sets where a ProxyCommand writes to. The function that it
// returns is to be called before the process exits.
func (p *program) relayProxyStderr() (flush func(), err error) {
	p.proxyStderr = p.std.Stderr
	if !p.master {
		return func() {}, nil
	}
	relay, err := newRelayedStderr(p.std.Stderr)
	if err != nil {
		return nil, err
	}
	p.proxyStderr = relay.w
	return relay.flush, nil
}
