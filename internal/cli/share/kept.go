package share

import (
	"cmp"
	"context"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/mux"
)

// keptConn is the mux.Connection of a master with Reconnect: one socket for all
// connections that follow one another. A client that comes during an outage waits
// for the next connection; without the socket it would become the master.
// Forwardings of clients are opened again on the next connection.
type keptConn struct {
	*Master
	kept *client.Kept
}

// Current returns the connection. It waits for one as long as the client would.
func (k keptConn) Current(ctx context.Context) (mux.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(k.options.Config.ConnectTimeout, masterPatience))
	defer cancel()
	c, err := k.kept.Client(ctx)
	if err != nil {
		return nil, err
	}
	k.Renew(c) // the runner may learn of it later
	return c, nil
}

// OpenForward opens a forwarding for a client. One that fails is not tried again;
// the client gets the error.
func (k keptConn) OpenForward(ctx context.Context, spec forward.Spec, o forward.Options) (mux.PersistentForward, error) {
	f, err := k.kept.Forward(ctx, spec, o)
	if err != nil {
		if f != nil {
			f.Stop()
		}
		return nil, err
	}
	return f, nil
}

func (k keptConn) PersistentForwards() (all []mux.PersistentForward) {
	for _, f := range k.kept.Forwards() {
		all = append(all, f)
	}
	return all
}

func (k keptConn) Outage() (o mux.Outage, ok bool) {
	st := k.kept.State()
	if st.Phase == client.KeepConnected {
		return o, false
	}
	return mux.Outage{Attempt: st.Attempt, Next: st.Until}, true
}

// latest returns the latest connection, to which the methods below belong.
func (k keptConn) latest() *client.Client {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.client
}

func (k keptConn) OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	return k.latest().OpenChannel(name, data)
}

func (k keptConn) SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return k.latest().SendRequest(name, wantReply, payload)
}

func (k keptConn) Forwards() *forward.Forwarder { return k.latest().Forwards() }
func (k keptConn) Done() <-chan struct{}        { return k.kept.Done() }
func (k keptConn) Err() error                   { return k.kept.Err() }
func (k keptConn) Stats() keepalive.Stats       { return k.latest().Stats() }
