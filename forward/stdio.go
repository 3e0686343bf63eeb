package forward

import (
	"cmp"
	"context"
	"io"
	"time"
)

// StdioForward is -W: one connection from the server to a target, which is
// fed from a reader and a writer of the caller's, such as standard input and
// output.
type StdioForward struct {
	remote *stream
	link   *link
}

// OpenStdio connects the server to target. It returns once the target has
// answered; errors are *OpenError, ErrConnectionLost or the cause of ctx, which
// bounds the opening alone.
func (f *Forwarder) OpenStdio(ctx context.Context, target Addr) (*StdioForward, error) {
	remote, err := f.openChannel(ctx, target, noOrigin)
	if err != nil {
		return nil, err
	}
	l := &link{id: f.newID(), origin: "stdio", since: time.Now()}
	l.target.Store(&target)
	l.open.Store(true)
	return &StdioForward{remote: remote, link: l}, nil
}

// Snapshot returns the state of the connection.
func (s *StdioForward) Snapshot() ConnSnapshot { return s.link.snapshot() }

// Close closes the connection, so that Run returns.
func (s *StdioForward) Close() error { return s.remote.Close() }

// Run moves in to the target and what the target sends to out, once. The end of
// in is passed on as EOF and the other direction goes on; at the end of what
// the target sends, out is closed, by CloseWrite if it has that and else by
// Close if it has that, and Run goes on until in has ended, too, or the server
// closes the channel.
//
// Run returns nil for an end like that, ErrConnectionLost, or the error of in
// or out. A Read of in that is still blocked then is interrupted if in has
// SetReadDeadline; if it cannot be, its goroutine stays until it returns, and
// what it reads is lost. After an error of in, out may still be written to until
// the server has closed the channel.
func (s *StdioForward) Run(in io.Reader, out io.Writer) error {
	sent, received := make(chan error, 1), make(chan error, 1)
	go s.send(in, sent)
	go s.receive(out, received)
	err := s.wait(sent, received)
	s.remote.Close()
	if d, ok := in.(interface{ SetReadDeadline(time.Time) error }); ok {
		d.SetReadDeadline(time.Unix(1, 0))
	}
	return err
}

// wait returns when both directions have ended, or one cannot go on, or the
// server has closed the channel and everything from it is delivered.
func (s *StdioForward) wait(sent, received <-chan error) error {
	var gone <-chan struct{}
	for sent != nil || received != nil {
		select {
		case err := <-sent:
			if err != nil {
				return err
			}
			sent = nil
		case err := <-received:
			if err != nil {
				return err
			}
			received, gone = nil, s.remote.gone
		case <-gone:
			return nil
		}
	}
	return nil
}

// send ends with in, or when the channel takes no more. That is no failure of
// its own: receive knows why the channel has ended.
func (s *StdioForward) send(in io.Reader, done chan<- error) {
	failedRead, failedWrite := s.remote.forwarder.copyStream(s.remote, in, nil, &s.link.out)
	if failedRead == nil && failedWrite == nil {
		s.remote.CloseWrite()
	}
	done <- failedRead
}

// receive ends with the channel, or when out takes no more.
func (s *StdioForward) receive(out io.Writer, done chan<- error) {
	failedRead, failedWrite := s.remote.forwarder.copyStream(out, s.remote, nil, &s.link.in)
	if failedRead == nil && failedWrite == nil {
		switch c := out.(type) {
		case interface{ CloseWrite() error }:
			c.CloseWrite()
		case io.Closer:
			c.Close()
		}
	}
	done <- cmp.Or(failedRead, failedWrite)
}
