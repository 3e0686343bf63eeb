// Package cli is one invocation of the program:
//
//	argv → flags → sshconfig.Load → client.Dial → session → exit status
//
// [Main] is that line. Everything that a person reads is worded here: prompts,
// messages, escapes. They are OpenSSH's words wherever OpenSSH has some,
// since people know them and tools match on them.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// Std holds the descriptors that the process was started with.
type Std = process.Std

// Main runs the program with its arguments, args[0] being its name, and
// returns the exit status.
func Main(args []string, std Std) int {
	p := &program{std: std, name: programName(args), turns: prompt.NewTurns(), guard: new(process.Guard)}
	p.signals = process.NewSignals(p.guard, p.turns.Ignores)
	p.print = &message.Printer{Console: message.NewConsole(std.Stderr), Program: p.name}
	if len(args) == 0 {
		args = []string{p.name}
	}
	p.invoked = args[0]
	ctx, stop := p.signals.Start(context.Background())
	defer stop()
	status, err := p.run(ctx, args[1:])
	if err != nil {
		return p.fail(err)
	}
	return status
}

// program is what one invocation shares.
type program struct {
	std     Std
	name    string // what messages begin with: the name it was called by
	invoked string // that with its folder, if one was given
	args    []string
	flags   *flags
	cfg     *sshconfig.Config
	print   *message.Printer
	turns   *prompt.Turns
	guard   *process.Guard
	signals *process.Signals
	secrets process.Secrets
	ready   *process.Readiness // of a child in the background; nil in the foreground
	master  bool               // a master that persists, in a process of its own

	proxyStderr *os.File // of a ProxyCommand; nil before there is one

	kept    *client.Kept // with Reconnect; nil for one connection alone
	shared  *shared      // of a master; nil if nothing is shared
	channel int          // the number of the session, or of the stdio forwarding
	parting parting      // of the session, once it has ended
	// quit ends the invocation with a cause; set while it has a connection.
	quit context.CancelCauseFunc
}

// programName is "ssh" for those who put the program in its place.
func programName(args []string) string {
	if len(args) == 0 || args[0] == "" {
		return "gossh"
	}
	return strings.TrimSuffix(filepath.Base(args[0]), ".exe")
}

// run takes the invocations apart that do not connect, and then connects.
func (p *program) run(ctx context.Context, args []string) (int, error) {
	p.args = args
	f, err := parseFlags(args)
	p.flags = f
	if err != nil || f.answered() || !f.hasHost && !f.demo {
		// What is wrong in front of that comes first.
		if wrong := sshconfig.CheckCommandLine(ctx, p.configOptions()); wrong != nil {
			return 0, wrong
		}
	}
	switch {
	case err != nil:
		return 0, err
	case f.version:
		io.WriteString(p.std.Stderr, versionLine()+"\n")
		return 0, nil
	case f.query != nil:
		return p.query(*f.query)
	case f.demo:
		return p.demo(ctx)
	case !f.hasHost:
		return 0, message.ErrUsage
	}
	p.ready = process.InBackground()
	background := p.ready != nil
	if err := p.configure(ctx); err != nil {
		return 0, err
	}
	if f.dump {
		return 0, p.dump()
	}
	if f.control != "" {
		return p.control(ctx)
	}
	if f.listKeys {
		return 0, p.listKeys(ctx)
	}
	if err := p.checkPlan(); err != nil {
		return 0, err
	}
	if p.cfg.ForkAfterAuthentication && !background {
		_, status, err := p.background().Start()
		return status, err
	}
	return p.start(ctx)
}

// configure resolves ssh_config, and sets the messages to its LogLevel.
func (p *program) configure(ctx context.Context) error {
	f := p.flags
	opts := p.configOptions()
	opts.DumpOnly = f.dump
	opts.Begin = p.beginLog
	if f.control == "" || f.control == "proxy" { // the others have no session
		opts.Terminal = func() bool { return terminal.IsTerminal(int(p.std.Stdin.Fd())) }
	}
	if p.ready != nil { // the parent has said it all
		opts.Logger, opts.Warn, opts.Terminal = nil, nil, nil
	}
	dest, err := sshconfig.ParseDestination(f.host)
	if err != nil {
		return &client.TargetError{What: "destination", Text: f.host}
	}
	opts.User, opts.Port = dest.User, dest.Port
	p.cfg, err = sshconfig.Load(ctx, dest.Host, opts)
	if err != nil {
		return err
	}
	p.print.Config = p.cfg
	p.print.SetLevel(p.cfg.LogLevel)
	p.toSyslog(p.cfg.SyslogFacility)
	return nil
}

// beginLog sends messages where -E says, once the arguments have been
// found right.
func (p *program) beginLog(level sshconfig.LogLevel) error {
	f := p.flags
	if f.syslog && f.logFile != nil {
		return message.Errorf("Can't specify both -y and -E")
	}
	if f.logFile != nil {
		if err := p.print.ToFile(*f.logFile); err != nil {
			return err
		}
	}
	p.toSyslog("USER")
	p.print.SetLevel(level)
	if f.verbose && p.ready == nil {
		p.print.Infof("%s", versionLine())
	}
	if f.configFile != nil && *f.configFile == "" {
		return message.Errorf("Can't open user config file : No such file or directory")
	}
	return nil
}

// toSyslog sends messages to the system log if -y asks for it.
func (p *program) toSyslog(facility string) {
	if p.flags.syslog {
		p.print.ToSyslog(facility, p.invoked)
	}
}

// configOptions say where configuration comes from: for the destination, and,
// less its command line, for jump hosts.
func (p *program) configOptions() sshconfig.Options {
	o := sshconfig.Options{
		CommandLine: p.flags.directives,
		Command:     p.flags.command,
		Logger:      p.print.Logger(),
		Warn:        p.print.ConfigLine,
	}
	if f := p.flags.configFile; f != nil {
		o.UserFile = *f
	}
	return o
}

// dump is -G: the configuration in ssh's words and, with -v, where each value
// that was set came from.
func (p *program) dump() error {
	if p.flags.verbose {
		for _, k := range sshconfig.Keywords() {
			if file, line, ok := p.cfg.Origin(k.Name); ok && k.Alias == "" {
				p.print.Debugf("%s from %s:%d", strings.ToLower(k.Name), file, line)
			}
		}
	}
	p.cfg.Dump(p.std.Stdout) // whatever comes of it, as with ssh
	return nil
}

// listKeys is -Z: the keys that would be offered, in their order.
func (p *program) listKeys(ctx context.Context) error {
	keys, err := client.OfferedKeys(ctx, p.flags.host, p.clientOptions())
	for _, k := range keys {
		fmt.Fprintln(p.std.Stdout, message.OneLine(k.String()))
	}
	return err
}

// background returns what starts this invocation again in the background.
func (p *program) background() *process.Background {
	return &process.Background{Program: p.name, Invoked: p.invoked, Args: p.args, Std: p.std, Signals: p.signals}
}
