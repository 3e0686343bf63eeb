package cli

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

// key is what a person can do about the waiting.
type key int

const (
	keyNow  key = iota // Enter
	keyQuit            // ~.
)

// countdown tells a person at a terminal, in one line that counts down. The
// screen stays as the session left it. The keyboard is read key by key until
// there is a connection: what is typed and means nothing here is thrown away,
// for it was meant for a program that is gone, and nothing of it may reach a
// shell. ^C and ^Z are signals meanwhile.
type countdown struct {
	p      *program
	escape int // the escape character, less than 0 for none
	ticker *time.Ticker
	typed  chan key
	state  *terminal.State // nil if the modes cannot be set
	cancel context.CancelFunc

	mu    sync.Mutex
	last  client.KeepState
	drawn int  // characters of the line on which the cursor is
	asked bool // a question has the terminal
	ended bool

	reading sync.WaitGroup
	in      *terminal.Input // nil while nothing is read
}

func newCountdown(p *program) *countdown {
	d := &countdown{p: p, escape: int(p.cfg.EscapeChar), typed: make(chan key, 1), ticker: time.NewTicker(time.Second)}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	fd := int(p.std.Stdin.Fd())
	if state, err := terminal.MakeKeywise(fd); err == nil {
		d.state = state
		p.guard.Hold(state)
		go p.guard.Run(func() { state.FollowContinue(ctx) }) // ends with cancel
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listen()
	// The cursor may be anywhere in what the session has left.
	io.WriteString(p.std.Stderr, "\r\n")
	return d
}

// listen begins to read the keyboard. It is called with mu held.
func (d *countdown) listen() {
	in, err := terminal.NewInput(int(d.p.std.Stdin.Fd()))
	if err != nil {
		return
	}
	d.in = in
	d.reading.Add(1)
	go d.p.guard.Run(func() { d.read(in) })
}

// deafen ends that and returns when nothing is read any more. It is called
// with mu held.
func (d *countdown) deafen() {
	if d.in == nil {
		return
	}
	d.in.Cancel()
	d.reading.Wait()
	d.in.Close()
	d.in = nil
}

// read ends when its Input is cancelled, or at the end of the keyboard.
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

// pressed hands a key on; an end takes the place of what waits to be seen.
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

// show draws a state. The last one ends the line.
func (d *countdown) show(st client.KeepState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if st.Phase == client.KeepConnecting {
		st.Cause = d.last.Cause
	}
	d.last = st
	if st.Phase == client.KeepConnected {
		d.write(fmt.Sprintf("Connection to %s re-established after %v, at attempt %d. %s",
			d.p.cfg.HostName, message.Roughly(st.Down), st.Attempt, d.p.startedAgain()))
		return
	}
	d.draw()
}

// draw is called with mu held.
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
	d.write(fitted(d.columns(), d.p.cfg.HostName, message.Loss(d.last.Cause), doing, end))
}

// fitted is the line, as much of it as fits on one of the screen: one that was
// wrapped could not be overwritten.
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

func (d *countdown) columns() int {
	size, err := terminal.GetSize(int(d.p.std.Stdin.Fd()))
	if err != nil || size.Columns == 0 {
		return 80
	}
	return int(size.Columns)
}

// write puts a line in the place of the one that is there. Blanks do what an
// escape sequence would, on any terminal. It is called with mu held.
func (d *countdown) write(line string) {
	line = message.OneLine(line)
	blanks := strings.Repeat(" ", max(0, d.drawn-len(line)))
	back := strings.Repeat("\b", len(blanks))
	io.WriteString(d.p.std.Stderr, "\r"+line+blanks+back)
	d.drawn = len(line)
}

// breakLine leaves the line as it is, for something else to be printed. A nil
// countdown has none.
func (d *countdown) breakLine() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newLine()
}

// newLine is called with mu held.
func (d *countdown) newLine() {
	if d.drawn > 0 {
		io.WriteString(d.p.std.Stderr, "\r\n")
		d.drawn = 0
	}
}

// setAside gives the terminal to a question until the function that it returns
// is called.
func (d *countdown) setAside() (resume func()) {
	if d == nil {
		return func() {}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newLine()
	d.asked = true
	d.deafen()
	if d.state != nil {
		d.state.Restore()
	}
	return d.resume
}

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

// close gives the terminal back as it was.
func (d *countdown) close() {
	d.ticker.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	d.deafen()
	d.cancel()
	if d.state != nil {
		d.state.Restore()
	}
	d.newLine()
}
