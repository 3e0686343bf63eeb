package x11fwd

import (
	"errors"
	"io"
	"net"

	"golang.org/x/crypto/ssh"
)

// link is the connection of a remote program to the local X server.
type link struct {
	f  *Forwarder
	ch ssh.Channel
	x  net.Conn

	gone chan struct{} // closed when the server has closed the channel, or the SSH connection ended
}

func newLink(f *Forwarder, ch ssh.Channel, x net.Conn) *link {
	return &link{f: f, ch: ch, x: x, gone: make(chan struct{})}
}

// refuseRequests refuses all requests. It ends when the server closes the channel, or
// with the SSH connection.
func (l *link) refuseRequests(reqs <-chan *ssh.Request) {
	ssh.DiscardRequests(reqs)
	l.f.release()
	close(l.gone)
}

// discardExtended discards extended data, which X11 does not use. Unread, it would use
// memory and the window of the channel. It ends at the end of the channel's data.
func (l *link) discardExtended() {
	io.Copy(io.Discard, l.ch.Stderr())
}

// run copies both directions until both have ended, one has failed, or the Forwarder
// is closed.
func (l *link) run() {
	toX, fromX := make(chan error, 1), make(chan error, 1)
	go l.toX(toX)
	go l.fromX(fromX)
	defer l.ch.Close()
	gone := (<-chan struct{})(nil)
	for toX != nil || fromX != nil {
		select {
		case err := <-toX:
			if err != nil {
				return
			}
			toX, gone = nil, l.gone // everything that it sent is delivered
		case err := <-fromX:
			if err != nil {
				return
			}
			fromX = nil
		case <-gone:
			return
		case <-l.f.ctx.Done():
			return
		}
	}
}

// toX checks the first packet and copies the rest. It ends with the channel, or when a
// write to the X server fails.
func (l *link) toX(done chan<- error) {
	done <- l.copyToX()
}

func (l *link) copyToX() error {
	setup, err := readSetup(l.ch, l.f.real.protocol, l.f.fake, l.f.real.cookie)
	switch {
	case errors.Is(err, ErrWrongAuth):
		l.f.opts.Warn(ErrWrongAuth)
		return err
	case err != nil:
		return err
	case l.f.expired():
		l.f.opts.Warn(ErrExpired)
		return ErrExpired
	}
	if _, err := l.x.Write(setup); err != nil {
		return err
	}
	if _, err := io.Copy(l.x, l.ch); err != nil {
		return err
	}
	if c, ok := l.x.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	return nil
}

// fromX copies from the X server until its connection is closed, at the end of run at
// the latest.
func (l *link) fromX(done chan<- error) {
	_, err := io.Copy(l.ch, l.x)
	if err == nil {
		err = l.ch.CloseWrite()
	}
	done <- err
}
