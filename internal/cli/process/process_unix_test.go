//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/internal/testenv"
)

// patience bounds a test that hangs. It is far above what a test takes.
const patience = 30 * time.Second

// roleVariable makes this binary play a role; fileVariable names a file for it.
const (
	roleVariable = "GOSSH_PROCESS_ROLE"
	fileVariable = "GOSSH_PROCESS_FILE"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	testenv.HeedSignals()
	goleak.VerifyTestMain(m)
}

// play runs a role in a process of its own.
func play(role string) int {
	s := NewSignals(new(Guard), func(os.Signal) bool { return false })
	_, stop := s.Start(context.Background())
	defer stop()
	switch role {
	case "quit": // SIGQUIT ends the process without a list of goroutines
		syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		time.Sleep(patience)
	case "asking": // a deadly signal waits for the end of a question
		done := s.Asking()
		syscall.Kill(os.Getpid(), syscall.SIGALRM)
		for s.late.Load() == nil {
			time.Sleep(time.Millisecond)
		}
		fmt.Println("still asking")
		done()
	case "session": // SIGQUIT belongs to the session
		ctx, cancel := s.Until(context.Background())
		defer cancel(nil)
		syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		<-ctx.Done()
		fmt.Println(context.Cause(ctx))
		return 3
	case "fail":
		return 7
	case "die":
		die(syscall.SIGTERM)
	case "background":
		return playBackground()
	}
	return 0
}

// playBackground announces that it is ready, and waits until the test opens a FIFO.
func playBackground() int {
	ready := InBackground()
	if ready == nil || InBackground() != nil {
		return 9
	}
	fmt.Println("before")
	kept, err := terminal.NewOutput(1)
	keep := func() error {
		kept, err = KeepOutput(kept, 1)
		return err
	}
	print := &message.Printer{Console: message.NewConsole(os.Stderr)}
	if err := ready.Announce(print, keep, true); err != nil {
		return 9
	}
	fmt.Println("to the null device")
	io.WriteString(kept, "kept\n")
	kept.Close()
	os.ReadFile(os.Getenv(fileVariable))
	return 0
}

// runRole runs a role and returns its output.
func runRole(t *testing.T, role string) (string, *os.ProcessState) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState
}

// TestSignals checks which signals end a process, and when.
func TestSignals(t *testing.T) {
	for role, want := range map[string]struct {
		output string
		signal syscall.Signal
		status int
	}{
		"quit":    {"", syscall.SIGQUIT, 0},
		"asking":  {"still asking\n", syscall.SIGALRM, 0},
		"session": {"killed by signal quit\n", 0, 3},
	} {
		output, state := runRole(t, role)
		status := state.Sys().(syscall.WaitStatus)
		if output != want.output || status.Signaled() != (want.signal != 0) ||
			status.Signaled() && status.Signal() != want.signal || !status.Signaled() && status.ExitStatus() != want.status {
			t.Errorf("%s: %v, output %q", role, state, output)
		}
	}
}

// TestUntil checks that a session ends with the first signal that no question wants.
func TestUntil(t *testing.T) {
	ignored := make(chan os.Signal, 1)
	s := NewSignals(new(Guard), func(sig os.Signal) bool {
		if sig != os.Interrupt {
			return false
		}
		ignored <- sig
		return true
	})
	ctx, cancel := s.Until(t.Context())
	defer cancel(nil)
	syscall.Kill(os.Getpid(), syscall.SIGINT)
	<-ignored
	if ctx.Err() != nil {
		t.Error("a signal for the question ended the session")
	}
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	<-ctx.Done()
	var killed *message.SignalError
	if err := context.Cause(ctx); !errors.As(err, &killed) || killed.Signal != syscall.SIGTERM {
		t.Errorf("ended by %v", err)
	}
}

// TestDeathStatus checks the status of a process that could not die of a signal.
func TestDeathStatus(t *testing.T) {
	if got := DeathStatus(syscall.SIGTERM); got != 128+15 {
		t.Errorf("got %d", got)
	}
}

// start starts a role in the background, with standard output as given.
func start(t *testing.T, role string, stdout *os.File, env ...string) (ready bool, status int) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	b := &Background{
		Program: "ssh", Invoked: os.Args[0], Std: Std{Stdin: null, Stdout: stdout, Stderr: null},
		Signals: NewSignals(new(Guard), func(os.Signal) bool { return false }),
	}
	ready, status, err = b.Start(append(env, roleVariable+"="+role)...)
	if err != nil {
		t.Fatal(err)
	}
	return ready, status
}

// TestBackground checks that Start returns when the child is ready, and that the
// child leaves standard output but for what it keeps.
func TestBackground(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ready, _ := start(t, "background", w, fileVariable+"="+fifo)
	w.Close()
	if !ready {
		t.Fatal("not ready")
	}
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0) // the child lives, reads it, and ends
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	if output, err := io.ReadAll(r); err != nil || string(output) != "before\nkept\n" {
		t.Errorf("%q, %v", output, err)
	}
}

// TestBackgroundFails checks the status of a child that does not become ready.
func TestBackgroundFails(t *testing.T) {
	if ready, status := start(t, "fail", os.Stdout); ready || status != 7 {
		t.Errorf("ready %v, status %d", ready, status)
	}
}

// TestShellCommand checks that the user's shell runs a line.
func TestShellCommand(t *testing.T) {
	t.Setenv("SHELL", "/bin/sh")
	out, err := ShellCommand(" echo $((1+2)) ").Output()
	if err != nil || strings.TrimSpace(string(out)) != "3" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestGuard checks that Run lets a panic through, and calls its function once.
func TestGuard(t *testing.T) {
	var calls bytes.Buffer
	func() {
		defer func() {
			if recover() != "odd" {
				t.Error("the panic was lost")
			}
		}()
		new(Guard).Run(func() { calls.WriteString("x"); panic("odd") })
	}()
	if calls.String() != "x" {
		t.Errorf("%q", &calls)
	}
}
