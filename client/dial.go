package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/nss"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/sshconfig"
)

// Dial connects to target, "[user@]host" or "ssh://[user@]host[:port]", and
// authenticates, with the settings that ssh_config has for it. If ControlPath
// names the socket of a running master, of OpenSSH or of gossh, Dial shares the
// master's connection. A nil opts is the same as the zero Options. Dial copies
// opts and does not keep it.
//
// If ctx ends before the connection is up, Dial returns at once. The end of ctx
// has no effect on the Client afterwards. ConnectTimeout bounds the time up to
// the end of the key exchange, and then each step of authentication; the time
// in which a person is asked does not count.
//
// Every error is a [*ConnError].
func Dial(ctx context.Context, target string, opts *Options) (*Client, error) {
	o, err := opts.withDefaults().resolved(ctx, target)
	if err != nil {
		return nil, err
	}
	return newDialer(o, nil).dial(ctx)
}

// resolved returns o with the configuration of the target, which it loads if o
// has none.
func (o Options) resolved(ctx context.Context, target string) (Options, error) {
	if o.Config != nil {
		return o, nil
	}
	dest, err := sshconfig.ParseDestination(target)
	if err != nil {
		return o, &ConnError{Host: target, Phase: PhaseConfig, Err: &TargetError{What: "destination", Text: target}}
	}
	if o.NoFiles {
		o.Config = defaultConfig(dest.Host, dest.User, dest.Port)
		return o, nil
	}
	if o.Config, err = loadConfig(ctx, dest, *o.ConfigOptions); err != nil {
		return o, &ConnError{Host: dest.Host, Phase: PhaseConfig, Err: orContextError(ctx, err)}
	}
	return o, nil
}

// defaultConfig returns the configuration of a host that no file is read for. A
// port of 0 means the default.
func defaultConfig(host, user string, port int) *sshconfig.Config {
	cfg := sshconfig.Default(host, user)
	if port != 0 {
		cfg.Port = port
	}
	return cfg
}

// orContextError returns why ctx ended, or err if it has not.
func orContextError(ctx context.Context, err error) error {
	if ended := contextError(ctx); ended != nil && errors.Is(err, context.Cause(ctx)) {
		return ended
	}
	return err
}

// loadConfig loads the configuration for a destination.
func loadConfig(ctx context.Context, dest sshconfig.Destination, o sshconfig.Options) (*sshconfig.Config, error) {
	if dest.User != "" {
		o.User = dest.User
	}
	if dest.Port != 0 {
		o.Port = dest.Port
	}
	return sshconfig.Load(ctx, dest.Host, o)
}

// dialer is the state of one Dial, or of the connection to one jump host.
type dialer struct {
	opts   Options
	cfg    *sshconfig.Config
	parent *dialer // the dialer that this is a jump host of
	depth  int

	earlier *earlierKeys // the host keys of earlier connections; nil if there are none
	path    string       // the name of this host in earlier

	// fallbackTimeout is the time limit if there is no ConnectTimeout. Keep sets it.
	fallbackTimeout time.Duration

	limit    *deadline
	notifyMu *sync.Mutex // shared by all hops of a Dial

	names nss.Resolver

	watched *keepalive.Conn
	engine  engine
	auth    *authenticator
	keys    *hostKeys

	hostKeyAlgorithms []string // as offered; set before the handshake to limit them
}

func newDialer(o Options, parent *dialer) *dialer {
	d := &dialer{opts: o, cfg: o.Config, parent: parent, notifyMu: new(sync.Mutex)}
	if parent != nil {
		d.notifyMu = parent.notifyMu
		d.depth = parent.depth + 1
		d.earlier = parent.earlier
		d.fallbackTimeout = parent.fallbackTimeout
		d.names = parent.names
	}
	return d
}

// dial attaches to a master, or connects and authenticates. It connects once
// more if the server may have the expected host key of another type.
func (d *dialer) dial(ctx context.Context) (*Client, error) {
	if c := d.attach(ctx); c != nil {
		return c, nil
	}
	ctx, d.limit = withDeadline(ctx, cmp.Or(d.cfg.ConnectTimeout, d.fallbackTimeout), ErrTimeout)
	if d.parent != nil {
		d.limit.parent = d.parent.limit
	}
	defer d.limit.stop()
	c, err := d.attempt(ctx)
	for refusal := err; ; {
		left := d.otherHostKeys()
		if len(left) == 0 {
			return c, err
		}
		d.debugf("The server may have the expected host key of another type: trying again.")
		d.hostKeyAlgorithms = left
		c, err = d.attempt(ctx)
		var none *ssh.AlgorithmNegotiationError
		if errors.As(err, &none) {
			return nil, refusal
		}
	}
}

// attempt makes one connection and its handshake.
func (d *dialer) attempt(ctx context.Context) (*Client, error) {
	d.keys, d.auth, d.watched = nil, nil, nil
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	d.debugf("Connection established.")
	return d.handshake(ctx, conn)
}

// handshake makes an SSH connection over conn. It closes conn if it fails.
func (d *dialer) handshake(ctx context.Context, conn net.Conn) (*Client, error) {
	d.layers(conn)
	d.keys = d.newHostKeys(ctx, conn.RemoteAddr())
	d.auth = newAuthenticator(ctx, d)
	defer d.auth.close()
	if err := d.offerHostKeys(ctx); err != nil {
		conn.Close()
		return nil, d.connError(PhaseKex, orContextError(ctx, err))
	}
	d.debugf("Local version string %s", d.clientVersion())
	unwatch := context.AfterFunc(ctx, func() { conn.Close() })
	d.watched.SetPacketTimeout(d.keepaliveOptions().PacketTimeout())
	sc, chans, reqs, err := d.engine.connect(ctx)
	d.watched.SetPacketTimeout(0)
	if !unwatch() && err == nil { // the context ended at the last moment
		sc.Close()
		err = contextError(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, d.handshakeError(ctx, err)
	}
	peer := "via proxy"
	if host := peerHost(conn); host != "UNKNOWN" {
		peer = fmt.Sprintf("[%s]:%d", host, peerPort(conn))
	}
	d.logf(levelVerbose, "Authenticated to %s (%s) using \"%s\".", d.cfg.HostName, peer, d.auth.lastMethod())
	return newClient(d, sc, chans, reqs), nil
}

// layers puts the keepalive's view of the connection over conn, and the engine
// over that.
func (d *dialer) layers(conn net.Conn) {
	d.watched = keepalive.WrapConn(conn)
	d.engine = d.newEngine()
}

// noticed logs a line that comes before the server's identification.
func (d *dialer) noticed(number int, line string) {
	d.debugf("kex_exchange_identification: banner line %d: %s", number, line)
}

// greeted logs the server's identification.
func (d *dialer) greeted(line string) {
	_, version, _ := strings.Cut(line, "-")
	version, software, _ := strings.Cut(version, "-")
	d.debugf("Remote protocol version %s, remote software version %s", version, software)
	d.debugf("Authenticating to %s:%d as '%s'", d.cfg.HostName, d.cfg.Port, d.cfg.User)
	d.debugf("SSH2_MSG_KEXINIT sent")
}

// handshakeError returns the first cause of a failed handshake.
func (d *dialer) handshakeError(ctx context.Context, err error) error {
	if err := d.keys.err(); err != nil {
		return d.connError(PhaseKex, err)
	}
	if err := d.auth.err(); err != nil {
		return d.connError(PhaseAuth, err)
	}
	if ended := contextError(ctx); ended != nil {
		return d.connError(d.phase(), ended)
	}
	return d.connError(d.phase(), d.transportCause(err))
}

// transportCause returns the first cause of the end of a connection that
// x/crypto reports as err.
func (d *dialer) transportCause(err error) error {
	failed := d.engine.failure()
	var lost *keepalive.PeerLostError
	if errors.As(err, &lost) || errors.As(failed, &lost) {
		return lost
	}
	if disconnect := asDisconnect(err); disconnect != nil {
		return disconnect
	}
	var negotiation *ssh.AlgorithmNegotiationError
	if errors.As(err, &negotiation) {
		return negotiation
	}
	return cmp.Or(failed, err)
}

// phase returns the step that the handshake has reached.
func (d *dialer) phase() Phase {
	switch {
	case d.auth.began():
		return PhaseAuth
	case d.engine.versionsExchanged():
		return PhaseKex
	}
	return PhaseBanner
}

// address returns the name that x/crypto has for the server in its callbacks.
func (d *dialer) address() string {
	return net.JoinHostPort(d.cfg.HostName, fmt.Sprint(d.cfg.Port))
}

func (d *dialer) keepaliveOptions() keepalive.Options {
	if d.opts.NoKeepalive {
		return keepalive.Options{}
	}
	return keepalive.Options{
		Interval: d.cfg.ServerAliveInterval,
		CountMax: d.cfg.ServerAliveCountMax,
		Logger:   d.opts.Logger,
		OnChange: func(s keepalive.Stats) { d.notify(Alive{s}) },
	}
}

// untimed calls ask, which may wait for a person. The time limits stop
// meanwhile: that of the Dial, and that of packets, because the server waits for
// the person too.
func (d *dialer) untimed(ask func() error) error {
	if d.limit != nil { // nil if only keys are listed
		d.limit.pause()
		defer d.limit.resume()
	}
	if d.watched != nil {
		d.watched.SetPacketTimeout(0)
		defer d.watched.SetPacketTimeout(d.keepaliveOptions().PacketTimeout())
	}
	return ask()
}

func (d *dialer) notify(e Event) {
	d.notifyMu.Lock()
	defer d.notifyMu.Unlock()
	d.opts.Notify(e)
}

// The log levels of ssh as levels of slog.
const (
	levelVerbose = slog.LevelDebug + 1

	levelDebug1 = slog.LevelDebug
	levelDebug2 = slog.LevelDebug - 1
	levelDebug3 = slog.LevelDebug - 2
)

func (d *dialer) debugf(format string, args ...any) { d.logf(levelDebug1, format, args...) }

func (d *dialer) logf(level slog.Level, format string, args ...any) {
	logf(d.opts.Logger, level, format, args...)
}

// logf formats a message if it is logged at this level.
func logf(l *slog.Logger, level slog.Level, format string, args ...any) {
	if l.Enabled(context.Background(), level) {
		l.Log(context.Background(), level, fmt.Sprintf(format, args...))
	}
}

// sleep waits for the time. It returns the error of ctx if that ends first.
func sleep(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// deadline is the time limit of a Dial: for looking up, connecting and key
// exchange, and then for each step of authentication. It stops while a person is
// asked.
type deadline struct {
	cancel context.CancelCauseFunc
	err    error     // the cause that the context ends with
	parent *deadline // the deadline of the Dial that this is a jump host of; pauses too

	mu      sync.Mutex
	limit   time.Duration // zero means none
	left    time.Duration
	started time.Time // of the running timer; zero while paused
	pauses  int
	timer   *time.Timer
}

// withDeadline returns a context that ends with err after limit (zero means
// never), and the deadline that controls it. The caller must stop the deadline.
func withDeadline(ctx context.Context, limit time.Duration, err error) (context.Context, *deadline) {
	ctx, cancel := context.WithCancelCause(ctx)
	d := &deadline{cancel: cancel, err: err, limit: limit, left: limit}
	d.run()
	return ctx, d
}

// run starts the timer for the time that is left. The caller holds mu, except in
// withDeadline.
func (d *deadline) run() {
	if d.limit <= 0 {
		return
	}
	d.started = time.Now()
	d.timer = time.AfterFunc(d.left, func() { d.cancel(d.err) })
}

// halt stops the timer and records the time that is left. The caller holds mu.
func (d *deadline) halt() {
	if d.timer == nil {
		return
	}
	d.timer.Stop()
	d.left -= time.Since(d.started)
	d.timer = nil
}

// pause stops the clock until resume is called as often as pause.
func (d *deadline) pause() {
	if d.parent != nil {
		d.parent.pause()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pauses++; d.pauses == 1 {
		d.halt()
	}
}

func (d *deadline) resume() {
	if d.parent != nil {
		d.parent.resume()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pauses--; d.pauses == 0 {
		d.run()
	}
}

// restart sets the full time for the next step.
func (d *deadline) restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.halt()
	d.left = d.limit
	if d.pauses == 0 {
		d.run()
	}
}

// stop stops the timer and cancels the context.
func (d *deadline) stop() {
	d.mu.Lock()
	d.halt()
	d.limit = 0
	d.mu.Unlock()
	d.cancel(context.Canceled)
}
