//go:build linux

package integration_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// verboseGroups returns patterns of the lines of -v that both programs print.
// The lines of a group come in the same order. ssh asks for remote forwardings
// while it opens the session, so these are two groups.
func verboseGroups() [][]string {
	return [][]string{
		{
			`Connecting to `, `Connection established`, `connect to address `, `Executing proxy command: `,
			`Local version string SSH-2\.0-`, `Remote protocol version `, `Authenticating to `,
			`SSH2_MSG_KEXINIT (sent|received)`, `Server host key: `, `Host '.*' is known and matches`, `Found key in `,
			`SSH2_MSG_NEWKEYS (sent|received)`, `SSH2_MSG_SERVICE_ACCEPT received`,
			`Authentications that can continue: `, `Next authentication method: `, `Offering public key: `, `Server accepts key: `,
			`No more authentication methods`,
			`Local connections to `, `Local forwarding listening on `, `channel \d+: new (port|unix)-listener`,
			`channel_connect_stdio_fwd: `, `channel \d+: new (session|stdio-forward|mux listener)`, `Entering interactive session`,
			`setting up multiplex master socket`,
			`Sending environment`, `channel \d+: setting env `, `Sending (command|subsystem): `,
			`client_input_channel_req: channel \d+ rtype exit-`, `channel \d+: free: (client-session|(port|unix) listener)`,
			`stdio forwarding: done`, `Exit status `,
		},
		{`kex: (algorithm|host key algorithm): `, `kex: (server->client|client->server) cipher: `},
		{`identity file .*ed25519 type `},
		{`Remote connections from `, `remote forward (success|failure) for: `, `Updating allowed port `, `multiplexing control connection`,
			`channel \d+: new mux-control`, `channel \d+: free: mux-control`, `Sending (command|subsystem): `},
		{`Connection to port .* requested`, `channel \d+: new (direct|dynamic)-`, `channel \d+: free: direct-`},
		{`client_input_channel_open: ctype forwarded`, `client_request_forwarded_`, `channel \d+: new forwarded-`, `confirm forwarded`,
			`channel \d+: connected to `, `channel \d+: free: (127|forwarded)`},
		{`client_input_global_request: rtype hostkeys-00@openssh.com want_reply 0`},
		{`Requesting no-more-sessions@openssh.com`},
		{`Requesting X11 forwarding`, `Sending (command|subsystem): `},
		{`Executing command: `}, // none here: ssh prints that of LocalCommand at -vvv
	}
}

// verboseLines returns the lines of a group without what may differ: the name
// of the program, ports that the system chose, algorithms, and the number of
// channels.
func verboseLines(output string, patterns []string) (lines []string) {
	group := regexp.MustCompile(`^debug1: (` + strings.Join(patterns, "|") + `)`)
	varies := regexp.MustCompile(`(Local version string SSH-2\.0-|kex: algorithm: | cipher: | type ).*`)
	number := regexp.MustCompile(`(nchannels|allowed port|connect from 127\.0\.0\.1 port|originator 127\.0\.0\.1 port) \d+`)
	for line := range strings.Lines(strings.ReplaceAll(output, "\r", "")) {
		line = strings.TrimSuffix(line, "\n")
		if group.MatchString(line) {
			line, _, _ = strings.Cut(line, " rchan ") // known to x/crypto alone
			lines = append(lines, number.ReplaceAllString(varies.ReplaceAllString(line, "$1"), "$1 N"))
		}
	}
	return lines
}

// sameVerbose compares the output of -v of two programs.
func sameVerbose(t *testing.T, what, got, want string) {
	t.Helper()
	some := false
	for _, group := range verboseGroups() {
		ours, theirs := verboseLines(got, group), verboseLines(want, group)
		some = some || len(theirs) > 0
		if !slices.Equal(ours, theirs) {
			t.Errorf("%s:\n%s\n\nssh:\n%s", what, strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
		}
	}
	if !some {
		t.Errorf("%s: ssh says nothing:\n%s", what, want)
	}
}

// TestVerboseLikeSSH: tools wait for lines of -v that say what is ready, so they
// come in ssh's words and order, with its numbers of channels.
func TestVerboseLikeSSH(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	w := withSSHD(t, opensshd.Options{Extra: "AcceptEnv FOO\nX11Forwarding yes\n"})
	w.setenv("FOO=bar", "DISPLAY=:77")
	target, targetPort := shortAnswer(t)
	socket := filepath.Join(w.home, "s")
	get := "curl -s http://127.0.0.1:PORT; true"
	for _, line := range []string{
		"sshd|true", "sshd|exit 3", "sshd|kill -9 $$", "-s|sshd|sftp", "-tt|sshd|echo",
		"-W|TARGET|sshd", "-W|127.0.0.1:CLOSED|sshd",
		"-L|PORT:TARGET|sshd|" + get, "-L|127.0.0.1:PORT:TARGET|sshd|" + get, "-L|*:PORT:TARGET|sshd|true", "-g|-L|PORT:TARGET|sshd|true",
		"-L|:PORT:TARGET|sshd|true", "-L|localhost:PORT:localhost:TARGETPORT|sshd|true", "-L|PORT:127.0.0.1:CLOSED|sshd|" + get,
		"-L|SOCKET:TARGET|sshd|rm -f SOCKET", "-L|PORT:/no/such|sshd|" + get, "-L|SOCKET:/no/such|sshd|rm -f SOCKET",
		"-D|PORT|sshd|curl -s -x socks5://127.0.0.1:PORT http://TARGET; true", "-D|127.0.0.1:PORT|sshd|true",
		"-R|PORT:TARGET|sshd|" + get, "-R|127.0.0.1:PORT:TARGET|sshd|true", "-R|:PORT:TARGET|sshd|true", "-R|*:PORT:TARGET|sshd|true",
		"-R|0:TARGET|sshd|true", "-R|0|sshd|true", "-R|PORT|sshd|true", "-R|PORT:/no/such|sshd|true",
		"-R|/no/such/s:TARGET|sshd|true", "-R|SOCKET:TARGET|sshd|rm -f SOCKET",
		"-L|PORT:TARGET|-R|0:TARGET|-D|127.0.0.1:OTHER|sshd|true",
		"-o|SendEnv=FOO|-o|SetEnv=X=y|sshd|true",
		"-Y|-o|XAuthLocation=/no/such|sshd|true",
		"-l|nosuch|sshd|true", "-p|CLOSED|sshd|true",
		"-o|PermitLocalCommand=yes|-o|LocalCommand=true|sshd|true",
	} {
		words := strings.NewReplacer("TARGETPORT", targetPort, "TARGET", target, "PORT", fmt.Sprint(closedPort(t)),
			"OTHER", fmt.Sprint(closedPort(t)), "CLOSED", "1", "SOCKET", socket).Replace(line)
		args := append([]string{"-v"}, strings.Split(words, "|")...)
		sameVerbose(t, line, w.run(w.gossh(args...)).stderr, w.run(w.ssh(args...)).stderr)
	}
}

// shortAnswer starts an HTTP service that answers every request and closes the
// connection.
func shortAnswer(t *testing.T) (address, port string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, ln, func(c net.Conn) {
		c.Read(make([]byte, 4096))
		io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
	})
	_, port, err = net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String(), port
}

// TestVerboseReady: a tool may use a forwarding as soon as it has read that it
// listens.
func TestVerboseReady(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	target := greeter(t, "hello")
	local, remote := closedPort(t), closedPort(t)
	for _, c := range []struct {
		args []string
		line string
		port int
	}{
		{[]string{"-L", fmt.Sprintf("127.0.0.1:%d:%s", local, target)},
			fmt.Sprintf("debug1: Local forwarding listening on 127.0.0.1 port %d.", local), local},
		{[]string{"-R", fmt.Sprintf("127.0.0.1:%d:%s", remote, target)},
			fmt.Sprintf("debug1: remote forward success for: listen 127.0.0.1:%d, connect %s", remote, target), remote},
	} {
		cmd := w.gossh(append([]string{"-v", "-N", "sshd"}, c.args...)...)
		errs, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for strings.TrimSuffix(readLine(t, errs), "\r") != c.line {
		}
		visit(t, "tcp", fmt.Sprintf("127.0.0.1:%d", c.port), "hello")
		go io.Copy(io.Discard, errs) // ends with the program
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// TestVerboseMaster: a master says of its clients' requests what ssh's says.
func TestVerboseMaster(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	target, port := greeter(t, "hello"), closedPort(t)
	lines := []string{
		`Local forwarding listening on `, `channel \d+: new (port-listener|session)`, `mux_confirm_remote_forward: success for: `,
		`Allocated port \d+ for mux`, `Updating allowed port `, `Sending (command|subsystem): `,
		`client_input_channel_req: channel \d+ rtype exit-`, `channel \d+: free: (client-session|port listener)`,
	}
	said := func(program string) []string {
		m := w.master(program, "-v")
		m.control("forward", "-L", fmt.Sprintf("127.0.0.1:%d:%s", port, target))
		m.control("cancel", "-L", fmt.Sprintf("127.0.0.1:%d:%s", port, target))
		m.control("forward", "-R", fmt.Sprintf("127.0.0.1:%d:%s", port, target))
		m.control("forward", "-R", "0:"+target)
		m.run("exit 3")
		m.run("sftp", "-s")
		m.control("exit")
		<-m.ended
		numbers := regexp.MustCompile(`(channel|Allocated port) \d+`) // ssh counts the clients too
		var out []string
		for _, line := range verboseLines(m.stderr(), lines) {
			out = append(out, numbers.ReplaceAllString(line, "$1 N"))
		}
		return out
	}
	if got, want := said(gosshPath), said("ssh"); !slices.Equal(got, want) || len(want) < 12 {
		t.Errorf("got\n%s\n\nssh:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
