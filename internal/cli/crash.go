package cli

import (
	"io"
	"sync"

	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
)

// crashGuard gives the terminal its own modes back when a goroutine panics.
// Go ends the process then without a word to the others, and a raw terminal
// would be left to a shell that cannot use it. It is at the entry of every
// goroutine of this package that lives while the terminal is raw, and around
// what package session calls from its own.
type crashGuard struct {
	mu    sync.Mutex
	state *terminal.State // nil as long as the terminal was never raw
}

// hold makes state the one that a panic restores.
func (g *crashGuard) hold(state *terminal.State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state = state
}

// run calls f. A panic in it is not recovered from: it goes on to end the
// process, with its trace, on a terminal that can show it.
func (g *crashGuard) run(f func()) {
	well := false
	defer func() {
		if !well {
			g.restore()
		}
	}()
	f()
	well = true
}

func (g *crashGuard) restore() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != nil {
		g.state.Restore()
	}
}

// cover puts the guard around all that cmd calls of ours.
func (g *crashGuard) cover(cmd *session.Cmd) {
	if cmd.Stdin != nil {
		cmd.Stdin = guardedInput{cmd.Stdin, g}
	}
	cmd.Stdout, cmd.Stderr = guardedOutput{cmd.Stdout, g}, guardedOutput{cmd.Stderr, g}
	if onStderr := cmd.OnStderr; onStderr != nil {
		cmd.OnStderr = func() { g.run(onStderr) }
	}
}

type guardedInput struct {
	from  io.Reader
	guard *crashGuard
}

func (i guardedInput) Read(p []byte) (n int, err error) {
	i.guard.run(func() { n, err = i.from.Read(p) })
	return n, err
}

// Cancel ends a blocked Read.
func (i guardedInput) Cancel() { cancelBlocked(i.from) }

type guardedOutput struct {
	to    io.Writer
	guard *crashGuard
}

func (o guardedOutput) Write(p []byte) (n int, err error) {
	o.guard.run(func() { n, err = o.to.Write(p) })
	return n, err
}

// Cancel ends a blocked Write.
func (o guardedOutput) Cancel() { cancelBlocked(o.to) }

func cancelBlocked(end any) {
	if c, ok := end.(session.Canceler); ok {
		c.Cancel()
	}
}
