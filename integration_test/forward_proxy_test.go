//go:build linux

package integration_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestProxyFdpass: a ProxyCommand that passes its socket back and leaves.
func TestProxyFdpass(t *testing.T) {
	t.Parallel()
	need(t, "nc")
	w := withSSHD(t, opensshd.Options{})
	if !strings.Contains(w.run(w.tool("nc", "-h")).stderr, "-F") {
		t.Skip("this nc passes no descriptors (-F)")
	}
	fdpass := []string{"-o", "ProxyUseFdpass=yes"}
	passed := append(fdpass, "-o", "ProxyCommand=nc -F %h %p")
	w.likeSSH(t, append(passed, "sshd", "cat /nosuch; exit 3"))
	// It is a socket of ours, which is known by its address.
	o := w.run(w.gossh(append(passed, "-v", "sshd", "true")...))
	if !strings.Contains(o.stderr, fmt.Sprintf("Authenticated to 127.0.0.1 ([127.0.0.1]:%d)", w.srv.Port)) {
		t.Errorf("got %v", o)
	}
	cmd := w.gossh(append(passed, "sshd", "sha256sum")...)
	cmd.Stdin = noise(8 << 20)
	w.run(cmd).want(t, 0, countedSum(t, noise(8<<20))+"  -\n", silent())
	for _, command := range []string{"true", "exit 3", "printf x", "echo its own words >&2"} {
		o := w.run(w.gossh(append(fdpass, "-o", "ProxyCommand="+command, "sshd", "true")...))
		if o.status != 255 || !strings.HasSuffix(o.stderr, "proxy dialer did not pass back a connection\r\n") {
			t.Errorf("%s: %v", command, o)
		}
	}
	// One that hangs is bounded by ConnectTimeout.
	o = w.run(w.gossh(append(fdpass, "-o", "ConnectTimeout=1", "-o", "ProxyCommand=sleep 1000", "sshd", "true")...))
	if o.status != 255 || o.took > patience/2 {
		t.Errorf("hanging: %v after %v", o, o.took)
	}
}

// TestProxyStdio: ProxyCommand - connects over standard input and output, be
// they a socket or two pipes, and the session keeps off them.
func TestProxyStdio(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	c, err := net.Dial("tcp", w.srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := c.(*net.TCPConn).File()
	c.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	cmd := w.gossh("-o", "ProxyCommand=-", "sshd", "echo not into the connection; echo by socket >~/said; exit 5")
	cmd.Stdin, cmd.Stdout = socket, socket
	w.run(cmd).want(t, 5, "", silent())
	if got := w.read("said"); got != "by socket\n" {
		t.Errorf("it did %q", got)
	}

	conn, err := net.Dial("tcp", w.srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in, toUs := pipe(t)
	fromUs, out := pipe(t)
	go io.Copy(toUs, conn)   // ends with the connection
	go io.Copy(conn, fromUs) // ends with the program
	cmd = w.gossh("-o", "ProxyCommand=-", "sshd", "echo by pipes >~/said")
	cmd.Stdin, cmd.Stdout = in, out
	w.run(cmd).want(t, 0, "", silent())
	if got := w.read("said"); got != "by pipes\n" {
		t.Errorf("it did %q", got)
	}
}

// pipe returns a pipe that is closed at the end of the test.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// TestWaysToConnect: addresses and interfaces to connect from, families and
// attempts, and what is said where it does not go.
func TestWaysToConnect(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	for _, line := range []string{
		"-b 127.0.0.1 sshd true",
		"-b 127.0.0.5 sshd echo $SSH_CONNECTION | cut -d' ' -f1",
		"-b localhost -4 sshd true",
		"-B lo sshd true",
		"-4 sshd true",
		"-6 sshd true",
		"-6 -o HostName=::1 -p 1 sshd true",
		"-4 -o HostName=::1 sshd true",
		"-o AddressFamily=inet6 sshd true",
		"-o HostName=nosuch..invalid sshd true",
		"-o ConnectionAttempts=2 -p 1 sshd true",
		"-o TCPKeepAlive=no sshd true",
		"-o IPQoS=none sshd true",
		"-o IPQoS=ef,cs1 sshd true",
	} {
		w.likeSSH(t, strings.SplitN(line, " ", strings.Count(line[:strings.Index(line, "sshd")], " ")+2))
	}
	for _, args := range [][]string{{"-b", "192.0.2.1"}, {"-B", "nosuch0"}} {
		o := w.run(w.gossh(append(args, "sshd", "true")...))
		if o.status != 255 || o.stderr == "" {
			t.Errorf("%q: %v", args, o)
		}
	}
	begin := time.Now()
	w.run(w.gossh("-o", "ConnectionAttempts=3", "-p", fmt.Sprint(closedPort(t)), "sshd", "true"))
	if took := time.Since(begin); took < 2*time.Second {
		t.Errorf("three attempts, a second apart, in %v", took)
	}
}

// TestConnectTimeoutEverywhere: a server that is silent behind a proxy command
// or a jump host is given up too.
func TestConnectTimeoutEverywhere(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() }) // connections wait in its queue: no banner ever
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	stall := sshtest.NewServer(t, &sshtest.Options{Faults: sshtest.Faults{StallAt: sshtest.StageKex}})
	for name, args := range map[string][]string{
		"banner":                        {"-p", port, "sshd"},
		"banner behind a proxy command": {"-o", "ProxyCommand=nc 127.0.0.1 " + port, "sshd"},
		"a proxy command that hangs":    {"-o", "ProxyCommand=sleep 1000", "sshd"},
		"banner behind a jump host":     {"-J", "sshd", "-p", port, "127.0.0.1"},
		"the jump host itself":          {"-J", "127.0.0.1:" + port, "sshd"},
		"key exchange":                  {"-p", fmt.Sprint(stall.Port()), "sshd"},
		"key exchange behind a proxy":   {"-o", fmt.Sprintf("ProxyCommand=nc 127.0.0.1 %d", stall.Port()), "sshd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The jump host reads the limit from the file.
			cfg := w.write(strings.ReplaceAll(name, " ", "_"), "ConnectTimeout 2\n"+w.srv.ConfigText())
			o := w.run(w.gossh(append(append([]string{"-F", cfg}, args...), "true")...))
			if o.status != 255 || !strings.Contains(o.stderr, "timed out") || o.took < time.Second || o.took > 20*time.Second {
				t.Errorf("%v after %v", o, o.took)
			}
		})
	}
}

// TestJumpChain: each hop has its own user, port and configuration, by -J and
// by file, and IPv6 addresses in brackets.
func TestJumpChain(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	cfg, first, second := w.hops()
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	relay(t, six, second.Addr)
	_, sixPort, _ := net.SplitHostPort(six.Addr().String())
	// The second hop is known by its IPv6 literal, the key by its name there.
	literal := w.write("literal", fmt.Sprintf("Host ::1\n HostKeyAlias sshd\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile %s\n%s",
		second.ClientKey, second.KnownHosts, w.read("hops")))
	o := w.run(w.gossh("-F", literal, "-J", fmt.Sprintf("%s@first,%s@[::1]:%s", first.User, second.User, sixPort), "sshd", "echo over both"))
	o.want(t, 0, "over both\n", silent())
	first.WaitLog("Accepted publickey for " + first.User)
	second.WaitLog("Accepted publickey for " + second.User)
	// A user of the chain that the hop does not know.
	o = w.run(w.gossh("-F", cfg, "-J", "nobody-here@first", "sshd", "true"))
	if o.status != 255 || !strings.Contains(o.stderr, "nobody-here@127.0.0.1: Permission denied") {
		t.Errorf("got %v", o)
	}
	first.WaitLog("Invalid user nobody-here")
	// The hop's configuration forwards nothing, whatever it says.
	busy := w.write("busy", fmt.Sprintf("Host first\n LocalForward %d a:1\n RemoteCommand exit 9\n RequestTTY force\n%s", taken(t, true), w.read("hops")))
	w.run(w.gossh("-F", busy, "-J", "first", "sshd", "echo through")).want(t, 0, "through\n", silent())
}

// relay passes connections on to another address until the test ends.
func relay(t *testing.T, ln net.Listener, to string) {
	serveOn(t, ln, func(c net.Conn) {
		d, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer d.Close()
		go io.Copy(d, c) // ends with either
		io.Copy(c, d)
	})
}

// TestNoShell: names with a meaning to a shell do not reach one, whatever would
// run it, and are refused as ssh refuses them.
func TestNoShell(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	mark := w.path("reached")
	touch := "; : >" + mark + " #"
	for _, option := range []string{
		"ProxyCommand=: %n %h %r %p; exit 1",
		"KnownHostsCommand=/bin/echo %n %h %r",
		"LocalCommand=: %n %h %r",
	} {
		for _, args := range [][]string{
			{"-l", "user$(:>" + mark + ")", "sshd"},
			{"user" + touch + "@sshd"},
			{"-l", "-oProxyCommand=" + touch, "sshd"},
			{"host$(:>" + mark + ")"},
			{"host" + touch},
			{"-o", "HostName=a" + touch, "sshd"},
			{"--", "-oProxyCommand=" + touch},
			{"`:>" + mark + "`"},
		} {
			all := append([]string{"-o", option, "-o", "PermitLocalCommand=yes", "-o", "HostName=127.0.0.1"}, args...)
			w.likeSSH(t, append(all, "true"))
		}
	}
	exec := w.write("exec", "Match exec \": %n %h %r\"\n  Port 1\n"+w.srv.ConfigText())
	for _, host := range []string{"host$(:>" + mark + ")", "host" + touch} {
		w.likeSSH(t, []string{"-F", exec, host, "true"})
	}
	if matches, _ := filepath.Glob(mark + "*"); len(matches) > 0 {
		t.Errorf("a shell made %q", matches)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a shell was reached")
	}
}
