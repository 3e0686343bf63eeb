package cli

import (
	"cmp"
	"context"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/mux"
)

// keptConn is what a master with Reconnect shares: one socket for all of the
// connections that follow one another. A client that comes during an outage
// waits for the next one; without the socket it would take the master's place.
// Forwards that clients have opened are opened again.
type keptConn struct{ *shared }

// Current waits as long as the client itself might for a connection.
func (k keptConn) Current(ctx context.Context) (mux.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(k.p.cfg.ConnectTimeout, masterPatience))
	defer cancel()
	c, err := k.p.kept.Client(ctx)
	if err != nil {
		return nil, err
	}
	k.renew(c) // it may be known here first
	return c, nil
}

// OpenForward keeps what a client has opened, and not what has failed: that the
// client is told.
func (k keptConn) OpenForward(ctx context.Context, spec forward.Spec, o forward.Options) (mux.Standing, error) {
	f, err := k.p.kept.Forward(ctx, spec, o)
	if err != nil {
		if f != nil {
			f.Stop()
		}
		return nil, err
	}
	return f, nil
}

func (k keptConn) Standing() (all []mux.Standing) {
	for _, f := range k.p.kept.Forwards() {
		all = append(all, f)
	}
	return all
}

func (k keptConn) Outage() (o mux.Outage, ok bool) {
	st := k.p.kept.State()
	if st.Phase == client.KeepConnected {
		return o, false
	}
	return mux.Outage{Attempt: st.Attempt, Next: st.Until}, true
}

// The rest is of the connection that is up, or was.

func (k keptConn) latest() *client.Client {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conn
}

func (k keptConn) OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	return k.latest().OpenChannel(name, data)
}

func (k keptConn) SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return k.latest().SendRequest(name, wantReply, payload)
}

func (k keptConn) Forwards() *forward.Forwarder { return k.latest().Forwards() }
func (k keptConn) Done() <-chan struct{}        { return k.p.kept.Done() }
func (k keptConn) Err() error                   { return k.p.kept.Err() }
func (k keptConn) Stats() keepalive.Stats       { return k.latest().Stats() }
