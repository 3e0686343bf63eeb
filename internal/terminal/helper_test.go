//go:build linux || darwin || freebsd

package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// helperVariable names the helper that this binary is to be.
const helperVariable = "GOSSH_TERMINAL_HELPER"

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// readSecret reads a line without echo from the controlling terminal.
func readSecret(prompt string) (string, error) {
	tty, err := OpenTTY()
	if err != nil {
		return "", err
	}
	defer tty.Close()
	return tty.ReadLine(context.Background(), prompt, false)
}

func runHelper(name string) int {
	switch name {
	case "secret":
		return printAnswer(readSecret("Secret: "))
	case "secret-handled": // SIGINT belongs to the program
		interrupts := make(chan os.Signal, 4)
		signal.Notify(interrupts, os.Interrupt)
		return printAnswer(readSecret("Secret: "))
	case "ask", "ask-stdin":
		flags := Flags(0)
		if name == "ask-stdin" {
			flags = AllowStdin
		}
		p := &Prompter{}
		return printAnswer(p.Ask(context.Background(), "Secret: ", flags))
	case "suspend":
		return suspendHelper()
	case "background":
		return backgroundHelper()
	case "late":
		return lateHelper()
	case "shell":
		return shellHelper(os.Args[1])
	case "resizes":
		return resizesHelper()
	case "panic":
		return panicHelper()
	case "broken-pipe":
		return brokenPipeHelper()
	}
	fmt.Fprintln(os.Stderr, "no such helper:", name)
	return 99
}

func printAnswer(answer string, err error) int {
	var signaled *SignalError
	switch {
	case errors.Is(err, ErrNoTTY):
		fmt.Print("<no tty>")
	case errors.Is(err, ErrRefused):
		fmt.Print("<refused>")
	case errors.Is(err, io.EOF):
		fmt.Print("<eof>")
	case errors.As(err, &signaled):
		fmt.Printf("<signal %v>", signaled.Signal)
	case err != nil:
		fmt.Printf("<error %v>", err)
	default:
		fmt.Printf("<answer %q>", answer)
	}
	return 0
}

// suspendHelper is a session whose escape ~^Z is typed at once.
func suspendHelper() int {
	state, err := MakeRaw(0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer state.Restore()
	fmt.Print("<raw>")
	io.ReadFull(os.Stdin, make([]byte, 1))
	if err := state.Suspend(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Print("<raw again>")
	io.ReadFull(os.Stdin, make([]byte, 1))
	return 0
}

// backgroundHelper is in raw mode when its process group loses the terminal,
// and restores nevertheless.
func backgroundHelper() int {
	state, err := MakeRaw(0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	lost := make(chan os.Signal, 1)
	signal.Notify(lost, unix.SIGUSR1)
	fmt.Print("<raw>")
	<-lost
	if err := state.Restore(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 7
}

// lateHelper has lost the terminal when it wants raw mode.
func lateHelper() int {
	lost := make(chan os.Signal, 1)
	signal.Notify(lost, unix.SIGUSR1)
	fmt.Print("<ready>")
	<-lost
	state, err := MakeRaw(0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer state.Restore()
	fmt.Print("<raw>")
	io.ReadFull(os.Stdin, make([]byte, 1))
	return 0
}

// shellHelper is a shell's job control: it runs the named helper as a job in
// the foreground and reports on fd 3 what becomes of it. On fd 4 it takes
// orders: "fg" continues the job, "take" takes the terminal from it.
func shellHelper(job string) int {
	report := os.NewFile(3, "report")
	orders := os.NewFile(4, "orders")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"="+job)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(report, err)
		return 1
	}
	signal.Ignore(unix.SIGTTOU) // after the job's start, which would inherit it
	own, pid := unix.Getpgrp(), cmd.Process.Pid
	go func() {
		order := make([]byte, 4)
		for {
			if _, err := io.ReadFull(orders, order); err != nil {
				return
			}
			switch string(order) {
			case "fg  ":
				unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, pid)
				unix.Kill(-pid, unix.SIGCONT)
			case "take":
				unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, own)
				unix.Kill(pid, unix.SIGUSR1)
			}
		}
	}()
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); err == unix.EINTR {
			continue
		}
		if !status.Stopped() {
			fmt.Fprintf(report, "exited %d\n", status.ExitStatus())
			return 0
		}
		unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, own)
		fmt.Fprintf(report, "stopped %v\n", status.StopSignal())
	}
}

func resizesHelper() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	sizes := Resizes(ctx, 0)
	fmt.Print("<ready>")
	size := <-sizes
	fmt.Printf("<%dx%d %dx%d>", size.Columns, size.Rows, size.WidthPixels, size.HeightPixels)
	return 0
}

func panicHelper() int {
	state, err := MakeRaw(0)
	if err != nil {
		return 1
	}
	defer state.Restore()
	panic("on purpose")
}

// brokenPipeHelper writes to stdout, whose reader is gone, and says on stderr
// that it lived on.
func brokenPipeHelper() int {
	out, err := NewOutput(1)
	if err != nil {
		return 1
	}
	defer out.Close()
	_, err = out.Write([]byte("x"))
	fmt.Fprintf(os.Stderr, "EPIPE: %t", errors.Is(err, unix.EPIPE))
	return 0
}

// A console is a program on a terminal of its own, as seen by the person in
// front of it.
type console struct {
	t      *testing.T
	master *os.File
	slave  *os.File // kept open: modes can be read after the program's end
	cmd    *exec.Cmd
	before unix.Termios // the modes when the program was started

	mu      sync.Mutex
	changed *sync.Cond
	output  bytes.Buffer
	ended   bool
	reader  sync.WaitGroup
}

// openPTY returns both ends of a terminal.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

// helper returns the command of a helper program.
func helper(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	// The race detector would linger for a second at each exit.
	cmd.Env = append(os.Environ(), helperVariable+"="+name, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// onTerminal starts cmd as leader of a session whose controlling terminal is
// new. Those of its standard descriptors that are not set are the terminal.
func onTerminal(t *testing.T, cmd *exec.Cmd) *console {
	t.Helper()
	master, slave := openPTY(t)
	c := &console{t: t, master: master, slave: slave, cmd: cmd, before: getTermios(t, slave)}
	c.changed = sync.NewCond(&c.mu)
	if cmd.Stdin == nil {
		cmd.Stdin = slave
	}
	if cmd.Stdout == nil {
		cmd.Stdout = slave
	}
	if cmd.Stderr == nil {
		cmd.Stderr = slave
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, slave)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2 + len(cmd.ExtraFiles)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.reader.Go(c.read)
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		slave.Close()
		master.Close()
		c.reader.Wait()
	})
	return c
}

// read ends when the master is closed.
func (c *console) read() {
	buf := make([]byte, 4096)
	for {
		n, err := c.master.Read(buf)
		c.mu.Lock()
		c.output.Write(buf[:n])
		c.ended = err != nil
		c.changed.Broadcast()
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// expect waits until the output since the last expect contains text, and
// returns it up to there.
func (c *console) expect(text string) string {
	c.t.Helper()
	deadline := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ended = true
		c.changed.Broadcast()
	})
	defer deadline.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if before, _, found := strings.Cut(c.output.String(), text); found {
			return string(c.output.Next(len(before) + len(text)))
		}
		if c.ended {
			c.t.Fatalf("no %q in the output %q", text, c.output.String())
		}
		c.changed.Wait()
	}
}

func (c *console) enter(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.master, keys); err != nil {
		c.t.Fatal(err)
	}
}

// wait returns how the program ended.
func (c *console) wait() syscall.WaitStatus {
	c.t.Helper()
	c.cmd.Wait()
	return c.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

func getTermios(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	termios, err := unix.IoctlGetTermios(int(f.Fd()), ioctlGetTermios)
	if err != nil {
		t.Fatal(err)
	}
	return *termios
}

// await polls for what no event announces.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: " + what)
		}
	}
}
