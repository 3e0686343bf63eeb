package x11fwd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// ChannelType is the type of the channels that a server opens for X11.
const ChannelType = "x11"

// maxChannels is the maximum number of simultaneous connections. By default an X server
// accepts 256 clients.
const maxChannels = 512

// Options are the options of a Forwarder.
type Options struct {
	// Display is the value of DISPLAY.
	Display string
	// Trusted gives remote programs the rights of local programs
	// (ForwardX11Trusted). Without it, the X server restricts them.
	Trusted bool
	// Timeout is the time after which untrusted forwarding refuses new connections
	// (ForwardX11Timeout). Zero means no limit.
	Timeout time.Duration
	// XAuth is the path of xauth(1) (XAuthLocation). If it is empty or does not
	// exist, there is no cookie.
	XAuth string

	// Warn, if set, is called with ErrNoCookie by New, and later, by the goroutines
	// of connections, with ErrExpired, ErrWrongAuth and *ConnectError.
	Warn func(err error)
	// Logger, if set, gets debug messages.
	Logger *slog.Logger
	// Rand is the source of cookies. The default is crypto/rand.
	Rand io.Reader
	// Dial, if set, connects to the X server. The default connects to Display.
	Dial func(ctx context.Context) (net.Conn, error)
}

// Forwarder serves the X11 channels of one SSH connection.
type Forwarder struct {
	opts    Options
	display display
	real    auth
	fake    []byte
	expires time.Time // zero: never

	ctx    context.Context // ends at Close
	cancel context.CancelCauseFunc
	links  sync.WaitGroup

	mu     sync.Mutex
	open   int
	closed bool
}

// New parses the name of the display, gets the display's cookie from xauth, and
// generates the cookie for the server. The end of ctx ends the programs that it runs.
//
// It returns ErrNoDisplay, a *DisplayError, ErrNotGenerated, the cause of ctx, or the
// error of creating a temporary file.
func New(ctx context.Context, o Options) (*Forwarder, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	d, err := parseDisplay(o.Display)
	if err != nil {
		return nil, err
	}
	f := &Forwarder{opts: o, display: d}
	if !o.Trusted && o.Timeout > 0 {
		f.expires = time.Now().Add(o.Timeout)
	}
	if err := f.makeCookies(ctx); err != nil {
		return nil, err
	}
	f.ctx, f.cancel = context.WithCancelCause(context.Background())
	return f, nil
}

// makeCookies sets the real and the fake cookie.
func (f *Forwarder) makeCookies(ctx context.Context) error {
	var err error
	f.real, err = askXAuth(ctx, f.display, &f.opts)
	switch {
	case errors.Is(err, ErrNoCookie) && !f.opts.Trusted:
		return ErrNotGenerated
	case errors.Is(err, ErrNoCookie):
		// The X server ignores an unknown cookie, and decides by the user who
		// connects.
		f.opts.Warn(ErrNoCookie)
		f.real.protocol = magicCookie
		if f.real.cookie, err = randomCookie(f.opts.Rand, 16); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	f.fake, err = randomCookie(f.opts.Rand, len(f.real.cookie))
	return err
}

// AuthProtocol returns the name of the authorization protocol for x11-req.
func (f *Forwarder) AuthProtocol() string { return f.real.protocol }

// Cookie returns the fake cookie for x11-req, in hexadecimal.
func (f *Forwarder) Cookie() string { return hex.EncodeToString(f.fake) }

// Screen returns the screen number of the display for x11-req.
func (f *Forwarder) Screen() uint32 { return f.display.screen }

// expired reports whether Timeout has passed.
func (f *Forwarder) expired() bool {
	return !f.expires.IsZero() && !time.Now().Before(f.expires)
}

// ServeChannel accepts or rejects a channel. It does not block: goroutines serve the
// channel. They end with the channel, with the connection to the X server, or at
// Close.
func (f *Forwarder) ServeChannel(ch ssh.NewChannel) {
	if f.expired() {
		f.opts.Warn(ErrExpired)
		ch.Reject(ssh.Prohibited, "open failed")
		return
	}
	f.mu.Lock()
	refuse := f.closed || f.open >= maxChannels
	if !refuse {
		f.open++
		f.links.Add(1)
	}
	f.mu.Unlock()
	if refuse {
		ch.Reject(ssh.ResourceShortage, "open failed")
		return
	}
	go f.serve(ch)
}

// serve serves one connection until it ends.
func (f *Forwarder) serve(newCh ssh.NewChannel) {
	defer f.links.Done()
	x, err := f.dial()
	if err != nil {
		f.release()
		if f.ctx.Err() == nil {
			f.opts.Warn(err)
		}
		newCh.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	defer x.Close()
	ch, reqs, err := newCh.Accept()
	if err != nil {
		f.release()
		return
	}
	l := newLink(f, ch, x)
	go l.refuseRequests(reqs)
	go l.discardExtended()
	l.run()
}

func (f *Forwarder) dial() (net.Conn, error) {
	if f.opts.Dial != nil {
		return f.opts.Dial(f.ctx)
	}
	return f.display.connect(f.ctx)
}

// release is called when a channel was rejected, or when the server has closed it. A
// server that does not close its channels cannot open more than maxChannels.
func (f *Forwarder) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
}

// Close closes all connections, rejects later channels, and waits for the goroutines.
// It does not wait for those that read a channel, since these end when the server
// confirms the close of the channel, or with the SSH connection.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel(ErrClosed)
	f.links.Wait()
	return nil
}
