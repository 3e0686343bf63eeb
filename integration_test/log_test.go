//go:build linux

package integration_test

import (
	"context"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"
)

// logReader reads the standard error of a running program.
type logReader struct {
	t     *testing.T
	ended chan struct{} // closed with the program

	mu      sync.Mutex
	seen    []byte
	at      int // what expect has gone past
	changed chan struct{}
}

// service starts gossh as a service manager does: without standard input, and
// with a log that is not a terminal.
func (w *world) service(args ...string) (*exec.Cmd, *logReader) {
	w.t.Helper()
	return w.started(w.gossh(args...))
}

// serviceFor is service for a program that may run for longer than lifetime.
func (w *world) serviceFor(limit time.Duration, args ...string) (*exec.Cmd, *logReader) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	w.t.Cleanup(cancel)
	plain := w.gossh(args...)
	cmd := exec.CommandContext(ctx, plain.Path, plain.Args[1:]...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr, cmd.WaitDelay = plain.Env, plain.Dir, plain.SysProcAttr, plain.WaitDelay
	return w.started(cmd)
}

func (w *world) started(cmd *exec.Cmd) (*exec.Cmd, *logReader) {
	w.t.Helper()
	l := &logReader{t: w.t, ended: make(chan struct{}), changed: make(chan struct{})}
	cmd.Stderr = l
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { // ends with the process
		cmd.Wait()
		close(l.ended)
	}()
	w.t.Cleanup(func() {
		cmd.Process.Kill()
		<-l.ended
	})
	return cmd, l
}

func (l *logReader) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, p...)
	close(l.changed)
	l.changed = make(chan struct{})
	return len(p), nil
}

func (l *logReader) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.seen)
}

// expect waits for a regular expression in what follows the last match.
func (l *logReader) expect(pattern string) {
	l.t.Helper()
	re := regexp.MustCompile(pattern)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		l.mu.Lock()
		m, changed, at := re.FindIndex(l.seen[l.at:]), l.changed, l.at
		if m != nil {
			l.at += m[1]
		}
		l.mu.Unlock()
		if m != nil {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			l.t.Fatalf("%q has not come; behind %d bytes of\n%q", pattern, at, l.text())
		}
	}
}

// wait waits for the program's end and returns its status.
func (l *logReader) wait(cmd *exec.Cmd) int {
	l.t.Helper()
	select {
	case <-l.ended:
	case <-time.After(patience):
		l.t.Fatalf("%q does not end:\n%q", cmd.Args, l.text())
	}
	return cmd.ProcessState.ExitCode()
}
