//go:build linux || darwin || freebsd

package mux_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// shortDir is a folder whose path leaves room for the names of sockets.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// descriptors is what internal/cli gives a master.
type descriptors struct{}

func (descriptors) OpenInput(fd int) (mux.Input, error)   { return terminal.NewInput(fd) }
func (descriptors) OpenOutput(fd int) (mux.Output, error) { return terminal.NewOutput(fd) }
func (descriptors) Modes(fd int) []byte                   { return terminal.Modes(fd) }
func (descriptors) Size(fd int) (session.Size, bool) {
	s, err := terminal.GetSize(fd)
	return session.Size{Columns: s.Columns, Rows: s.Rows, Width: s.WidthPixels, Height: s.HeightPixels}, err == nil
}

// connection is an SSH connection with as much of client.Client as a master
// needs.
type connection struct {
	ssh.Conn
	forwards *forward.Forwarder
	done     chan struct{}
	err      error
	stats    keepalive.Stats
}

func newConnection(t testing.TB, nc net.Conn, config *ssh.ClientConfig) *connection {
	t.Helper()
	conn, chans, reqs, err := ssh.NewClientConn(nc, "server", config)
	if err != nil {
		t.Fatal(err)
	}
	c := &connection{Conn: conn, done: make(chan struct{}), stats: keepalive.Stats{
		LastHeard: time.Now().Add(-1500 * time.Millisecond), SmoothedRTT: 42 * time.Millisecond}}
	c.forwards = forward.New(conn, nil)
	served := make(chan struct{})
	go ssh.DiscardRequests(reqs)
	go func() {
		defer close(served)
		for ch := range chans {
			switch ch.ChannelType() {
			case "forwarded-tcpip", "forwarded-streamlocal@openssh.com":
				c.forwards.ServeChannel(ch)
			default:
				ch.Reject(ssh.UnknownChannelType, "")
			}
		}
	}()
	go func() {
		c.err = conn.Wait()
		close(c.done)
	}()
	t.Cleanup(func() {
		conn.Close()
		c.forwards.Close()
		<-served
		<-c.done
	})
	return c
}

func (c *connection) Forwards() *forward.Forwarder { return c.forwards }
func (c *connection) Done() <-chan struct{}        { return c.done }
func (c *connection) Err() error                   { return c.err }
func (c *connection) Stats() keepalive.Stats       { return c.stats }

// listen makes a master in this process.
func listen(t testing.TB, conn mux.Connection, opts mux.ServerOptions) *mux.Server {
	t.Helper()
	if opts.Descriptors == nil {
		opts.Descriptors = descriptors{}
	}
	srv, err := mux.Listen(context.Background(), filepath.Join(shortDir(t), "ctl"), conn, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

// inProcess is a master on a connection to the server in this process.
func inProcess(t testing.TB, server sshtest.Options, opts mux.ServerOptions) (*mux.Server, *sshtest.Server) {
	t.Helper()
	conn, s := pipeConnection(t, server)
	return listen(t, conn, opts), s
}

func pipeConnection(t testing.TB, server sshtest.Options) (*connection, *sshtest.Server) {
	t.Helper()
	s := sshtest.NewServer(t, &server)
	return newConnection(t, s.Pipe(), s.ClientConfig()), s
}

// dialSSHD is a connection to a real sshd.
func dialSSHD(t testing.TB, srv *opensshd.Server) *connection {
	t.Helper()
	key, err := os.ReadFile(srv.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return newConnection(t, nc, &ssh.ClientConfig{
		User: srv.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.FixedHostKey(srv.HostKeys[0]),
	})
}

func needSSH(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("ssh")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("OpenSSH's ssh is not installed")
		}
		t.Skip("OpenSSH's ssh is not installed")
	}
	return path
}

func connect(t testing.TB, path string) *mux.Client {
	t.Helper()
	c, err := mux.Connect(patient(t), path, mux.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// stdio is the standard descriptors of a passenger.
type stdio struct {
	stdin          *os.File // to write to
	in, out, err   *os.File // to pass
	stdout, stderr *collector
}

type collector struct {
	r    *os.File
	buf  bytes.Buffer
	done chan struct{}
}

func collect(r *os.File) *collector {
	c := &collector{r: r, done: make(chan struct{})}
	go func() {
		io.Copy(&c.buf, r)
		r.Close()
		close(c.done)
	}()
	return c
}

func (c *collector) String() string {
	<-c.done
	return c.buf.String()
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
}

func newStdio(t testing.TB) *stdio {
	s := &stdio{}
	s.in, s.stdin = pipe(t)
	r, w := pipe(t)
	s.out, s.stdout = w, collect(r)
	r, w = pipe(t)
	s.err, s.stderr = w, collect(r)
	t.Cleanup(func() { s.stdin.Close(); s.closeOurs(); <-s.stdout.done; <-s.stderr.done })
	return s
}

func (s *stdio) fds() [3]int {
	return [3]int{int(s.in.Fd()), int(s.out.Fd()), int(s.err.Fd())}
}

// closeOurs leaves the passed ends to the master.
func (s *stdio) closeOurs() { s.in.Close(); s.out.Close(); s.err.Close() }

// result is what a program did.
type result struct {
	stdout, stderr string
	status         int
}

// run runs a command as our passenger, in this process.
func run(t testing.TB, path string, req mux.SessionRequest, stdin string) result {
	t.Helper()
	c := connect(t, path)
	defer c.Close()
	std := newStdio(t)
	s, err := c.NewSession(patient(t), req, std.fds())
	if err != nil {
		t.Fatal(err)
	}
	std.closeOurs()
	io.WriteString(std.stdin, stdin)
	std.stdin.Close()
	status, err := s.Wait()
	if err != nil && status != 255 {
		t.Errorf("status %d with error %v", status, err)
	}
	return result{std.stdout.String(), std.stderr.String(), status}
}

// openSSH runs ssh against a control socket.
type openSSH struct {
	program, config string
}

func (o *openSSH) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, o.program, append([]string{"-F", o.config, "-S", path, "-o", "ConnectTimeout=15"}, args...)...)
	cmd.WaitDelay = time.Second
	return cmd
}

func (o *openSSH) run(t testing.TB, path, stdin string, args ...string) result {
	t.Helper()
	cmd := o.command(patient(t), path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func parseSpec(t testing.TB, text string) forward.Spec {
	t.Helper()
	spec, err := forward.ParseSpec(forward.Local, text)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}
