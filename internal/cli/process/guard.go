package process

import (
	"io"
	"sync"

	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
)

// Guard restores the modes of the terminal when a goroutine panics. A panic ends
// the process without running the deferred calls of other goroutines, and would
// leave a raw terminal to the shell. Every goroutine that runs while the terminal
// is raw has to be started through [Guard.Run]; [Guard.Cover] does the same for
// what package session calls. The zero Guard is ready to use.
type Guard struct {
	mu    sync.Mutex
	state *terminal.State // nil as long as the terminal was never raw
}

// Hold makes state the one that a panic restores.
func (g *Guard) Hold(state *terminal.State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state = state
}

// Run calls f. If f panics, Run restores the terminal and lets the panic
// continue, so that the trace is readable.
func (g *Guard) Run(f func()) {
	returned := false
	defer func() {
		if !returned {
			g.restore()
		}
	}()
	f()
	returned = true
}

func (g *Guard) restore() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != nil {
		g.state.Restore()
	}
}

// Cover guards the readers, writers and callbacks of cmd.
func (g *Guard) Cover(cmd *session.Cmd) {
	if cmd.Stdin != nil {
		cmd.Stdin = guardedInput{cmd.Stdin, g}
	}
	cmd.Stdout, cmd.Stderr = guardedOutput{cmd.Stdout, g}, guardedOutput{cmd.Stderr, g}
	if onStderr := cmd.OnStderr; onStderr != nil {
		cmd.OnStderr = func() { g.Run(onStderr) }
	}
}

type guardedInput struct {
	from  io.Reader
	guard *Guard
}

func (i guardedInput) Read(p []byte) (n int, err error) {
	i.guard.Run(func() { n, err = i.from.Read(p) })
	return n, err
}

// Cancel ends a blocked Read.
func (i guardedInput) Cancel() { cancelBlocked(i.from) }

type guardedOutput struct {
	to    io.Writer
	guard *Guard
}

func (o guardedOutput) Write(p []byte) (n int, err error) {
	o.guard.Run(func() { n, err = o.to.Write(p) })
	return n, err
}

// Cancel ends a blocked Write.
func (o guardedOutput) Cancel() { cancelBlocked(o.to) }

func cancelBlocked(end any) {
	if c, ok := end.(session.Canceler); ok {
		c.Cancel()
	}
}
