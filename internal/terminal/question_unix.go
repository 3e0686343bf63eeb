//go:build linux || darwin || freebsd

package terminal

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A question is a prompt and the line that answers it, on a terminal or, as a
// last resort, on plain descriptors.
type question struct {
	in, out int
	prompt  string
	echo    bool
	deliver func(os.Signal) // nil is redeliver
}

// ask asks until there is an answer: a process that was stopped meanwhile
// comes back to a terminal on which its prompt has scrolled away.
func (q *question) ask(ctx context.Context) (string, error) {
	for {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		line, caught, err := q.askOnce(ctx)
		switch {
		case caught == nil && err == errSuspend:
			if _, err := stop(0, unix.SIGTSTP); err != nil { // all the job, as the terminal would
				return "", err
			}
		case caught == nil:
			return line, err
		case caught == unix.SIGCONT: // stopped with SIGSTOP, say
		default:
			if q.deliver != nil {
				q.deliver(caught)
			} else {
				redeliver(caught)
			}
			return "", &SignalError{Signal: caught}
		}
	}
}

// redeliver sends the process a signal that was only caught to restore the
// terminal, and gives it the time to die of it: kill may return before another
// thread has taken the signal.
func redeliver(caught os.Signal) {
	if s, ok := caught.(unix.Signal); ok {
		unix.Kill(unix.Getpid(), s)
		time.Sleep(notStopped)
	}
}

// askOnce returns the line, or the signal that broke the question off.
func (q *question) askOnce(ctx context.Context) (line string, caught os.Signal, err error) {
	w, err := newInterruption(ctx, q)
	if err != nil {
		return "", nil, err
	}
	defer func() {
		caught = w.end()
		switch {
		case caught == unix.SIGCONT && err == nil:
			caught = nil // the answer was there first
		case caught == nil && errors.Is(err, ErrCanceled):
			err = context.Cause(ctx)
		}
	}()
	restore, suspend, err := q.setModes()
	if err != nil {
		return "", nil, err
	}
	defer restore() // before the signal takes effect, and in a panic
	if _, err := io.WriteString(w.out, q.prompt); err != nil {
		return "", nil, err
	}
	line, err = readAnswer(w.in, suspend)
	return line, nil, err
}

// setModes turns the echo off and discards what was typed ahead, which has
// been echoed already. It does nothing where there is no terminal.
//
// SIGTSTP is not caught: the Go runtime never gives its default back after
// signal.Notify, so that ^Z would be dead for the rest of the program. Instead
// the suspend key becomes an end of line and raises no signal; it arrives in
// the answer.
func (q *question) setModes() (restore func(), suspend int, err error) {
	if err := waitForeground(q.in); err != nil {
		return nil, -1, err
	}
	saved, err := unix.IoctlGetTermios(q.in, ioctlGetTermios)
	if err != nil {
		return func() {}, -1, nil
	}
	asking := *saved
	if !q.echo {
		asking.Lflag &^= unix.ECHO | unix.ECHONL
	}
	suspend = -1
	if key := saved.Cc[unix.VSUSP]; key != posixVdisable && saved.Lflag&unix.ISIG != 0 {
		suspend = int(key)
		asking.Cc[unix.VEOL] = key
		asking.Cc[unix.VSUSP] = posixVdisable
	}
	disableBSDKeys(&asking)
	if err := setFlushed(q.in, &asking); err != nil {
		return nil, -1, err
	}
	return func() { q.restoreModes(saved, &asking) }, suspend, nil
}

// restoreModes also ends the line, whose end was not echoed. A terminal that
// has gone, or belongs to another job by now, is left alone.
func (q *question) restoreModes(saved, asking *unix.Termios) {
	if inBackground(q.in) {
		return
	}
	if asking.Lflag&unix.ECHO == 0 {
		unix.Write(q.out, []byte("\n"))
	}
	if *saved != *asking {
		setFlushed(q.in, saved)
	}
}

// An interruption watches for what ends a question early.
type interruption struct {
	in      *Input
	out     *Output
	signals chan os.Signal
	done    chan struct{}
	caught  os.Signal // once watcher is done
	watcher sync.WaitGroup
}

func newInterruption(ctx context.Context, q *question) (*interruption, error) {
	in, err := NewInput(q.in)
	if err != nil {
		return nil, err
	}
	out, err := NewOutput(q.out)
	if err != nil {
		in.Close()
		return nil, err
	}
	w := &interruption{in: in, out: out, signals: make(chan os.Signal, 1), done: make(chan struct{})}
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGALRM, unix.SIGCONT} {
		if !signal.Ignored(s) { // nohup stays in force
			signal.Notify(w.signals, s)
		}
	}
	w.watcher.Go(func() { w.watch(ctx) })
	return w, nil
}

// watch ends at the first signal, when ctx is done, or at end.
func (w *interruption) watch(ctx context.Context) {
	select {
	case w.caught = <-w.signals:
	case <-ctx.Done():
	case <-w.done:
		return
	}
	w.in.Cancel()
	w.out.Cancel()
}

// end stops watching and returns the signal that came, if one did, even at
// the last moment: it was meant for the process and must not get lost.
func (w *interruption) end() os.Signal {
	signal.Stop(w.signals)
	close(w.done)
	w.watcher.Wait()
	w.in.Close()
	w.out.Close()
	if w.caught == nil {
		select {
		case late := <-w.signals:
			if late != unix.SIGCONT { // nothing to ask again
				w.caught = late
			}
		default:
		}
	}
	return w.caught
}
