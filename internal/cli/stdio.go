package cli

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/gossh-project/gossh/internal/terminal"
)

// takeStdio returns standard input and output as one connection (ProxyCommand
// "-"). rest has the null device in their place.
func takeStdio(std Std) (conn io.ReadWriteCloser, rest Std, err error) {
	in, err := terminal.NewInput(int(std.Stdin.Fd()))
	if err != nil {
		return nil, std, err
	}
	out, err := terminal.NewOutput(int(std.Stdout.Fd()))
	if err != nil {
		in.Close()
		return nil, std, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		in.Close()
		out.Close()
		return nil, std, err
	}
	return &stdio{in: in, out: out, files: std}, Std{Stdin: null, Stdout: null, Stderr: std.Stderr}, nil
}

// stdio is standard input and output as one connection.
type stdio struct {
	in    *terminal.Input
	out   *terminal.Output
	files Std // keeps the garbage collector from closing the files
}

func (s *stdio) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *stdio) Write(p []byte) (int, error) { return s.out.Write(p) }

// Close unblocks Read and Write, and closes both files so that the peer sees the
// end.
func (s *stdio) Close() error {
	s.in.Close()
	s.out.Close()
	s.files.Stdin.Close()
	return s.files.Stdout.Close()
}

// relayedStderr copies what a ProxyCommand writes from a pipe to standard error. A
// master that persists closes its standard error. If its ProxyCommand held it
// open, a caller that reads it to its end would wait.
type relayedStderr struct {
	r, w *os.File
	to   io.Writer
	once sync.Once
	done chan struct{}
}

// relayDrain is how long flush waits for more data in the pipe.
const relayDrain = 20 * time.Millisecond

// newRelayedStderr starts a goroutine, which ends with flush.
func newRelayedStderr(to io.Writer) (*relayedStderr, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	relay := &relayedStderr{r: r, w: w, to: to, done: make(chan struct{})}
	go relay.copy()
	return relay, nil
}

// copy copies until flush.
func (s *relayedStderr) copy() {
	defer close(s.done)
	io.Copy(writerOnly{s.to}, s.r)
}

// writerOnly keeps io.Copy from splicing to the file that the descriptor names when
// the copy starts, because the descriptor gets another file later.
type writerOnly struct{ io.Writer }

// flush copies what has been written so far, and ends the copying.
func (s *relayedStderr) flush() {
	s.once.Do(func() {
		s.r.SetReadDeadline(time.Now())
		<-s.done
		s.r.SetReadDeadline(time.Now().Add(relayDrain))
		io.Copy(writerOnly{s.to}, s.r)
	})
}

// proxyStderr returns where a ProxyCommand writes its errors. flush has to be
// called before the process exits.
func (d *connector) proxyStderr() (_ *os.File, flush func(), err error) {
	if !d.apart {
		return d.std.Stderr, func() {}, nil
	}
	relay, err := newRelayedStderr(d.std.Stderr)
	if err != nil {
		return nil, nil, err
	}
	return relay.w, relay.flush, nil
}
