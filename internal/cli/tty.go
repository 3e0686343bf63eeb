package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gossh-project/gossh/internal/cli/keyboard"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
	"golang.org/x/crypto/ssh"
)

// ttySession connects the local terminal to a session.
type ttySession struct {
	r      *remoteSession
	fd     int
	asked  terminal.Size // with pty-req
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // the resize loop

	mu     sync.Mutex
	state  *terminal.State // nil if stdin is no terminal (-tt)
	left   bool
	paused bool // a question has interrupted raw mode
	check  *ptyCheck
}

// attachTTY requests a terminal like the local one, and handles escapes in the
// input of the session.
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
		guard:   r.guard,
		ask:     func() (granted, known bool) { return askForPTY(r.client, r.cmd.TTY) },
		settled: t.settled,
	}
	r.cmd.Stdout = heldOutput{t.check, &r.hold}
	// A server sends a separate stderr only if there is no terminal.
	r.cmd.OnStderr = func() { t.check.settle(false) }
	if r.in != nil && r.cfg.EscapeChar >= 0 {
		r.cmd.Stdin = keyboard.NewEscapes(r.in, byte(r.cfg.EscapeChar), t)
	}
}

// wanted reports whether RequestTTY demands a terminal. ssh then exits if the
// server refuses it.
func (t *ttySession) wanted() bool {
	tty := t.r.cfg.RequestTTY
	return tty == sshconfig.RequestTTYYes || tty == sshconfig.RequestTTYForce
}

// enter makes the terminal raw, before the first byte is read or written.
func (t *ttySession) enter() {
	if t.wanted() {
		t.check.settle(true) // a refusal would have made Start fail
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
	sizes := terminal.Resizes(t.ctx, t.fd) // before the first output, so that no change is lost
	if size, err := terminal.GetSize(t.fd); err == nil && size != t.asked {
		t.r.cmd.Resize(task.Size(size)) // it changed during the login
	}
	go guard.Run(func() { t.followSize(sizes) })
	go guard.Run(func() { state.FollowContinue(t.ctx) })
}

// followSize sends new sizes to the server. It ends with t.ctx.
func (t *ttySession) followSize(sizes <-chan terminal.Size) {
	defer t.work.Done()
	for size := range sizes {
		t.r.cmd.Resize(task.Size(size))
	}
}

// leave restores the terminal. It may be called more than once.
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

// settled is called when it is known whether the server has given the session a
// terminal. Without one there is no remote echo, so the local modes are restored.
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

// Suspend is the escape ~^Z.
func (t *ttySession) Suspend() {
	t.mu.Lock()
	state := t.state
	t.mu.Unlock()
	if state == nil {
		return
	}
	state.Suspend()
	// followSize sends the size too, but maybe only after the next input.
	if size, err := terminal.GetSize(t.fd); err == nil {
		t.r.cmd.Resize(task.Size(size))
	}
}

// Say prints a message on the raw terminal.
func (t *ttySession) Say(text string) { io.WriteString(t.r.std.Stderr, text) }

// Terminate ends the session (~.).
func (t *ttySession) Terminate() { t.r.quit(message.ErrQuit) }

// Rekey begins a key exchange (~R).
func (t *ttySession) Rekey() error { return t.r.client.Rekey() }

// SendBreak sends a break to the remote terminal (~B).
func (t *ttySession) SendBreak() { t.r.cmd.Break(keyboard.BreakLength) }

// Louder raises the LogLevel by a number of steps (~v, ~V).
func (t *ttySession) Louder(by int) sshconfig.LogLevel {
	c := t.r.print
	level := min(max(c.Level()+sshconfig.LogLevel(by), sshconfig.LogQuiet), sshconfig.LogDebug3)
	c.SetLevel(level)
	return level
}

// Connections lists the forwardings and their connections (~#).
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

// Information describes the connection (~I).
func (t *ttySession) Information() string { return t.r.print.Information(t.r.client, t.r.started) }

// Cooked calls f with the terminal in the modes it had before the session. The
// keyboard is not read and nothing is written meanwhile. The connection's end
// cancels the context of f. prompt.Turns makes one call at a time.
func (r *remoteSession) Cooked(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with the connection or with f
		select {
		case <-r.client.Done():
			cancel(r.client.Err())
		case <-ctx.Done():
		}
	}()
	r.in.Pause()
	defer r.in.Resume()
	r.hold.Lock()
	defer r.hold.Unlock()
	if r.tty != nil {
		r.tty.pause()
		defer r.tty.resume()
	}
	return f(ctx)
}

// takeTerminal gives the terminal to the session when no question of the login is
// open any more.
func (r *remoteSession) takeTerminal() {
	r.turns.Enter(r.ctx, r, func() {
		if r.tty != nil {
			r.tty.enter()
		}
	})
}

// leaveTerminal restores the terminal. An open question keeps the keyboard.
func (r *remoteSession) leaveTerminal() {
	r.turns.Leave(r)
	if r.tty != nil {
		r.tty.leave()
	}
}

// heldOutput is an output of a session. Write waits while a question is open.
type heldOutput struct {
	to   io.Writer
	hold *sync.RWMutex
}

func (h heldOutput) Write(p []byte) (int, error) {
	h.hold.RLock()
	defer h.hold.RUnlock()
	return h.to.Write(p)
}

// Cancel ends a blocked Write.
func (h heldOutput) Cancel() {
	if c, ok := h.to.(interface{ Cancel() }); ok {
		c.Cancel()
	}
}

// pause leaves raw mode for a question.
func (t *ttySession) pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != nil && !t.left {
		t.paused = t.state.Raw()
		t.state.Restore()
	}
}

// resume returns to raw mode, unless the session has ended meanwhile.
func (t *ttySession) resume() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != nil && !t.left && t.paused {
		t.state.Reenter()
	}
	t.paused = false
}

// keepDescriptors moves the session's output to descriptors of its own.
func (r *remoteSession) keepDescriptors() error {
	var err error
	if r.out, err = process.KeepOutput(r.out, 1); err != nil {
		return err
	}
	if r.err, err = process.KeepOutput(r.err, 2); err != nil {
		return err
	}
	r.cmd.Stdout, r.cmd.Stderr = heldOutput{r.out, &r.hold}, heldOutput{r.err, &r.hold}
	return nil
}

// Unless RequestTTY demands a terminal, pty-req does not wait for its answer (see
// session.Cmd.TTY). Whether the server refused it has to be found out later. The
// lines of a terminal end in \r\n, so a \r in the output proves that there is one.
// If none has come within ptyPatience, the same server is asked for another
// terminal on a channel that is closed at once, and its answer counts for both.

// ptyPatience is longer than most logins take to print something.
const ptyPatience = time.Second

// ptyCheck watches a session's standard output for the first \r.
type ptyCheck struct {
	to      io.Writer
	guard   *process.Guard
	settled func(granted bool) // called once, from any goroutine
	ask     func() (granted, known bool)

	once  sync.Once
	timer *time.Timer
}

// start begins the wait. Call it before the first Write.
func (k *ptyCheck) start() { k.timer = time.AfterFunc(ptyPatience, func() { k.guard.Run(k.inquire) }) }

// inquire asks the server. It ends with the answer or with the connection.
func (k *ptyCheck) inquire() {
	if granted, known := k.ask(); known {
		k.settle(granted)
		return
	}
	k.settle(true) // there is no sign of a refusal
}

// settle calls settled, once.
func (k *ptyCheck) settle(granted bool) { k.once.Do(func() { k.settled(granted) }) }

// stop ends the wait. settled is not called after it.
func (k *ptyCheck) stop() {
	k.once.Do(func() {})
	if k.timer != nil {
		k.timer.Stop()
	}
}

// Write passes output on and looks for a \r.
func (k *ptyCheck) Write(p []byte) (int, error) {
	if bytes.IndexByte(p, '\r') >= 0 {
		k.settle(true)
		if k.timer != nil {
			k.timer.Stop()
		}
	}
	return k.to.Write(p)
}

// askForPTY asks the server for a terminal, and closes its channel at once.
func askForPTY(conn session.Conn, tty *session.TTY) (granted, known bool) {
	ch, reqs, err := conn.OpenChannel("session", nil)
	if err != nil {
		return false, false
	}
	go ssh.DiscardRequests(reqs) // ends with the channel
	defer ch.Close()
	granted, err = ch.SendRequest("pty-req", true, tty.Marshal())
	return granted, err == nil
}
