//go:build unix

package sshtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gossh-project/gossh/sshtest"
)

// openSSH is OpenSSH's client, set up for one server.
type openSSH struct {
	t     *testing.T
	dir   string
	files sshtest.Files
}

func newOpenSSH(t *testing.T, srv *sshtest.Server) *openSSH {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("OpenSSH's ssh is not installed")
		}
		t.Skip("OpenSSH's ssh is not installed")
	}
	dir := shortDir(t)
	files, err := srv.WriteFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &openSSH{t, dir, files}
}

// shortDir is a folder whose path leaves room for the names of sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "st")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (o *openSSH) command(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(o.t.Context(), 30*time.Second)
	o.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, append([]string{"-F", o.files.Config}, args...)...)
	cmd.WaitDelay = time.Second
	return cmd
}

// run runs ssh and returns its streams and exit status.
func (o *openSSH) run(stdin string, args ...string) (stdout, stderr string, status int) {
	o.t.Helper()
	cmd := o.command("ssh", args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		o.t.Fatalf("ssh %q: %v\n%s", args, err, &errs)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestOpenSSHExec(t *testing.T) {
	srv := sshtest.NewServer(t, nil)
	o := newOpenSSH(t, srv)
	stdout, stderr, status := o.run("in", "-o", "SetEnv=GREETING=hello", "srv", "cat; echo $GREETING; echo err >&2; exit 3")
	if stdout != "inhello\n" || stderr != "err\n" || status != 3 {
		t.Errorf("got %q, %q, %d", stdout, stderr, status)
	}
	if _, stderr, status = o.run("", "srv", "kill -TERM $$"); status != 255 {
		t.Errorf("a command killed by a signal: %q, %d", stderr, status)
	}
	// The reader of our output goes away: the client says so with eow, and
	// that ends the command.
	cmd := o.command("ssh", "srv", "yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	io.ReadFull(out, make([]byte, 10))
	out.Close()
	cmd.Wait()
	if _, err := srv.WaitRecord(within(t), sshtest.Channel, "eow@openssh.com"); err != nil {
		t.Error(err)
	}
}

func TestOpenSSHShellOnAPTY(t *testing.T) {
	// -tt sends pty-req and shell, which both want an answer, at once.
	srv := sshtest.NewServer(t, &sshtest.Options{HoldReplies: 2})
	o := newOpenSSH(t, srv)
	cmd := o.command("ssh", "-tt", "srv")
	cmd.Env = append(os.Environ(), "TERM=vt100")
	cmd.Stdin = strings.NewReader("echo $TERM; test -t 0 && echo tty-$((6*7)); exit 5\n")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 5 ||
		!strings.Contains(string(out), "vt100\r\n") || !strings.Contains(string(out), "tty-42\r\n") {
		t.Errorf("%v, output %q", err, out)
	}
	for _, r := range srv.Records() {
		if r.Kind == sshtest.Channel && r.RepliesBefore != 0 {
			t.Errorf("%s came after %d replies", r.Type, r.RepliesBefore)
		}
	}
}

// A process in the background that keeps the pty does not keep the session.
func TestPTYHeldInTheBackground(t *testing.T) {
	srv := sshtest.NewServer(t, nil)
	o := newOpenSSH(t, srv)
	begin := time.Now()
	stdout, stderr, status := o.run("", "-tt", "srv", "trap '' HUP; sleep 25 & echo $!")
	pid, err := strconv.Atoi(strings.TrimSpace(stdout))
	if err != nil || status != 0 {
		t.Fatalf("got %q, %q, %d", stdout, stderr, status)
	}
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	syscall.Kill(pid, syscall.SIGKILL)
}

// echoServer echoes one line to each connection, until the end of the test.
func echoServer(t *testing.T, network, addr string) string {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(nc, nc)
				nc.Close()
			}()
		}
	}()
	return ln.Addr().String()
}

// roundTrip sends a line and reads it back, to EOF.
func roundTrip(t *testing.T, network, addr string) {
	t.Helper()
	nc, err := net.Dial(network, addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(nc, "hello\n")
	nc.(interface{ CloseWrite() error }).CloseWrite()
	if got, err := io.ReadAll(nc); err != nil || string(got) != "hello\n" {
		t.Errorf("%s: got %q, %v", addr, got, err)
	}
}

func TestOpenSSHForwards(t *testing.T) {
	srv := sshtest.NewServer(t, nil)
	o := newOpenSSH(t, srv)
	target := echoServer(t, "tcp", "127.0.0.1:0")
	unixTarget := echoServer(t, "unix", filepath.Join(o.dir, "target"))
	local, remote := filepath.Join(o.dir, "local"), filepath.Join(o.dir, "remote")
	cmd := o.command("ssh", "-N", "-o", "ExitOnForwardFailure=yes",
		"-L", local+":"+target,
		"-L", local+"2:"+unixTarget,
		"-R", "0:"+target,
		"-R", remote+":"+unixTarget, "srv")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx := within(t)
	c, err := srv.WaitConn(ctx, 1)
	if err == nil {
		// The local ones are there before the remote ones are asked for.
		err = srv.Wait(ctx, func() bool { return c.Forwards() == 2 })
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	roundTrip(t, "unix", local)
	roundTrip(t, "unix", local+"2")
	roundTrip(t, "unix", remote)
	var port int
	for _, addr := range c.ForwardAddrs() {
		if a, ok := addr.(*net.TCPAddr); ok {
			port = a.Port
		}
	}
	roundTrip(t, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	cmd.Process.Kill()
	cmd.Wait()
	<-c.Done()
	if nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		nc.Close()
		t.Error("the remote forward has survived its connection")
	}
}

func TestCancelForward(t *testing.T) {
	srv := sshtest.NewServer(t, nil)
	client := dial(t, srv, srv.Pipe(), srv.ClientConfig())
	ln, err := client.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := srv.Conns()[0]
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			io.Copy(nc, nc)
			nc.Close()
		}
	}()
	roundTrip(t, "tcp", ln.Addr().String())
	if err := ln.Close(); err != nil || c.Forwards() != 0 {
		t.Errorf("cancel: %v, %d left", err, c.Forwards())
	}
	none := sshtest.NewServer(t, &sshtest.Options{NoForwarding: true})
	client = dial(t, none, none.Pipe(), none.ClientConfig())
	if _, err := client.Listen("tcp", "127.0.0.1:0"); err == nil {
		t.Error("a forbidden forward was made")
	}
	var refused *ssh.OpenChannelError
	if _, err := client.Dial("tcp", "127.0.0.1:1"); !errors.As(err, &refused) || refused.Reason != ssh.Prohibited {
		t.Errorf("a forbidden forward: %v", err)
	}
}

func TestOpenSSHAgent(t *testing.T) {
	key, err := sshtest.NewKey(ssh.KeyAlgoECDSA256)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key, Comment: "forwarded"}); err != nil {
		t.Fatal(err)
	}
	comments := make(chan string, 1)
	srv := sshtest.NewServer(t, &sshtest.Options{Subsystems: map[string]sshtest.Handler{"agent": func(s *sshtest.Session) sshtest.Exit {
		a, ch, err := s.Conn.OpenAgent()
		if err != nil {
			comments <- err.Error()
			return sshtest.Status(1)
		}
		defer ch.Close()
		keys, err := a.List()
		if err != nil || len(keys) != 1 {
			comments <- fmt.Sprint(keys, err)
			return sshtest.Status(1)
		}
		comments <- keys[0].Comment
		return sshtest.Exit{}
	}}})
	o := newOpenSSH(t, srv)
	sock := filepath.Join(o.dir, "agent")
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				agent.ServeAgent(ring, nc)
				nc.Close()
			}()
		}
	}()
	stdout, stderr, status := o.run("", "-A", "-o", "IdentityAgent="+sock, "srv", "ssh-add -l")
	if !strings.Contains(stdout, "forwarded") || status != 0 {
		t.Errorf("ssh-add through the forwarded agent: %q, %q, %d", stdout, stderr, status)
	}
	_, stderr, status = o.run("", "-A", "-o", "IdentityAgent="+sock, "-s", "srv", "agent")
	if got := <-comments; got != "forwarded" || status != 0 {
		t.Errorf("a handler that uses the agent: %q, %q, %d", got, stderr, status)
	}
	if stdout, _, status := o.run("", "srv", "ssh-add -l"); status != 2 {
		t.Errorf("ssh-add without forwarding: %q, %d", stdout, status)
	}
}

func TestOpenSSHSFTP(t *testing.T) {
	if _, err := exec.LookPath("sftp"); err != nil {
		t.Skip("OpenSSH's sftp is not installed")
	}
	srv := sshtest.NewServer(t, nil)
	o := newOpenSSH(t, srv)
	from, to := filepath.Join(o.dir, "from"), filepath.Join(o.dir, "to")
	if err := os.WriteFile(from, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := o.command("sftp", "-b", "-", "srv")
	cmd.Stdin = strings.NewReader("put " + from + " " + to + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(to); err != nil || string(b) != "content" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestOpenSSHLearnsNewHostKeys(t *testing.T) {
	for _, format := range []string{ssh.KeyAlgoRSA, ssh.KeyAlgoECDSA256} {
		next := signer(t, format)
		srv := sshtest.NewServer(t, &sshtest.Options{AnnounceHostKeys: true, NextHostKeys: []ssh.Signer{next}})
		o := newOpenSSH(t, srv)
		line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(next.PublicKey())))
		// The proof comes after authentication; the command waits for it.
		cmd := o.command("ssh", "-o", "UpdateHostKeys=yes", "srv", "cat")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := srv.WaitRecord(within(t), sshtest.Global, "hostkeys-prove-00@openssh.com"); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		stdin.Close()
		cmd.Wait()
		if b, _ := os.ReadFile(o.files.KnownHosts); !strings.Contains(string(b), line) {
			t.Errorf("%s: not in known_hosts:\n%s%s", format, b, &out)
		}
	}
}

func TestDemo(t *testing.T) {
	key := signer(t, ssh.KeyAlgoED25519)
	opts, err := sshtest.Demo(key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	srv := sshtest.NewServer(t, &opts)
	config := srv.ClientConfig()
	config.User, config.Auth = opts.Users[0].Name, []ssh.AuthMethod{ssh.PublicKeys(key)}
	client := dial(t, srv, srv.Pipe(), config)
	s := newSession(t, client)
	if err := s.RequestPty("xterm", 40, 100, nil); err != nil {
		t.Fatal(err)
	}
	s.Stdin = strings.NewReader("stty size; exit\n")
	var out bytes.Buffer
	s.Stdout = &out
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil || !strings.Contains(out.String(), "40 100\r\n") {
		t.Errorf("%v, %q", err, &out)
	}
	config.Auth = []ssh.AuthMethod{ssh.PublicKeys(srv.ClientKey), ssh.Password("")}
	if _, _, _, err := ssh.NewClientConn(srv.Pipe(), srv.Addr(), config); err == nil {
		t.Error("another key was accepted")
	}
}

func TestSignalsAndTheEndOfTheChannel(t *testing.T) {
	srv := sshtest.NewServer(t, nil)
	client := dial(t, srv, srv.Pipe(), srv.ClientConfig())
	s := newSession(t, client)
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 0.05; done"); err != nil {
		t.Fatal(err)
	}
	io.ReadFull(out, make([]byte, len("ready\n")))
	if err := s.Signal(ssh.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(out)
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 9 || string(rest) != "got it\n" {
		t.Errorf("%v, %q", err, rest)
	}
	// A command whose channel is closed ends; else the test's cleanup hangs.
	s = newSession(t, client)
	if err := s.Start("sleep 1000"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	// One that has left its process group and holds the output does not keep
	// the server's Close either.
	if _, err := exec.LookPath("setsid"); err != nil {
		return
	}
	s = newSession(t, client)
	out, err = s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("setsid sleep 25 & echo $!"); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 20)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	srv.Close()
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("Close took %v", d)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n]))); err == nil {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}
