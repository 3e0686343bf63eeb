package cli

import (
	"context"
	"strings"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/share"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/sshconfig"
)

// foreground connects and runs a task. It shares the connection if its master is
// not nil.
type foreground struct {
	environment
	task      task.Task
	ready     *process.Readiness
	connector *connector
	forwards  *forwards
	back      *backchannel.Forwarding
	master    *share.Master
}

func newForeground(inv *invocation, p foregroundPlan) *foreground {
	f := &foreground{
		environment: inv.environment,
		task:        p.task,
		ready:       inv.ready,
		connector:   newConnector(inv, p.reconnect, false),
		forwards:    &forwards{inv.print, inv.cfg},
		back:        inv.backchannels(),
	}
	if p.shares {
		f.master = newMaster(inv, false)
	}
	return f
}

// newMaster returns what shares the connection of an invocation. persist is set
// for a process that exists for clients only.
func newMaster(inv *invocation, persist bool) *share.Master {
	return share.NewMaster(share.MasterOptions{
		Print:   inv.print,
		Config:  inv.cfg,
		Back:    inv.backchannels(),
		Forward: forwardOptions(inv.print, inv.cfg),
		Persist: persist,
	})
}

func (f *foreground) run(ctx context.Context) (int, error) {
	status, err := f.connector.run(ctx, f)
	if terminated(f.task, err) {
		return 0, nil
	}
	return status, err
}

// close ends the sessions of clients.
func (f *foreground) close() {
	if f.master != nil {
		f.master.Close()
	}
}

// serve opens the forwardings, runs the task, and then waits for what still uses the
// connection.
func (f *foreground) serve(ctx context.Context, c connection) (int, error) {
	shared, err := f.open(ctx, c)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	end, err := f.runTask(ctx, c, shared)
	if terminated(f.task, err) {
		closeLocal(c.client)
		f.print.Transferred(c.client, began)
		f.print.Debugf("Exit status 0")
	}
	if err == nil && ctx.Err() == nil && !end.quit { // otherwise the end has been printed
		err = f.awaitOthers(ctx, c, shared, &end)
	}
	if err != nil {
		return end.status, err
	}
	return f.sayGoodbye(end, c.kept != nil), nil
}

// open opens the forwardings and shares the connection. It reports whether the
// connection is shared.
func (f *foreground) open(ctx context.Context, c connection) (shared bool, err error) {
	if !c.again { // with Reconnect, forwardings are opened again on their own
		if err := f.forwards.openAll(ctx, c); err != nil {
			return false, err
		}
	}
	if f.master == nil {
		return false, nil
	}
	return f.master.Share(ctx, c.client, c.kept, c.quit)
}

// runTask runs LocalCommand and the task.
func (f *foreground) runTask(ctx context.Context, c connection, shared bool) (ending, error) {
	if f.task.Kind == task.Stdio {
		return ending{}, f.forwardStdio(ctx, c)
	}
	if err := runConfiguredLocalCommand(ctx, f.print, f.cfg, c.std); err != nil {
		return ending{}, err
	}
	if f.task.Kind == task.None {
		return ending{}, f.waitWithoutSession(ctx, c.client)
	}
	return f.runSession(ctx, c, shared)
}

// awaitOthers waits after a session until its forwarded connections have ended, and
// then the sessions of clients.
func (f *foreground) awaitOthers(ctx context.Context, c connection, shared bool, end *ending) error {
	if f.task.Kind == task.Session {
		lost, err := f.forwards.await(ctx, c)
		if err != nil {
			return err
		}
		end.addLoss(lost)
	}
	if shared {
		lost, err := f.master.AwaitClients(ctx)
		if err != nil {
			return err
		}
		end.addLoss(lost)
	}
	return nil
}

// waitWithoutSession waits until the connection or ctx ends (-N).
func (f *foreground) waitWithoutSession(ctx context.Context, c *client.Client) error {
	setQoS(f.print, f.cfg, c, f.cfg.ControlMaster == sshconfig.ControlMasterNo)
	denyMoreSessions(f.print, f.cfg, c)
	f.print.SessionBegins()
	if err := f.ready.Announce(f.print, nil, false); err != nil {
		return err
	}
	select {
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// denyMoreSessions requests from an OpenSSH server that it accepts no further
// session, so that an attacker who takes the connection over cannot open one.
func denyMoreSessions(print *message.Printer, cfg *sshconfig.Config, c *client.Client) {
	if cfg.ControlMaster != sshconfig.ControlMasterNo || !strings.Contains(string(c.Conn().ServerVersion()), "OpenSSH") {
		return
	}
	print.Debugf("Requesting no-more-sessions@openssh.com")
	c.SendRequest("no-more-sessions@openssh.com", false, nil)
}

// setQoS sets IPQoS for the kind of traffic.
func setQoS(print *message.Printer, cfg *sshconfig.Config, c *client.Client, interactive bool) {
	class := cfg.IPQoS.Bulk
	if interactive {
		class = cfg.IPQoS.Interactive
	}
	if err := c.SetQoS(class); err != nil {
		print.Debugf("IPQoS 0x%02x: %s", int(class), message.Errno(err))
	}
}

// ending is how a session has ended, with what remains to be printed.
type ending struct {
	status  int
	session *remoteSession // nil without a session
	quit    bool           // the user ended the connection: nothing is waited for
	silent  bool           // ssh would die without further words
	unknown bool           // the program has no exit status; ssh prints -1
	printed bool           // the loss of the connection has been printed
	loss    error          // how the connection was lost later, while others used it
}

// addLoss records that the connection was lost after the session.
func (e *ending) addLoss(err error) {
	if share.IsLost(err) && !e.printed && e.loss == nil {
		e.loss = err
	}
}

// sayGoodbye prints what ssh prints when it exits, and returns the exit status: that
// of the session, unless ssh would die of the loss of the connection. kept is set
// with Reconnect.
func (f *foreground) sayGoodbye(end ending, kept bool) int {
	s := end.session
	if s == nil {
		return end.status
	}
	if end.loss != nil && !kept {
		if status := fail(f.print, end.loss); endsAtOnce(end.loss) {
			end.silent, end.status = true, status
		}
	}
	if end.silent {
		return end.status
	}
	if s.tty != nil && f.print.Level() >= sshconfig.LogInfo {
		f.print.Last("Connection to %s closed.", f.cfg.HostName)
	}
	f.print.Transferred(s.client, s.started)
	exit := end.status
	if end.unknown {
		exit = -1
	}
	f.print.Debugf("Exit status %d", exit)
	return end.status
}
