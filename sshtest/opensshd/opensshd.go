// Package opensshd runs a real OpenSSH server for tests:
//
//	srv := opensshd.NewServer(t, nil)
//	out, err := exec.Command("ssh", "-F", srv.Config, "sshd", "uname").Output()
//
// [NewServer] writes a configuration and keys into the test's directory and runs
// `sshd -D -e` on a free loopback port. When the test ends, it kills sshd and all
// processes that sshd has started. [Prepare] writes the files only; [Server.Dial]
// then runs `sshd -i` on one end of a socket pair and returns the other.
//
// If OpenSSH is not installed, the test is skipped, or fails if the environment has
// CI=true.
package opensshd

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// startTimeout is how long sshd may take until it listens.
const startTimeout = time.Minute

// Options configure a server. With the zero value the user who runs the test may
// log in, with a new ed25519 key.
type Options struct {
	// Extra are lines of sshd_config. sshd takes the first value of most
	// keywords, and these come first; a Match block may end them. Without a
	// SetEnv among them, sessions have an empty home folder, so that tests do not
	// depend on what the start-up files of the user's shell do.
	Extra string

	// HostKeys are formats for sshtest.NewKey. Empty: ssh-ed25519.
	HostKeys []string

	// AuthorizedKeys are lines of authorized_keys beside the one of ClientKey.
	AuthorizedKeys string
}

// Server is an sshd that runs, or that is ready to run.
type Server struct {
	Sshd string // the path of sshd
	Dir  string // the directory of all files
	User string // the user who may log in

	Addr string // host:port; empty after Prepare
	Port int
	PID  int // of the daemon

	ClientKey      string // path of the identity, without passphrase; .pub is beside it
	KnownHosts     string // path; the server is named "sshd" in it, by HostKeyAlias
	Config         string // path of an ssh_config for -F, with Host sshd
	SshdConfig     string // path
	AuthorizedKeys string // path
	HostKeys       []ssh.PublicKey

	tb  testing.TB
	log *output
}

// Find returns the absolute path of sshd, as sshd requires it.
func Find() (string, error) {
	path, err := exec.LookPath("sshd")
	if err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/lib/openssh", "/usr/lib/ssh", "/opt/homebrew/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, "sshd")); err == nil {
			return path, nil
		}
	}
	return "", err
}

// NewServer starts a daemon that runs until the test ends. A nil o is the same as
// the zero Options.
func NewServer(tb testing.TB, o *Options) *Server {
	tb.Helper()
	s := Prepare(tb, o)
	// A free port may be taken before sshd binds it: try another then.
	for range 5 {
		err := s.startDaemon()
		if err == nil {
			return s
		}
		if !strings.Contains(s.Log(), "Address already in use") {
			tb.Fatalf("start sshd: %v\n%s", err, s.Log())
		}
	}
	tb.Fatalf("start sshd: no free port\n%s", s.Log())
	return nil
}

// Prepare writes the files of a server and starts no daemon; see [Server.Dial].
func Prepare(tb testing.TB, o *Options) *Server {
	tb.Helper()
	var opts Options
	if o != nil {
		opts = *o
	}
	sshd, err := Find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("OpenSSH's sshd is not installed: %v", err)
		}
		tb.Skipf("OpenSSH's sshd is not installed: %v", err)
	}
	u, err := user.Current()
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	s := &Server{
		Sshd: sshd, Dir: dir, User: u.Username, tb: tb, log: newOutput(),
		ClientKey:      filepath.Join(dir, "id_ed25519"),
		KnownHosts:     filepath.Join(dir, "known_hosts"),
		Config:         filepath.Join(dir, "ssh_config"),
		SshdConfig:     filepath.Join(dir, "sshd_config"),
		AuthorizedKeys: filepath.Join(dir, "authorized_keys"),
	}
	if err := s.writeFiles(opts); err != nil {
		tb.Fatalf("prepare sshd: %v", err)
	}
	if os.Geteuid() == 0 {
		// Debian's sshd wants its empty folder and leaves making it to the
		// service manager. If this fails sshd says so better.
		os.MkdirAll("/run/sshd", 0o755)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("sshd's log:\n%s", s.Log())
		}
	})
	return s
}

func (s *Server) writeFiles(opts Options) error {
	pub, err := writeKey(s.ClientKey, ssh.KeyAlgoED25519)
	if err != nil {
		return err
	}
	formats := opts.HostKeys
	if len(formats) == 0 {
		formats = []string{ssh.KeyAlgoED25519}
	}
	var hostKeyLines, knownHosts strings.Builder
	for _, format := range formats {
		path := filepath.Join(s.Dir, "host_"+format)
		hk, err := writeKey(path, format)
		if err != nil {
			return err
		}
		s.HostKeys = append(s.HostKeys, hk)
		fmt.Fprintf(&hostKeyLines, "HostKey %q\n", path)
		fmt.Fprintf(&knownHosts, "sshd %s", ssh.MarshalAuthorizedKey(hk))
	}
	// Global lines may not stand behind a Match block, which Extra may end
	// with: Extra's own part is put first by what precedes Match.
	global, match := splitMatch(opts.Extra)
	config := global + hostKeyLines.String() +
		"StrictModes no\nUsePAM no\nPasswordAuthentication no\nLogLevel VERBOSE\n" +
		fmt.Sprintf("AuthorizedKeysFile %q\nPidFile none\n", s.AuthorizedKeys)
	if sftp := findSFTPServer(); sftp != "" && !strings.Contains(opts.Extra, "Subsystem") {
		config += "Subsystem sftp " + sftp + "\n"
	}
	if !strings.Contains(opts.Extra, "SetEnv") { // sshd takes one
		home := filepath.Join(s.Dir, "home")
		if err := os.MkdirAll(home, 0o700); err != nil {
			return err
		}
		config += fmt.Sprintf("SetEnv HOME=%q\n", home)
	}
	for path, content := range map[string]string{
		s.SshdConfig:     config + match,
		s.KnownHosts:     knownHosts.String(),
		s.AuthorizedKeys: string(ssh.MarshalAuthorizedKey(pub)) + opts.AuthorizedKeys,
		s.Config:         s.ConfigText(),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// splitMatch splits sshd_config lines before the first Match.
func splitMatch(lines string) (global, match string) {
	for line := range strings.Lines(lines) {
		if match != "" || strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "match") {
			match += line
		} else {
			global += line
		}
	}
	if global != "" && !strings.HasSuffix(global, "\n") {
		global += "\n"
	}
	return global, match
}

// findSFTPServer looks beside the places of sshd.
func findSFTPServer() string {
	for _, path := range []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server",
		"/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

func writeKey(path, format string) (ssh.PublicKey, error) {
	key, err := sshtest.NewKey(format)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "opensshd")
	if err != nil {
		return nil, err
	}
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return pub, os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(pub), 0o600)
}

// ConfigText is the content of Config: with it ssh and gossh reach the server
// under the name "sshd", and read nothing outside Dir. After Prepare it goes
// through `sshd -i` by ProxyCommand.
func (s *Server) ConfigText() string {
	var b strings.Builder
	b.WriteString("Host sshd\n  HostKeyAlias sshd\n")
	if s.Port != 0 {
		fmt.Fprintf(&b, "  HostName 127.0.0.1\n  Port %d\n", s.Port)
	} else {
		fmt.Fprintf(&b, "  ProxyCommand %s\n", s.InetdCommand())
	}
	fmt.Fprintf(&b, "  User %s\n  IdentityFile %q\n  IdentitiesOnly yes\n  IdentityAgent none\n  BatchMode yes\n", s.User, s.ClientKey)
	fmt.Fprintf(&b, "  UserKnownHostsFile %q\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n", s.KnownHosts)
	return b.String()
}

// InetdCommand is the shell command that serves one connection on its
// standard input and output.
func (s *Server) InetdCommand() string {
	return fmt.Sprintf("'%s' -i -q -f '%s'", s.Sshd, s.SshdConfig)
}

// startDaemon runs sshd on a free port and waits until it listens.
func (s *Server) startDaemon() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Addr, s.Port = ln.Addr().String(), ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	cmd := exec.Command(s.Sshd, "-D", "-e", "-f", s.SshdConfig,
		"-o", "ListenAddress=127.0.0.1", "-o", fmt.Sprintf("Port=%d", s.Port))
	cmd.Stdout, cmd.Stderr = s.log, s.log
	mark := len(s.Log())
	stop, exited, err := s.run(cmd, s.Port)
	if err != nil {
		return err
	}
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	for {
		changed := s.log.next()
		if strings.Contains(s.Log()[mark:], fmt.Sprintf("listening on 127.0.0.1 port %d", s.Port)) {
			s.PID = cmd.Process.Pid
			s.tb.Cleanup(stop)
			return os.WriteFile(s.Config, []byte(s.ConfigText()), 0o600)
		}
		select {
		case <-changed:
		case <-exited:
			return errors.New("it ended at once")
		case <-timer.C:
			stop()
			return errors.New("it does not listen")
		}
	}
}

// run starts cmd. stop kills it with all its descendants and waits. port is the
// port on which it listens, or zero.
func (s *Server) run(cmd *exec.Cmd, port int) (stop func(), exited <-chan struct{}, err error) {
	// A descendant that outlives the tree may hold the pipe of the log.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	done := make(chan struct{})
	go func() { // ends with the process
		cmd.Wait()
		close(done)
	}()
	return func() {
		select {
		case <-done: // its pid may be another's by now
		default:
			killTree(cmd.Process.Pid, port)
			<-done
		}
	}, done, nil
}

// Dial runs `sshd -i` for one connection and returns the client's end. The
// process ends with the connection, or with the test.
func (s *Server) Dial() (net.Conn, error) {
	nc, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command(s.Sshd, "-i", "-e", "-f", s.SshdConfig)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, s.log
	stop, _, err := s.run(cmd, 0)
	if err != nil {
		nc.Close()
		return nil, err
	}
	s.tb.Cleanup(func() {
		nc.Close()
		stop()
	})
	return nc, nil
}

// Log returns what sshd has written so far (at LogLevel VERBOSE, unless
// Options.Extra sets another).
func (s *Server) Log() string {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.buf.String()
}

// WaitLog waits up to a minute for text in the log, and fails the test if it
// does not appear.
func (s *Server) WaitLog(text string) {
	s.tb.Helper()
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	for {
		changed := s.log.next()
		if strings.Contains(s.Log(), text) {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			s.tb.Fatalf("sshd does not log %q", text)
		}
	}
}

// output collects the log and wakes goroutines that wait for more.
type output struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.buf.Write(p)
}

func (o *output) next() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}
