//go:build unix

package share

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/internal/testenv"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// patience bounds a test that hangs. It is far above what a test takes.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	testenv.HeedSignals()
	goleak.VerifyTestMain(m)
}

// world is a server, a connection to it, and files for descriptors.
type world struct {
	config  *sshconfig.Config
	client  *client.Client
	print   *message.Printer
	printed *bytes.Buffer
	std     process.Std
}

// newWorld connects to a server that exits with status 3 after it has printed the
// command.
func newWorld(t *testing.T, options ...string) *world {
	t.Helper()
	srv := sshtest.NewServer(t, &sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		fmt.Fprintf(s, "ran %s\n", s.Command)
		return sshtest.Exit{Status: 3}
	}})
	files, err := srv.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// The name of a socket must be short.
	dir, err := os.MkdirTemp("", "gossh-share-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var directives []sshconfig.Directive
	for _, o := range append(options, "ControlPath="+filepath.Join(dir, "s")) {
		directives = append(directives, sshconfig.Flag('o', o))
	}
	w := &world{printed: new(bytes.Buffer)}
	if w.config, err = sshconfig.Load(t.Context(), "host", sshconfig.Options{UserFile: files.Config, CommandLine: directives}); err != nil {
		t.Fatal(err)
	}
	w.print = &message.Printer{Console: message.NewConsole(w.printed), Program: "ssh", Config: w.config}
	if w.client, err = client.Dial(t.Context(), "host", &client.Options{Config: w.config}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.client.Close() })
	if w.std.Stdin, err = os.Open(os.DevNull); err != nil {
		t.Fatal(err)
	}
	for _, f := range []**os.File{&w.std.Stdout, &w.std.Stderr} {
		if *f, err = os.CreateTemp(dir, "out"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { w.std.Stdin.Close(); w.std.Stdout.Close(); w.std.Stderr.Close() })
	return w
}

func (w *world) back() *backchannel.Forwarding {
	return &backchannel.Forwarding{Config: w.config, Print: w.print, Turns: prompt.NewTurns()}
}

// master shares the connection until the test ends. ended receives what quit is
// called with.
func (w *world) master(t *testing.T) (m *Master, ended <-chan error) {
	t.Helper()
	m = NewMaster(MasterOptions{Print: w.print, Config: w.config, Back: w.back()})
	quit := make(chan error, 1)
	shared, err := m.Share(t.Context(), w.client, nil, func(err error) { quit <- err })
	if err != nil || !shared {
		t.Fatalf("shared %v, %v: %s", shared, err, w.printed)
	}
	t.Cleanup(m.Close)
	return m, quit
}

// attaching returns a Client that runs a command.
func (w *world) attaching(command string) *Client {
	guard := new(process.Guard)
	return &Client{
		Print: w.print, Config: w.config, Std: w.std, Guard: guard,
		Signals: process.NewSignals(guard, func(os.Signal) bool { return false }),
		Back:    w.back(), Task: task.New(w.config, command, false),
	}
}

func (w *world) control(command string) *Control {
	return &Control{Print: w.print, Config: w.config, Std: w.std, Back: w.back(), Command: command}
}

// text returns what has been written to a file.
func text(t *testing.T, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAttach runs a command over a master.
func TestAttach(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := w.attaching("uptime")
	if !c.Vacant(ctx) {
		t.Error("there is no master, and yet the path is not vacant")
	}
	if status, done, err := c.Attach(ctx); done || err != nil {
		t.Errorf("without a master: %d, %v, %v", status, done, err)
	}
	m, _ := w.master(t)
	if c.Vacant(ctx) {
		t.Error("the path of a master is vacant")
	}
	status, done, err := c.Attach(ctx)
	if status != 3 || !done || err != nil {
		t.Errorf("status %d, done %v, %v: %s", status, done, err, w.printed)
	}
	if got := text(t, w.std.Stdout); got != "ran uptime\n" {
		t.Errorf("output %q", got)
	}
	m.Close()
	if status, done, err := c.Attach(ctx); done || err != nil {
		t.Errorf("without the master: %d, %v, %v", status, done, err)
	}
}

// TestAttachNowhere checks what is printed about a master that cannot be used.
func TestAttachNowhere(t *testing.T) {
	w := newWorld(t)
	w.print.SetLevel(sshconfig.LogDebug1)
	c := w.attaching("uptime")
	if _, done, err := c.Attach(t.Context()); done || err != nil {
		t.Errorf("%v, %v", done, err)
	}
	if want := fmt.Sprintf("debug1: Control socket \"%s\" does not exist\r\n", w.config.ControlPath); w.printed.String() != want {
		t.Errorf("%q, want %q", w.printed, want)
	}
	w.printed.Reset()
	if err := os.WriteFile(w.config.ControlPath, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, done, err := c.Attach(t.Context()); done || err != nil || !strings.HasPrefix(w.printed.String(), "Control socket connect(") {
		t.Errorf("%v, %v, %q", done, err, w.printed)
	}
	if c.Vacant(t.Context()) {
		t.Error("the path of a file is vacant")
	}
}

// TestSecondMaster checks that a second master leaves the socket alone.
func TestSecondMaster(t *testing.T) {
	w := newWorld(t)
	w.master(t)
	for persist, want := range map[bool]string{
		false: fmt.Sprintf("ControlSocket %s already exists, disabling multiplexing\r\n", w.config.ControlPath),
		true:  "",
	} {
		w.printed.Reset()
		second := NewMaster(MasterOptions{Print: w.print, Config: w.config, Back: w.back(), Persist: persist})
		shared, err := second.Share(t.Context(), w.client, nil, func(error) {})
		if shared || err != nil || w.printed.String() != want {
			t.Errorf("persist %v: %v, %v, %q", persist, shared, err, w.printed)
		}
		second.Close()
	}
	if _, err := os.Stat(w.config.ControlPath); err != nil {
		t.Error(err)
	}
}

// TestControl sends the commands of -O.
func TestControl(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	path := w.config.ControlPath
	if err := w.control("check").Run(ctx); err == nil || err.Error() != "Control socket connect("+path+"): No such file or directory" {
		t.Errorf("without a master: %v", err)
	}
	_, ended := w.master(t)
	if err := w.control("check").Run(ctx); err != nil {
		t.Error(err)
	}
	if got := text(t, w.std.Stderr); !strings.HasPrefix(got, fmt.Sprintf("Master running (pid=%d)\r\nserver last heard ", os.Getpid())) {
		t.Errorf("check printed %q", got)
	}
	if err := w.control("conninfo").Run(ctx); err != nil {
		t.Error(err)
	}
	if got := text(t, w.std.Stdout); !strings.HasPrefix(got, "Connection information for ") {
		t.Errorf("conninfo printed %q", got)
	}
	if err := w.control("exit").Run(ctx); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, message.ErrQuit) {
		t.Errorf("quit with %v", err)
	}
	if got := text(t, w.std.Stderr); !strings.HasSuffix(got, "Exit request sent.\r\n") {
		t.Errorf("exit printed %q", got)
	}
}

// TestControlForward opens and closes a forwarding. A port that the server chooses
// is printed alone on standard output.
func TestControlForward(t *testing.T) {
	w := newWorld(t, "RemoteForward=0 localhost:1")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w.master(t)
	if err := w.control("forward").Run(ctx); err != nil {
		t.Fatal(err)
	}
	forwards := w.client.Forwards().Forwards()
	if len(forwards) != 1 {
		t.Fatalf("%d forwardings", len(forwards))
	}
	if want := fmt.Sprintf("%d\n", forwards[0].Spec().Listen.Port); text(t, w.std.Stdout) != want {
		t.Errorf("printed %q, want %q", text(t, w.std.Stdout), want)
	}
	if err := w.control("cancel").Run(ctx); err != nil {
		t.Error(err)
	}
	for _, f := range w.client.Forwards().Forwards() {
		if f.Err() == nil {
			t.Errorf("%v is open after cancel", f.Spec())
		}
	}
}

// TestAwaitClients checks that a master waits for the sessions of its clients.
func TestAwaitClients(t *testing.T) {
	w := newWorld(t)
	m, _ := w.master(t)
	if end, err := m.AwaitClients(t.Context()); err != nil || IsLost(end) {
		t.Errorf("%v, %v", end, err)
	}
	if _, err := os.Stat(w.config.ControlPath); err == nil {
		t.Error("the socket is there still")
	}
}

// TestAwaitClientsInterrupted: the cause of a context that has ended the server too
// is what AwaitClients returns.
func TestAwaitClientsInterrupted(t *testing.T) {
	w := newWorld(t)
	m, _ := w.master(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	cancel(interrupted)
	m.srv.Close()
	for range 50 { // a select takes either
		if end, err := m.AwaitClients(ctx); end != nil || err != interrupted {
			t.Fatalf("%v, %v, want %v", end, err, interrupted)
		}
	}
}

// TestExitMessage checks what a client prints whose session a lost connection has
// ended.
func TestExitMessage(t *testing.T) {
	config := new(sshconfig.Config)
	m := NewMaster(MasterOptions{
		Print:  &message.Printer{Console: message.NewConsole(io.Discard), Program: "ssh"},
		Config: config,
	})
	lost := &client.ConnError{Phase: client.PhaseConnected, Host: "web", Port: 22, Err: io.EOF}
	if got := m.exitMessage(lost); got != "Connection to web closed by remote host.\r\n" {
		t.Errorf("%q", got)
	}
	if got := m.exitMessage(io.EOF); got != "" {
		t.Errorf("%q for an end that is not the connection's", got)
	}
}
