//go:build linux || darwin || freebsd

package terminal

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

func TestRestore(t *testing.T) {
	_, slave := openPTY(t)
	before := getTermios(t, slave)
	state, err := MakeRaw(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if raw := getTermios(t, slave); raw == before || !state.Raw() {
		t.Fatal("not raw")
	}
	for range 2 {
		if err := state.Restore(); err != nil {
			t.Fatal(err)
		}
		if after := getTermios(t, slave); after != before || state.Raw() {
			t.Fatal("not restored")
		}
	}
	// A second Restore leaves alone what others have set since.
	other := before
	other.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(int(slave.Fd()), ioctlSetTermios, &other); err != nil {
		t.Fatal(err)
	}
	state.Restore()
	if after := getTermios(t, slave); after != other {
		t.Error("a Restore too many changed the modes")
	}
}

func TestReenter(t *testing.T) {
	_, slave := openPTY(t)
	before := getTermios(t, slave)
	state, err := MakeRaw(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	raw := getTermios(t, slave)
	state.Restore()
	if err := state.Reenter(); err != nil {
		t.Fatal(err)
	}
	if again := getTermios(t, slave); again != raw {
		t.Error("not raw again")
	}
	state.Restore()
	if after := getTermios(t, slave); after != before {
		t.Error("not restored")
	}
}

func TestRestoreByMany(t *testing.T) {
	_, slave := openPTY(t)
	before := getTermios(t, slave)
	state, err := MakeRaw(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if i%2 == 0 {
				state.Reenter()
			}
			state.Restore()
		})
	}
	all.Wait()
	if after := getTermios(t, slave); after != before {
		t.Error("not restored")
	}
}

func TestRestoreAfterHangup(t *testing.T) {
	master, slave := openPTY(t)
	state, err := MakeRaw(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	slave.Write(make([]byte, 1000)) // that nobody will read
	master.Close()
	state.Restore() // returns; whether with an error is the system's affair
}

func TestMakeRawNoTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	if _, err := MakeRaw(fd); !errors.Is(err, ErrNotTerminal) {
		t.Errorf("MakeRaw: %v", err)
	}
	if _, err := GetSize(fd); !errors.Is(err, ErrNotTerminal) {
		t.Errorf("GetSize: %v", err)
	}
	if IsTerminal(fd) {
		t.Error("IsTerminal")
	}
}

func TestRestoreOnPanic(t *testing.T) {
	cmd := helper("panic")
	cmd.Stderr, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	c := onTerminal(t, cmd)
	if status := c.wait(); status.ExitStatus() != 2 {
		t.Fatalf("ended with %v", c.cmd.ProcessState)
	}
	if after := getTermios(t, c.slave); after != c.before {
		t.Error("not restored")
	}
}

// onShell runs a helper as the job of a shell with job control. report waits
// for the shell's next word about it; order gives the shell an order.
func onShell(t *testing.T, job string) (c *console, report func() string, order func(string)) {
	t.Helper()
	reportR, reportW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	orderR, orderW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := helper("shell", job)
	cmd.ExtraFiles = []*os.File{reportW, orderR}
	c = onTerminal(t, cmd)
	reportW.Close()
	orderR.Close()
	t.Cleanup(func() { reportR.Close(); orderW.Close() })
	lines := bufio.NewReader(reportR)
	report = func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the shell is gone: %v", err)
		}
		return strings.TrimSuffix(line, "\n")
	}
	return c, report, func(s string) { orderW.WriteString(s) }
}

func TestSuspend(t *testing.T) {
	c, report, order := onShell(t, "suspend")
	c.expect("<raw>")
	raw := getTermios(t, c.slave)
	c.enter("z")
	if got := report(); got != "stopped stopped" {
		t.Fatalf("the shell saw %q", got)
	}
	if stopped := getTermios(t, c.slave); stopped != c.before {
		t.Error("not restored while stopped")
	}
	order("fg  ")
	c.expect("<raw again>")
	if again := getTermios(t, c.slave); again != raw {
		t.Error("not raw again")
	}
	c.enter("q")
	if got := report(); got != "exited 0" {
		t.Errorf("the shell saw %q", got)
	}
	if after := getTermios(t, c.slave); after != c.before {
		t.Error("not restored")
	}
}

// A job that has lost the terminal neither stops at Restore nor changes the
// modes, which are another's by then.
func TestRestoreInBackground(t *testing.T) {
	c, report, order := onShell(t, "background")
	c.expect("<raw>")
	raw := getTermios(t, c.slave)
	order("take")
	if got := report(); got != "exited 7" {
		t.Fatalf("the shell saw %q", got)
	}
	if after := getTermios(t, c.slave); after != raw {
		t.Error("it touched the modes")
	}
}

// In the background MakeRaw waits for the foreground, and what it goes back to
// is not what the other job made of the terminal meanwhile.
func TestMakeRawInBackground(t *testing.T) {
	c, report, order := onShell(t, "late")
	c.expect("<ready>")
	set := func(termios unix.Termios) {
		if err := unix.IoctlSetTermios(int(c.slave.Fd()), ioctlSetTermios, &termios); err != nil {
			t.Fatal(err)
		}
	}
	editing := c.before
	editing.Lflag &^= unix.ICANON | unix.ECHO
	set(editing)
	order("take")
	if got := report(); got != "stopped stopped (tty output)" {
		t.Fatalf("the shell saw %q", got)
	}
	set(c.before)
	order("fg  ")
	c.expect("<raw>")
	c.enter("q")
	if got := report(); got != "exited 0" {
		t.Errorf("the shell saw %q", got)
	}
	if after := getTermios(t, c.slave); after != c.before {
		t.Error("not restored")
	}
}

func TestFollowContinue(t *testing.T) {
	_, slave := openPTY(t)
	state, err := MakeRaw(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer state.Restore()
	raw := getTermios(t, slave)
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { state.FollowContinue(ctx) })
	defer following.Wait()
	defer cancel()

	cooked := raw
	cooked.Lflag |= unix.ICANON | unix.ECHO // as a shell leaves it
	if err := unix.IoctlSetTermios(int(slave.Fd()), ioctlSetTermios, &cooked); err != nil {
		t.Fatal(err)
	}
	await(t, "raw mode after SIGCONT", func() bool {
		unix.Kill(unix.Getpid(), unix.SIGCONT)
		return getTermios(t, slave) == raw
	})
}

func TestResizes(t *testing.T) {
	c := onTerminal(t, helper("resizes"))
	c.expect("<ready>")
	if err := pty.Setsize(c.master, &pty.Winsize{Cols: 132, Rows: 43, X: 1056, Y: 688}); err != nil {
		t.Fatal(err)
	}
	c.expect("<132x43 1056x688>")
}

func TestResizesCoalesced(t *testing.T) {
	sizes := make(chan Size, 1)
	for columns := range uint32(5) {
		replace(sizes, Size{Columns: columns})
	}
	if got := <-sizes; got.Columns != 4 {
		t.Errorf("got %d columns, want the newest", got.Columns)
	}
	select {
	case old := <-sizes:
		t.Errorf("an old size is left: %+v", old)
	default:
	}
}

func TestResizesEnd(t *testing.T) {
	_, slave := openPTY(t)
	ctx, cancel := context.WithCancel(context.Background())
	sizes := Resizes(ctx, int(slave.Fd()))
	syscall.Kill(syscall.Getpid(), syscall.SIGWINCH)
	<-sizes
	cancel()
	for range sizes { // until it is closed
	}
}
