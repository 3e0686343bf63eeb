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

// ChannelType is that of the channels that a server opens towards our display.
const ChannelType = "x11"

// maxChannels bounds the connections at a time; an X server takes 256 clients
// unless it is told otherwise.
const maxChannels = 512

// Options say which display is forwarded, and how far it is trusted with.
type Options struct {
	// Display is the value of DISPLAY.
	Display string
	// Trusted gives remote programs the rights of local ones
	// (ForwardX11Trusted). Without it the X server restricts them.
	Trusted bool
	// Timeout ends untrusted forwarding for new connections
	// (ForwardX11Timeout); 0 never does.
	Timeout time.Duration
	// XAuth is the path of xauth(1) (XAuthLocation). If it is empty or does not
	// exist there is no cookie to be had.
	XAuth string

	// Warn is told of ErrNoCookie by New, and later, from the goroutine of the
	// connection concerned, of ErrExpired, ErrWrongAuth and *ConnectError. Nil
	// means no warning.
	Warn func(err error)
	// Logger may be nil.
	Logger *slog.Logger
	// Rand is the source of cookies; nil is crypto/rand.
	Rand io.Reader
	// Dial reaches the X server. Nil connects to Display.
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

// New checks the display, gets its cookie from xauth, and makes up the one that
// the server is to have. ctx bounds the programs that it runs.
//
// Errors: ErrNoDisplay, a *DisplayError, ErrNotGenerated, the cause of ctx, or
// that no temporary file could be made.
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

// makeCookies sets the real cookie and the fake one.
func (f *Forwarder) makeCookies(ctx context.Context) error {
	var err error
	f.real, err = askXAuth(ctx, f.display, &f.opts)
	switch {
	case errors.Is(err, ErrNoCookie) && !f.opts.Trusted:
		return ErrNotGenerated
	case errors.Is(err, ErrNoCookie):
		// The X server ignores a cookie that it does not know, and decides by
		// who connects.
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

// AuthProtocol, Cookie (in hexadecimal) and Screen are for the x11-req.
func (f *Forwarder) AuthProtocol() string { return f.real.protocol }

// Cookie is the made-up one.
func (f *Forwarder) Cookie() string { return hex.EncodeToString(f.fake) }

// Screen is that of the display.
func (f *Forwarder) Screen() uint32 { return f.display.screen }

// expired says whether new connections are refused by now.
func (f *Forwarder) expired() bool {
	return !f.expires.IsZero() && !time.Now().Before(f.expires)
}

// ServeChannel accepts or rejects one channel. It does not wait for the X
// server: goroutines do the work, which ends with the channel, the X server's
// connection, or at Close.
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

// serve carries one connection, and ends with it.
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

// release counts a channel out: it was rejected, or the server has closed it. A
// server that does not close its channels gets no more of them.
func (f *Forwarder) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
}

// Close ends every connection, rejects channels that come later, and waits. A
// read of a channel ends when the server confirms the channel's close, or with
// the SSH connection, which is for the caller to end; Close does not wait for
// that.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel(ErrClosed)
	f.links.Wait()
	return nil
}
