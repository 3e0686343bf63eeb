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
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/sshconfig"
)

// exitFailure is the status of every failure that is not the remote program's.
const exitFailure = 255

// Std are the descriptors that the process was started with.
type Std struct {
	Stdin, Stdout, Stderr *os.File
}

// Main runs the program with its arguments, args[0] being its name, and
// returns the exit status.
func Main(args []string, std Std) int {
	p := &program{std: std, name: programName(args), questions: newQuestions()}
	p.console = newConsole(std.Stderr)
	if len(args) == 0 {
		args = []string{p.name}
	}
	status, err := p.run(context.Background(), args[1:])
	if err != nil {
		return p.fail(err)
	}
	return status
}

// program is what one invocation shares.
type program struct {
	std       Std
	name      string // what messages begin with: the name it was called by
	args      []string
	flags     *flags
	cfg       *sshconfig.Config
	console   *console
	questions *questions
	crash     crashGuard
	ready     *readiness   // of a child in the background; nil in the foreground
	master    bool         // a master that persists, in a process of its own
	kept      *client.Kept // with Reconnect; nil for one connection alone
	shared    *shared      // of a master; nil if nothing is shared
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
	if err != nil {
		return 0, err
	}
	p.flags = f
	switch {
	case f.version:
		io.WriteString(p.std.Stderr, versionLine()+"\n")
		return 0, nil
	case f.query != "":
		return p.query(f.query)
	case f.demo:
		return p.demo(ctx)
	case f.host == "":
		return 0, errUsage
	}
	if err := p.configure(ctx); err != nil {
		return 0, err
	}
	if f.dump {
		return 0, p.dump()
	}
	if f.control != "" {
		return p.control(ctx)
	}
	background := p.inBackground()
	if err := p.checkPlan(); err != nil {
		return 0, err
	}
	if p.cfg.ForkAfterAuthentication && !background {
		_, status, err := p.startBackground()
		return status, err
	}
	return p.start(ctx)
}

// configure resolves ssh_config, and sets the messages to its LogLevel.
func (p *program) configure(ctx context.Context) error {
	f := p.flags
	if err := p.console.toFile(f.logFile); err != nil {
		return err
	}
	p.console.level = f.logLevel()
	opts := p.configOptions()
	opts.DumpOnly = f.dump
	dest, err := sshconfig.ParseDestination(f.host)
	if err != nil {
		return &client.TargetError{What: "destination", Text: f.host}
	}
	opts.User, opts.Port = dest.User, dest.Port
	p.cfg, err = sshconfig.Load(ctx, dest.Host, opts)
	if err != nil {
		return err
	}
	p.console.level = p.cfg.LogLevel
	return nil
}

// configOptions say where configuration comes from: for the destination, and,
// less its command line, for jump hosts.
func (p *program) configOptions() sshconfig.Options {
	return sshconfig.Options{
		CommandLine: p.flags.directives,
		Command:     p.flags.command,
		UserFile:    p.flags.configFile,
		Logger:      p.console.logger(),
		Warn:        p.console.configLine,
	}
}

// dump is -G: the configuration in ssh's words and, with -v, where each value
// that was set came from.
func (p *program) dump() error {
	if p.flags.verbose {
		for _, k := range sshconfig.Keywords() {
			if file, line, ok := p.cfg.Origin(k.Name); ok && k.Alias == "" {
				p.console.printf(sshconfig.LogDebug1, "debug1: %s from %s:%d", strings.ToLower(k.Name), file, line)
			}
		}
	}
	return p.cfg.Dump(p.std.Stdout)
}
