package reconnect

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/keyboard"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
)

// key is a key that has a meaning during the wait.
type key int

const (
	keyNow  key = iota // Enter: connect now
	keyQuit            // ~.
)

// countdown shows one line that counts down. The screen stays as the session left
// it. The keyboard is read key by key until there is a connection. Other keys are
// discarded: they were meant for a program that no longer runs, and must not reach
// the next shell. ^C and ^Z are signals meanwhile.
type countdown struct {
	options Options
	escape  int // the escape character, less than 0 for none
	ticker  *time.Ticker
	typed   chan key
	state   *terminal.State // nil if the modes cannot be set
	cancel  context.CancelFunc

	mu    sync.Mutex
	last  client.KeepState
	drawn int  // characters of the line on which the cursor is
	asked bool // a question uses the terminal
	ended bool

	reading sync.WaitGroup
	in      *terminal.Input // nil while nothing is read
}

// newCountdown sets the terminal to read single keys.
func newCountdown(o Options) *countdown {
	d := &countdown{options: o, escape: int(o.Config.EscapeChar), typed: make(chan key, 1), ticker: time.NewTicker(time.Second)}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	fd := int(o.Std.Stdin.Fd())
	if state, err := terminal.MakeKeywise(fd); err == nil {
		d.state = state
		o.Guard.Hold(state)
		go o.Guard.Run(func() { state.FollowContinue(ctx) }) // ends with cancel
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listen()
	// The session may have left the cursor anywhere.
	io.WriteString(o.Std.Stderr, "\r\n")
	return d
}

// listen begins to read the keyboard. The caller holds mu.
func (d *countdown) listen() {
	in, err := terminal.NewInput(int(d.options.Std.Stdin.Fd()))
	if err != nil {
		return
	}
	d.in = in
	d.reading.Add(1)
	go d.options.Guard.Run(func() { d.read(in) })
}

// ignoreInput stops reading the keyboard, and waits until no read is under way. The
// caller holds mu.
func (d *countdown) ignoreInput() {
	if d.in == nil {
		return
	}
	d.in.Cancel()
	d.reading.Wait()
	d.in.Close()
	d.in = nil
}

// read sends the keys that have a meaning. It ends with in.
func (d *countdown) read(in *terminal.Input) {
	defer d.reading.Done()
	var buf [64]byte
	var last byte
	for {
		n, err := in.Read(buf[:])
		for _, ch := range buf[:n] {
			switch {
			case ch == '\r', ch == '\n':
				d.pressed(keyNow)
			case ch == '.' && d.escape >= 0 && last == byte(d.escape):
				d.pressed(keyQuit)
			}
			last = ch
		}
		if err != nil {
			return
		}
	}
}

// pressed sends a key. keyQuit replaces a key that has not been received yet.
func (d *countdown) pressed(k key) {
	if k == keyQuit {
		select {
		case <-d.typed:
		default:
		}
	}
	select {
	case d.typed <- k:
	default:
	}
}

func (d *countdown) keys() <-chan key        { return d.typed }
func (d *countdown) ticks() <-chan time.Time { return d.ticker.C }

func (d *countdown) tick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draw()
}

// show draws a state.
func (d *countdown) show(st client.KeepState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if st.Phase == client.KeepConnecting {
		st.Cause = d.last.Cause
	}
	d.last = st
	if st.Phase == client.KeepConnected {
		d.write(fmt.Sprintf("Connection to %s re-established after %v, at attempt %d. %s",
			d.options.Config.HostName, message.Roughly(st.Down), st.Attempt, d.options.Restart))
		return
	}
	d.draw()
}

// draw draws the line for the last state. The caller holds mu.
func (d *countdown) draw() {
	if d.asked || d.ended {
		return
	}
	var doing, help string
	switch st := d.last; st.Phase {
	case client.KeepWaiting:
		left := max(0, time.Until(st.Until))
		doing = fmt.Sprintf("attempt %d in %d s", st.Attempt, (left+time.Second-1)/time.Second)
		help = "Enter: now"
	case client.KeepConnecting:
		doing = fmt.Sprintf("attempt %d ...", st.Attempt)
	default:
		return
	}
	end := "^C: end"
	if d.escape >= 0 {
		end = keyboard.ShownChar(byte(d.escape)) + ".: end"
	}
	if help != "" {
		end = help + ", " + end
	}
	d.write(fitted(d.columns(), d.options.Config.HostName, message.Loss(d.last.Cause), doing, end))
}

// fitted returns as much of the line as fits into the columns of the screen,
// because a wrapped line could not be overwritten.
func fitted(columns int, host, cause, doing, keys string) string {
	for _, line := range []string{
		fmt.Sprintf("Connection to %s lost (%s): %s [%s]", host, cause, doing, keys),
		fmt.Sprintf("%s lost (%s): %s [%s]", host, cause, doing, keys),
		fmt.Sprintf("Lost (%s): %s [%s]", cause, doing, keys),
		fmt.Sprintf("%s lost: %s [%s]", host, doing, keys),
	} {
		if len(message.OneLine(line)) < columns {
			return line
		}
	}
	line := fmt.Sprintf("Lost: %s [%s]", doing, keys)
	return line[:min(len(line), max(columns-1, 0))]
}

// columns returns the width of the screen.
func (d *countdown) columns() int {
	size, err := terminal.GetSize(int(d.options.Std.Stdin.Fd()))
	if err != nil || size.Columns == 0 {
		return 80
	}
	return int(size.Columns)
}

// write replaces the line. It erases with blanks, which work on every terminal.
// The caller holds mu.
func (d *countdown) write(line string) {
	line = message.OneLine(line)
	blanks := strings.Repeat(" ", max(0, d.drawn-len(line)))
	back := strings.Repeat("\b", len(blanks))
	io.WriteString(d.options.Std.Stderr, "\r"+line+blanks+back)
	d.drawn = len(line)
}

// breakLine moves to a new line, so that something else can be printed. A nil
// countdown does nothing.
func (d *countdown) breakLine() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newLine()
}

// newLine moves to a new line. The caller holds mu.
func (d *countdown) newLine() {
	if d.drawn > 0 {
		io.WriteString(d.options.Std.Stderr, "\r\n")
		d.drawn = 0
	}
}

// setAside gives the terminal to a question until resume is called. A nil
// countdown does nothing.
func (d *countdown) setAside() (resume func()) {
	if d == nil {
		return func() {}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newLine()
	d.asked = true
	d.ignoreInput()
	if d.state != nil {
		d.state.Restore()
	}
	return d.resume
}

// resume takes the terminal back after a question.
func (d *countdown) resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = false
	if d.ended {
		return
	}
	if d.state != nil {
		d.state.Reenter()
	}
	d.listen()
}

// close restores the terminal.
func (d *countdown) close() {
	d.ticker.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	d.ignoreInput()
	d.cancel()
	if d.state != nil {
		d.state.Restore()
	}
	d.newLine()
}
