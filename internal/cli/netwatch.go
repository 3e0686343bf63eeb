package cli

import (
	"context"

	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/sshconfig"
)

// watchNetwork has hint called when links, addresses or routes of this machine
// change, so that a connection from an address that is no more is noticed
// within seconds. It is for Linux alone: elsewhere the keepalive goes by its
// own time. The function that it returns ends the watch.
func (p *program) watchNetwork(ctx context.Context, hint func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	changes, err := keepalive.WatchNetwork(ctx)
	if err != nil {
		p.print.Printf(sshconfig.LogDebug2, "debug2: %v", err)
		cancel()
		return func() {}
	}
	done := make(chan struct{})
	go p.guard.Run(func() { // ends with the watch
		defer close(done)
		for range changes {
			p.print.Printf(sshconfig.LogDebug2, "debug2: the network has changed")
			hint()
		}
	})
	return func() {
		cancel()
		<-done
	}
}
