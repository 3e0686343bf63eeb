package cli

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/sshconfig"
)

// version is what -V tells, and servers are told.
const version = "0.1"

func versionLine() string {
	return fmt.Sprintf("gossh_%s, like OpenSSH_10.5, %s", version, runtime.Version())
}

// checkPlan refuses what cannot work before anything is connected, and says at
// -v what the configuration asks for in vain.
func (p *program) checkPlan() error {
	cfg, command := p.cfg, p.flags.command
	switch {
	case cfg.RemoteCommand != "" && command != "":
		return message.Errorf("Cannot execute command-line and remote command.")
	case cfg.ForkAfterAuthentication && p.remoteCommand() == "" && cfg.SessionType != sshconfig.SessionNone && cfg.StdioForward.IsZero():
		return message.Errorf("Cannot fork into background without a command to execute.")
	case cfg.Tunnel != sshconfig.TunnelNo:
		return message.Errorf("Tunnel device forwarding (-w) is not supported.")
	}
	p.sayWithoutEffect()
	return nil
}

// sayWithoutEffect names, once and at -v, the keywords that were set and that
// nothing comes of.
func (p *program) sayWithoutEffect() {
	if p.print.Level() < sshconfig.LogDebug1 {
		return
	}
	for _, k := range sshconfig.Keywords() {
		if k.Status == sshconfig.NoEffect && p.cfg.IsSet(k.Name) {
			p.print.Debugf("%s has no effect: %s", k.Name, k.Reason)
		}
	}
}

// remoteCommand is the command line's, or RemoteCommand.
func (p *program) remoteCommand() string {
	if p.flags.command != "" {
		return p.flags.command
	}
	return p.cfg.RemoteCommand
}

// connect makes the connection and runs what it is for.
func (p *program) connect(ctx context.Context) (int, error) {
	flush, err := p.relayProxyStderr()
	if err != nil {
		return 0, err
	}
	defer flush()
	run := p.connectOnce
	if p.repeats() {
		run = p.stayConnected
	}
	status, err := run(ctx)
	if p.terminated(err) {
		return 0, nil
	}
	return status, err
}

// connectOnce is connect for one connection.
func (p *program) connectOnce(ctx context.Context) (int, error) {
	options := p.clientOptions()
	var err error
	if options.Stdio, err = p.takeStdio(); err != nil {
		return 0, err
	}
	p.secrets.Protect()
	c, err := client.Dial(ctx, p.flags.host, options)
	p.secrets.Forget()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	defer p.turns.Await(ctx, c.Done())
	ctx, quit := p.signals.Until(ctx)
	defer quit(nil)
	p.quit = quit
	defer p.watchNetwork(ctx, c.Hint)()
	status, err := p.serve(ctx, c)
	if err != nil {
		return 0, err
	}
	return status, nil
}

// clientOptions are those of the connection, and of each that takes its place.
func (p *program) clientOptions() *client.Options {
	options := p.configOptions()
	return &client.Options{
		Config:        p.cfg,
		ConfigOptions: &options,
		Prompter:      prompt.New(p.print, p.turns, p.signals),
		Notify:        func(e client.Event) { p.guard.Run(func() { p.notify(e) }) },
		Logger:        p.print.Logger(),
		ProxyStderr:   p.proxyStderr,
		ProxyApart:    p.master,
		JumpProgram:   p.jumpProgram(),
		ClientVersion: client.DefaultClientVersion,
		OwnConnection: true, // what a master can do for us has been tried
	}
}

// notify handles an event of package client.
func (p *program) notify(e client.Event) {
	if _, ok := e.(client.SecretRead); ok {
		p.secrets.Note()
	}
	p.print.Event(e)
}

// jumpProgram is this program, for jump hosts that become masters. It gets what
// ssh passes on to the ssh that it runs for a jump host.
func (p *program) jumpProgram() []string {
	if runtime.GOOS == "windows" { // which has no masters
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		p.print.Debugf("jump hosts are no masters: %v", err)
		return nil
	}
	args := []string{exe}
	if f := p.flags.configFile; f != nil {
		args = append(args, "-F", *f)
	}
	for level := p.cfg.LogLevel; level > sshconfig.LogVerbose && p.flags.verbose; level-- {
		args = append(args, "-v")
	}
	return args
}

// serve runs forwards, the session, or both, over a connection that is up.
func (p *program) serve(ctx context.Context, c *client.Client) (int, error) {
	if err := p.openForwards(ctx, c); err != nil {
		return 0, err
	}
	return p.serveOver(ctx, c)
}

// serveOver is serve less the forwards, which with Reconnect are back by
// themselves.
func (p *program) serveOver(ctx context.Context, c *client.Client) (int, error) {
	srv, err := p.share(ctx, c)
	if err != nil {
		return 0, err
	}
	if srv != nil && p.kept == nil {
		defer srv.close()
	}
	if p.master {
		return p.runMaster(ctx, srv, c)
	}
	status, err := p.serveAlone(ctx, c)
	if err == nil && srv != nil && ctx.Err() == nil && !p.parting.quit {
		err = srv.awaitPassengers(ctx)
	}
	if err == nil {
		status = p.part(status)
	}
	return status, err
}

// serveAlone runs what this process itself wants of the connection.
func (p *program) serveAlone(ctx context.Context, c *client.Client) (int, error) {
	serve, began := p.serveSession, time.Now()
	if !p.cfg.StdioForward.IsZero() {
		serve = p.stdioForward
	}
	status, err := serve(ctx, c)
	if p.terminated(err) {
		p.closeLocalForwards(c)
		p.print.Transferred(c, began)
		p.print.Debugf("Exit status 0")
	}
	return status, err
}

// serveSession runs what the connection is for besides its forwards.
func (p *program) serveSession(ctx context.Context, c *client.Client) (int, error) {
	if err := p.localCommand(ctx); err != nil {
		return 0, err
	}
	if p.cfg.SessionType == sshconfig.SessionNone {
		return p.waitWithoutSession(ctx, c)
	}
	status, err := p.runSession(ctx, c)
	if err == nil && ctx.Err() == nil && !p.parting.quit { // a signal has been told of already
		err = p.awaitForwards(ctx, c)
	}
	return status, err
}

// waitWithoutSession is -N: the connection is for its forwards.
func (p *program) waitWithoutSession(ctx context.Context, c *client.Client) (int, error) {
	p.setQoS(c, p.cfg.ControlMaster == sshconfig.ControlMasterNo)
	p.denyMoreSessions(c)
	p.print.SessionBegins()
	if err := p.ready.Announce(p.print, nil, p.master); err != nil {
		return 0, err
	}
	select {
	case <-c.Done():
		return 0, c.Err()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// denyMoreSessions lets an OpenSSH server know that this connection needs no
// further session, so that whoever takes it over gets none.
func (p *program) denyMoreSessions(c *client.Client) {
	if p.cfg.ControlMaster != sshconfig.ControlMasterNo || !strings.Contains(string(c.Conn().ServerVersion()), "OpenSSH") {
		return
	}
	p.print.Debugf("Requesting no-more-sessions@openssh.com")
	c.SendRequest("no-more-sessions@openssh.com", false, nil)
}

// userTerm is $TERM as SetEnv or the environment has it.
func (p *program) userTerm(getenv func(string) string) string {
	for _, v := range p.cfg.SetEnv {
		if v.Name == "TERM" && v.Value != "" {
			return v.Value
		}
	}
	return getenv("TERM")
}
