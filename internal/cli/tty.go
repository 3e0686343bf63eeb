package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/gossh-project/gossh/internal/cli/keyboard"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// ttySession is the local terminal of an interactive session.
type ttySession struct {
	r      *remoteSession
	fd     int
	asked  terminal.Size // with pty-req
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // the resize loop

	mu    sync.Mutex
	state *terminal.State // nil if stdin is no terminal (-tt)
	left  bool
	// cooked is set while a question has made raw mode pause.
	cooked bool
	check  *ptyCheck
}

// attachTTY asks for a terminal like the local one, and puts the escapes
// between the keyboard and the session.
func (r *remoteSession) attachTTY() {
	t := &ttySession{r: r, fd: int(r.std.Stdin.Fd())}
	t.ctx, t.cancel = context.WithCancel(r.ctx)
	r.tty = t
	t.asked, _ = terminal.GetSize(t.fd) // zeros are "unknown" in pty-req, too
	r.cmd.TTY = &session.TTY{
		Term:         task.Term(r.cfg, os.Getenv),
		Size:         task.Size(t.asked),
		EncodedModes: terminal.Modes(t.fd),
	}
	if t.wanted() {
		r.cmd.TTY.Refused = func() { r.quit(message.ErrNoTTY) }
	}
	t.check = &ptyCheck{
		to:      r.out,
		crash:   r.guard,
		ask:     func() (granted, known bool) { return askForPTY(r.client, r.cmd.TTY) },
		settled: t.settled,
	}
	r.cmd.Stdout = heldOutput{t.check, &r.hold}
	// A server sends stderr apart only when there is no terminal after all.
	r.cmd.OnStderr = func() { t.check.settle(false) }
	if r.in != nil && r.cfg.EscapeChar >= 0 {
		r.cmd.Stdin = keyboard.NewEscapes(r.in, byte(r.cfg.EscapeChar), t)
	}
}

// wanted reports whether the terminal was asked for by RequestTTY, and not only
// because there is one here. ssh dies then if the server refuses it.
func (t *ttySession) wanted() bool {
	tty := t.r.cfg.RequestTTY
	return tty == sshconfig.RequestTTYYes || tty == sshconfig.RequestTTYForce
}

// enter makes the terminal raw, before the first byte is read or written.
func (t *ttySession) enter() {
	if t.wanted() {
		t.check.settle(true) // otherwise Start would have failed
	} else {
		t.check.start()
	}
	if !terminal.IsTerminal(t.fd) {
		return
	}
	state, err := terminal.MakeRaw(t.fd)
	if err != nil {
		t.r.print.Errorf("tcsetattr: %s", message.Errno(err))
		return
	}
	t.mu.Lock()
	t.state = state
	t.mu.Unlock()
	guard := t.r.guard
	guard.Hold(state)
	t.work.Add(1)
	sizes := terminal.Resizes(t.ctx, t.fd) // before the first output: from here on none is lost
	if size, err := terminal.GetSize(t.fd); err == nil && size != t.asked {
		t.r.cmd.Resize(task.Size(size)) // it changed during the login
	}
	go guard.Run(func() { t.followSize(sizes) })
	go guard.Run(func() { state.FollowContinue(t.ctx) })
}

// followSize ends with the session.
func (t *ttySession) followSize(sizes <-chan terminal.Size) {
	defer t.work.Done()
	for size := range sizes {
		t.r.cmd.Resize(task.Size(size))
	}
}

// leave restores the terminal; it may be called more than once, and from any
// way out.
func (t *ttySession) leave() {
	t.mu.Lock()
	state, left := t.state, t.left
	t.left = true
	t.mu.Unlock()
	if left {
		return
	}
	t.cancel()
	t.check.stop()
	if state != nil {
		state.Restore()
	}
	t.work.Wait()
}

// settled is told whether the server gave the session a terminal. Without one
// there is no remote echo, so the local terminal goes back to its own.
func (t *ttySession) settled(granted bool) {
	if !granted {
		t.mu.Lock()
		state := t.state
		t.mu.Unlock()
		if state != nil {
			state.Restore()
		}
		t.r.print.Infof("PTY allocation request failed on channel %d", t.r.number)
	}
	denyMoreSessions(t.r.print, t.r.cfg, t.r.client)
}

// suspend is the escape ~^Z.
func (t *ttySession) Suspend() {
	t.mu.Lock()
	state := t.state
	t.mu.Unlock()
	if state == nil {
		return
	}
	state.Suspend()
	// followSize hears of it too, but the keyboard is read on from here: what
	// is typed now is meant for the new size.
	if size, err := terminal.GetSize(t.fd); err == nil {
		t.r.cmd.Resize(task.Size(size))
	}
}

// The actions of a session's terminal.

func (t *ttySession) Say(text string) { io.WriteString(t.r.std.Stderr, text) }

func (t *ttySession) Terminate() { t.r.quit(message.ErrQuit) }

func (t *ttySession) SendBreak() { t.r.cmd.Break(keyboard.BreakLength) }

func (t *ttySession) Louder(by int) sshconfig.LogLevel {
	c := t.r.print
	level := min(max(c.Level()+sshconfig.LogLevel(by), sshconfig.LogQuiet), sshconfig.LogDebug3)
	c.SetLevel(level)
	return level
}

// connections lists what goes over the connection, and how that is doing.
func (t *ttySession) Connections() string {
	var b strings.Builder
	b.WriteString("The following connections are open:\r\n")
	b.WriteString("  #0 client-session (tty)\r\n")
	for _, f := range t.r.client.Forwards().Forwards() {
		s := f.Snapshot()
		fmt.Fprintf(&b, "  %v forward %s: %d accepted, %d failed\r\n", s.Spec.Kind, message.OneLine(s.Spec.String()), s.Accepted, s.Failed)
		for _, conn := range s.Conns {
			fmt.Fprintf(&b, "    #%d %s -> %s, %d bytes in, %d out\r\n", conn.ID, message.OneLine(conn.Origin), message.OneLine(conn.Target), conn.In, conn.Out)
		}
	}
	b.WriteString(message.Alive(t.r.client.Stats()) + "\r\n")
	return b.String()
}

func (t *ttySession) Information() string { return t.r.print.Information(t.r.client, t.r.started) }
