package message

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/keepalive"
)

func TestLossText(t *testing.T) {
	broken := func(err error) error { return &client.ConnError{Phase: client.PhaseConnected, Err: err} }
	connect := func(err error) error {
		return &client.ConnError{Phase: client.PhaseConnect, Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", err)}}
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{broken(&keepalive.PeerLostError{Silence: 210 * time.Second}), "server not responding for 3m30s"},
		{broken(&keepalive.PeerLostError{Silence: 6 * time.Second, Reason: keepalive.ReasonMoved}), "the network has changed"},
		{broken(io.EOF), "closed by remote host"},
		{broken(syscall.ECONNRESET), "connection reset by peer"},
		{broken(&client.DisconnectError{Reason: 11, Message: "going down"}), "server: going down"},
		{connect(syscall.ECONNREFUSED), "Connection refused"},
		{connect(syscall.ENETUNREACH), "Network is unreachable"},
		{connect(syscall.ETIMEDOUT), "timed out"},
		{&client.ConnError{Phase: client.PhaseKex, Err: client.ErrTimeout}, "timed out"},
		{&client.ResolveError{Host: "web-1", Err: &net.DNSError{IsTemporary: true}}, "could not resolve hostname web-1: Temporary failure in name resolution"},
		{errors.New("whatever"), "whatever"},
	} {
		if got := Loss(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}
