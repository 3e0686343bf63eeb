// Package cli runs one invocation of the program, in four steps:
//
//  1. newInvocation takes the arguments apart and loads ssh_config: an
//     [invocation], which does not change any more.
//  2. choosePlan chooses what to do: a [plan], such as to print something, to
//     attach to a master, or to connect in the foreground.
//  3. newRunner makes the runner of the plan, which holds only what it uses. A
//     runner that connects does so through a [connector], which calls client.Dial
//     and hands the connection to the runner's serve method.
//  4. serve opens the forwardings, runs LocalCommand, and then the session through
//     session.Cmd. exitStatus returns the exit status for the error that ends it.
//
// [Main] does the four steps. The packages below are about one subject each:
// message has all words for people, prompt the questions, process signals and the
// background, share control sockets, reconnect the wait for a lost connection.
package cli

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/sshconfig"
)

// Std holds the descriptors that the process was started with.
type Std = process.Std

// Main runs the program and returns the exit status. args[0] is its name.
func Main(args []string, std Std) int {
	name := programName(args)
	if len(args) == 0 {
		args = []string{name}
	}
	env := newEnvironment(name, std)
	ctx, stop := env.signals.Start(context.Background())
	defer stop()
	return run(ctx, env, args)
}

// run does the four steps.
func run(ctx context.Context, env environment, args []string) int {
	inv, err := newInvocation(ctx, env, args)
	if err != nil {
		return fail(inv.print, err)
	}
	p, err := choosePlan(inv)
	if err != nil {
		return fail(inv.print, err)
	}
	if connects(p) {
		inv.printWithoutEffect()
	}
	status, err := newRunner(inv, p).run(ctx)
	if err != nil {
		return fail(inv.print, err)
	}
	return status
}

// programName returns the name that messages begin with: "ssh" if the program is
// installed in its place.
func programName(args []string) string {
	if len(args) == 0 || args[0] == "" {
		return "gossh"
	}
	return strings.TrimSuffix(filepath.Base(args[0]), ".exe")
}

// environment is what runners use of this process.
type environment struct {
	std     Std
	print   *message.Printer
	cfg     *sshconfig.Config // nil before it has been loaded
	guard   *process.Guard
	signals *process.Signals
	turns   *prompt.Turns
}

func newEnvironment(name string, std Std) environment {
	guard, turns := new(process.Guard), prompt.NewTurns()
	return environment{
		std:     std,
		print:   &message.Printer{Console: message.NewConsole(std.Stderr), Program: name},
		guard:   guard,
		signals: process.NewSignals(guard, turns.Ignores),
		turns:   turns,
	}
}

// withConfig returns the environment of an invocation with a configuration.
func (e environment) withConfig(cfg *sshconfig.Config) environment {
	e.cfg = cfg
	e.print = &message.Printer{Console: e.print.Console, Program: e.print.Program, Config: cfg}
	return e
}
