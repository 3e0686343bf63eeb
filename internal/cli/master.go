package cli

import (
	"context"

	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/share"
	"github.com/gossh-project/gossh/internal/cli/task"
)

// masterRunner makes a connection for clients, in a process of its own.
type masterRunner struct {
	environment
	task      task.Task
	ready     *process.Readiness
	connector *connector
	forwards  *forwards
	master    *share.Master
}

func newMasterRunner(inv *invocation, p masterPlan) *masterRunner {
	return &masterRunner{
		environment: inv.environment,
		task:        inv.ownTask(),
		ready:       inv.ready,
		connector:   newConnector(inv, p.reconnect, true),
		forwards:    &forwards{inv.print, inv.cfg},
		master:      newMaster(inv, true),
	}
}

func (m *masterRunner) run(ctx context.Context) (int, error) {
	status, err := m.connector.run(ctx, m)
	if terminated(m.task, err) {
		return 0, nil
	}
	return status, err
}

func (m *masterRunner) close() { m.master.Close() }

// serve opens the forwardings and serves clients until none needs the master any
// more.
func (m *masterRunner) serve(ctx context.Context, c connection) (int, error) {
	if !c.again {
		if err := m.forwards.openAll(ctx, c); err != nil {
			return 0, err
		}
	}
	shared, err := m.master.Share(ctx, c.client, c.kept, c.quit)
	if err != nil {
		return 0, err
	}
	if err := runConfiguredLocalCommand(ctx, m.print, m.cfg, c.std); err != nil {
		return 0, err
	}
	if err := m.ready.Announce(m.print, nil, true); err != nil {
		return 0, err
	}
	if !shared {
		return 0, nil // another master was faster: our parent will find that one
	}
	select {
	case <-m.master.Done():
		return 0, nil
	case <-c.client.Done():
		return 0, c.client.Err()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}
