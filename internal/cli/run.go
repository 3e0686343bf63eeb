package cli

import (
	"context"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/share"
	"github.com/gossh-project/gossh/internal/cli/task"
)

// runner follows a plan. run returns the exit status, or the error that ends the
// invocation.
type runner interface {
	run(ctx context.Context) (int, error)
}

// newRunner returns the runner of a plan.
func newRunner(inv *invocation, p plan) runner {
	switch p := p.(type) {
	case answerPlan:
		return &answerRunner{inv, p.what}
	case demoPlan:
		return &demoRunner{inv.environment}
	case controlPlan:
		return newControlRunner(inv, p)
	case backgroundPlan:
		return &backgroundRunner{inv.background()}
	case attachPlan:
		return &attachRunner{newShareClient(inv, p.task), newRunner(inv, p.otherwise)}
	case spawnPlan:
		return &spawnRunner{newShareClient(inv, p.task), inv.background(), newRunner(inv, p.otherwise)}
	case foregroundPlan:
		return newForeground(inv, p)
	case masterPlan:
		return newMasterRunner(inv, p)
	}
	panic(fmt.Sprintf("no runner for %T", p))
}

// controlRunner sends a command to the master. In proxy mode it runs its task over
// the master.
type controlRunner struct {
	control *share.Control
	proxy   *foreground // nil in other modes
}

func newControlRunner(inv *invocation, p controlPlan) *controlRunner {
	r := &controlRunner{control: &share.Control{
		Print: inv.print, Config: inv.cfg, Std: inv.std, Back: inv.backchannels(), Command: p.command,
	}}
	if p.command == "proxy" {
		r.proxy = newForeground(inv, p.proxy)
	}
	return r
}

func (r *controlRunner) run(ctx context.Context) (status int, err error) {
	if r.proxy == nil {
		return 0, r.control.Run(ctx)
	}
	err = r.control.Proxy(ctx, func(conn ssh.Conn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) error {
		c, err := client.Attach(conn, chans, reqs, r.proxy.connector.options())
		if err != nil {
			return err
		}
		defer c.Close()
		ctx, quit := r.proxy.signals.Until(ctx)
		defer quit(nil)
		status, err = r.proxy.serve(ctx, connection{client: c, std: r.proxy.std, quit: quit})
		return err
	})
	return status, err
}

// backgroundRunner runs the same arguments in a child (-f).
type backgroundRunner struct{ background *process.Background }

func (r *backgroundRunner) run(context.Context) (int, error) {
	_, status, err := r.background.Start()
	return status, err
}

// newShareClient returns what runs a task over the connection of a master.
func newShareClient(inv *invocation, t task.Task) *share.Client {
	return &share.Client{
		Print: inv.print, Config: inv.cfg, Std: inv.std, Guard: inv.guard, Signals: inv.signals,
		Ready: inv.ready, Back: inv.backchannels(), Task: t,
	}
}

// attachRunner runs its task over the connection of a master.
type attachRunner struct {
	share     *share.Client
	otherwise runner
}

func (r *attachRunner) run(ctx context.Context) (int, error) {
	process.EaseCollector()
	status, done, err := r.share.Attach(ctx)
	if err != nil || done {
		return status, err
	}
	return r.otherwise.run(ctx)
}

// spawnRunner starts a master and runs its task over the master's connection.
type spawnRunner struct {
	share      *share.Client
	background *process.Background
	otherwise  runner
}

func (r *spawnRunner) run(ctx context.Context) (int, error) {
	process.EaseCollector()
	if !r.share.Vacant(ctx) {
		return r.otherwise.run(ctx)
	}
	ready, status, err := r.background.Start(masterVariable + "=1")
	if err != nil || !ready {
		return status, err
	}
	if r.share.Task.Kind == task.None {
		return 0, nil // the master is all that was asked for
	}
	status, done, err := r.share.AttachStarted(ctx)
	if err != nil || done {
		return status, err
	}
	return r.otherwise.run(ctx)
}
