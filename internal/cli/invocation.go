package cli

import (
	"context"
	"os"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// invocation is what the program was asked for. Nothing in it changes after
// newInvocation.
type invocation struct {
	environment
	args     []string // args[0] is the name that the program was called by
	flags    *flags
	terminal bool               // standard input is a terminal
	ready    *process.Readiness // nil in the foreground
	master   bool               // this process was started as a master (ControlPersist)
}

// masterVariable marks the environment of a process that is started as a master.
const masterVariable = "GOSSH_MASTER"

// startedAsMaster reports whether this process was started as a master. It works
// once: children of this process do not inherit the answer.
func startedAsMaster() bool {
	defer os.Unsetenv(masterVariable)
	return os.Getenv(masterVariable) != ""
}

// newInvocation parses the arguments and loads the configuration of the
// destination, if there is one. With an error it returns what can be used to print
// the error.
func newInvocation(ctx context.Context, env environment, args []string) (*invocation, error) {
	f, err := parseFlags(args[1:])
	inv := &invocation{environment: env, args: args, flags: f}
	if err != nil || f.answered() || !f.hasHost && !f.demo {
		// Errors in the arguments before that come first.
		if earlier := sshconfig.CheckCommandLine(ctx, inv.configOptions()); earlier != nil {
			return inv, earlier
		}
	}
	switch {
	case err != nil:
		return inv, err
	case f.answered(), f.demo:
		return inv, nil
	case !f.hasHost:
		return inv, message.ErrUsage
	}
	inv.terminal = terminal.IsTerminal(int(env.std.Stdin.Fd()))
	inv.ready = process.InBackground()
	inv.master = startedAsMaster()
	cfg, err := inv.load(ctx)
	if err != nil {
		return inv, err
	}
	inv.environment = env.withConfig(cfg)
	inv.print.SetLevel(cfg.LogLevel)
	inv.toSyslog(cfg.SyslogFacility)
	return inv, nil
}

// load loads the configuration of the destination.
func (inv *invocation) load(ctx context.Context) (*sshconfig.Config, error) {
	f := inv.flags
	opts := inv.configOptions()
	opts.DumpOnly = f.dump
	opts.Begin = inv.beginLog
	if f.control == "" || f.control == "proxy" { // other commands have no session
		opts.Terminal = func() bool { return inv.terminal }
	}
	if inv.ready != nil { // the parent has printed everything
		opts.Logger, opts.Warn, opts.Terminal = nil, nil, nil
	}
	dest, err := sshconfig.ParseDestination(f.host)
	if err != nil {
		return nil, &client.TargetError{What: "destination", Text: f.host}
	}
	opts.User, opts.Port = dest.User, dest.Port
	return sshconfig.Load(ctx, dest.Host, opts)
}

// beginLog sends messages to where -E and -y say. It is called when the arguments
// have proved right.
func (inv *invocation) beginLog(level sshconfig.LogLevel) error {
	f := inv.flags
	if f.syslog && f.logFile != nil {
		return message.Errorf("Can't specify both -y and -E")
	}
	if f.logFile != nil {
		if err := inv.print.ToFile(*f.logFile); err != nil {
			return err
		}
	}
	inv.toSyslog("USER")
	inv.print.SetLevel(level)
	if f.verbose && inv.ready == nil {
		inv.print.Infof("%s", versionLine())
	}
	if f.configFile != nil && *f.configFile == "" {
		return message.Errorf("Can't open user config file : No such file or directory")
	}
	return nil
}

// toSyslog sends messages to the system log if -y asks for it.
func (inv *invocation) toSyslog(facility string) {
	if inv.flags.syslog {
		inv.print.ToSyslog(facility, inv.args[0])
	}
}

// configOptions returns the options for loading the configuration of the
// destination and, without the command line, of jump hosts.
func (inv *invocation) configOptions() sshconfig.Options {
	o := sshconfig.Options{
		CommandLine: inv.flags.directives,
		Command:     inv.flags.command,
		Logger:      inv.print.Logger(),
		Warn:        inv.print.ConfigLine,
	}
	if f := inv.flags.configFile; f != nil {
		o.UserFile = *f
	}
	return o
}

// background returns what starts this invocation again in the background.
func (inv *invocation) background() *process.Background {
	return &process.Background{
		Program: inv.print.Program, Invoked: inv.args[0], Args: inv.args[1:], Std: inv.std, Signals: inv.signals,
	}
}

// backchannels returns what forwards the agent and the display.
func (inv *invocation) backchannels() *backchannel.Forwarding {
	return &backchannel.Forwarding{Config: inv.cfg, Print: inv.print, Turns: inv.turns}
}
