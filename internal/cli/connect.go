package cli

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/internal/cli/reconnect"
	"github.com/gossh-project/gossh/internal/cli/share"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/sshconfig"
)

// version is what -V prints and servers get to know.
const version = "0.1"

func versionLine() string {
	return fmt.Sprintf("gossh_%s, like OpenSSH_10.5, %s", version, runtime.Version())
}

// connector makes the connection of an invocation and, with Reconnect, those that
// follow.
type connector struct {
	environment
	host      string
	files     sshconfig.Options // for jump hosts
	jump      []string          // the program for jump hosts that become masters
	reconnect bool
	session   bool   // a session reads standard input
	restart   string // what runs on a new connection, as a sentence
	apart     bool   // a ProxyCommand must not hold standard error open
	secrets   *process.Secrets
}

// newConnector returns the connector of an invocation. master is set for a process
// that makes its connection for clients only.
func newConnector(inv *invocation, reconnect, master bool) *connector {
	cfg := inv.cfg
	return &connector{
		environment: inv.environment,
		host:        inv.flags.host,
		files:       inv.configOptions(),
		jump:        jumpProgram(inv),
		reconnect:   reconnect,
		session:     cfg.SessionType != sshconfig.SessionNone && !cfg.StdinNull,
		restart:     restartText(inv.flags.command, cfg.RemoteCommand),
		apart:       master,
		secrets:     new(process.Secrets),
	}
}

// restartText returns what runs on a new connection, as a sentence.
func restartText(command, remoteCommand string) string {
	switch {
	case command != "":
		return "The command is run again."
	case remoteCommand != "":
		return "RemoteCommand is run again."
	}
	return "This is a new shell."
}

// jumpProgram returns this program and the arguments that ssh passes on to the ssh
// it runs for a jump host. It returns nil if jump hosts cannot become masters.
func jumpProgram(inv *invocation) []string {
	if runtime.GOOS == "windows" { // it has no control sockets
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		inv.print.Debugf("jump hosts are no masters: %v", err)
		return nil
	}
	args := []string{exe}
	if f := inv.flags.configFile; f != nil {
		args = append(args, "-F", *f)
	}
	for level := inv.cfg.LogLevel; level > sshconfig.LogVerbose && inv.flags.verbose; level-- {
		args = append(args, "-v")
	}
	return args
}

// connection is a connection that a service uses.
type connection struct {
	client *client.Client
	kept   *client.Kept            // nil without Reconnect
	again  bool                    // it follows one that was lost
	std    Std                     // what the connection itself does not use
	quit   context.CancelCauseFunc // ends the invocation
}

// service uses a connection.
type service interface {
	// serve returns when the service is done with the connection, or when the
	// connection or ctx has ended. With Reconnect it is called again after a loss.
	serve(ctx context.Context, c connection) (int, error)
	// close ends what outlives a connection.
	close()
}

// run makes the connection and has it served.
func (d *connector) run(ctx context.Context, s service) (int, error) {
	process.EaseCollector()
	stderr, flush, err := d.proxyStderr()
	if err != nil {
		return 0, err
	}
	defer flush()
	options := d.options()
	options.ProxyStderr = stderr
	if d.reconnect {
		return d.keep(ctx, options, s)
	}
	return d.connect(ctx, options, s)
}

// connect makes one connection.
func (d *connector) connect(ctx context.Context, options *client.Options, s service) (int, error) {
	conn := connection{std: d.std}
	var err error
	if d.cfg.ProxyCommand == "-" {
		if options.Stdio, conn.std, err = takeStdio(d.std); err != nil {
			return 0, err
		}
	}
	d.secrets.Protect()
	conn.client, err = client.Dial(ctx, d.host, options)
	d.secrets.Forget()
	if err != nil {
		return 0, err
	}
	defer conn.client.Close()
	defer d.turns.Await(ctx, conn.client.Done())
	ctx, conn.quit = d.signals.Until(ctx)
	defer conn.quit(nil)
	defer d.watchNetwork(ctx, conn.client.Hint)()
	defer s.close()
	return s.serve(ctx, conn)
}

// keep makes one connection after another. The first one is made, and fails, like
// any other.
func (d *connector) keep(ctx context.Context, options *client.Options, s service) (int, error) {
	conns := reconnect.Keep(ctx, d.host, options, reconnect.Options{
		Print: d.print, Config: d.cfg, Std: d.std, Guard: d.guard, Secrets: d.secrets,
		Session: d.session, Restart: d.restart,
	})
	defer conns.Close()
	conn := connection{kept: conns.Kept(), std: d.std}
	var err error
	if conn.client, err = conns.First(); err != nil {
		return 0, err
	}
	defer d.watchNetwork(ctx, conn.kept.Hint)()
	ctx, conn.quit = d.signals.Until(ctx)
	defer conn.quit(nil)
	defer s.close()
	status, err := s.serve(ctx, conn)
	for share.IsLost(err) && ctx.Err() == nil {
		if conn.client, err = conns.Next(ctx); err != nil {
			return 0, err
		}
		conn.again = true
		status, err = s.serve(ctx, conn)
	}
	d.turns.Await(ctx, conn.client.Done())
	return status, err
}

// options returns the options of a connection.
func (d *connector) options() *client.Options {
	return &client.Options{
		Config:        d.cfg,
		ConfigOptions: &d.files,
		Prompter:      prompt.New(d.print, d.turns, d.signals),
		Notify:        func(e client.Event) { d.guard.Run(func() { d.notify(e) }) },
		Logger:        d.print.Logger(),
		ProxyApart:    d.apart,
		JumpProgram:   d.jump,
		ClientVersion: client.DefaultClientVersion,
		OwnConnection: true, // the runners have tried a master already
	}
}

// notify handles an event of package client.
func (d *connector) notify(e client.Event) {
	if _, ok := e.(client.SecretRead); ok {
		d.secrets.Note()
	}
	d.print.Event(e)
}

// watchNetwork calls hint when links, addresses or routes of this machine change.
// The keepalive then notices within seconds that the address of a connection is
// gone. Only Linux reports changes. stop ends the watch.
func (d *connector) watchNetwork(ctx context.Context, hint func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	changes, err := keepalive.WatchNetwork(ctx)
	if err != nil {
		d.print.Printf(sshconfig.LogDebug2, "debug2: %v", err)
		cancel()
		return func() {}
	}
	done := make(chan struct{})
	go d.guard.Run(func() { // ends with the watch
		defer close(done)
		for range changes {
			d.print.Printf(sshconfig.LogDebug2, "debug2: the network has changed")
			hint()
		}
	})
	return func() {
		cancel()
		<-done
	}
}
