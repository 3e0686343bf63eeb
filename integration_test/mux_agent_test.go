//go:build linux

package integration_test

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// mine is the option with which a client brings its own agent.
const mine = "MuxAgent=client"

// withTwoAgents returns a master whose agent holds the key "masters", and
// clients whose agent holds the key "clients". The server accepts both.
func withTwoAgents(t *testing.T, program string, options ...string) (*world, *muxMaster) {
	t.Helper()
	w := withSSHD(t, opensshd.Options{})
	clients := w.keygen("clients", "-t", "ed25519")
	w.agent(w.keygen("masters", "-t", "ed25519"))
	w.authorize(w.read("masters.pub"), w.read("clients.pub"))
	w.pre = []string{"-F", w.anyKey("IdentityFile " + w.srv.ClientKey)}
	m := w.master(program, append([]string{"-A"}, options...)...)
	w.agent(clients)
	return w, m
}

// remoteKeys returns the comments of the keys that a session sees.
const remoteKeys = `ssh-add -l | cut -d " " -f 3`

func (m *muxMaster) wantKeys(want string, options ...string) {
	m.w.t.Helper()
	if o := m.run(remoteKeys, options...); o.status != 0 || strings.TrimSpace(o.stdout) != want {
		m.w.t.Errorf("%q: want the key of %q, got %v", options, want, o)
	}
}

// TestMuxAgent: over a shared connection the server gets the agent of the
// master's user, or that of the client which says so, while that is there.
func TestMuxAgent(t *testing.T) {
	t.Parallel()
	w, m := withTwoAgents(t, gosshPath)
	m.wantKeys("masters", "-A")
	for range 2 {
		m.wantKeys("clients", "-A", "-o", mine)
		m.wantKeys("masters", "-A")
	}
	m.wantKeys("masters", "-A", "-o", "MuxAgent=master")
	if o := w.run(m.client("ssh", "-A", m.host, remoteKeys)); o.stdout != "masters\n" {
		t.Errorf("ssh as client: %v", o)
	}
	// It signs, and knows for which server.
	onward := "ssh -F " + w.anyKey("IdentityFile none", "PreferredAuthentications publickey") + " -i " +
		w.path("clients.pub") + " -o IdentitiesOnly=yes sshd echo onward"
	m.run(onward, "-A", "-o", mine).want(t, 0, "onward\n", silent())
	if o := m.run(onward, "-A"); o.status != 255 {
		t.Errorf("the client's key with the master's agent: %v", o)
	}

	// A channel does not say whose it is: while a session with an agent lasts,
	// that is the one of all sessions.
	session := m.client(gosshPath, "-A", "-o", mine, m.host, "echo up; cat")
	in, out := startPiped(t, session)
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	m.wantKeys("clients", "-A")
	in.Close()
	io.Copy(io.Discard, lines)
	if err := session.Wait(); err != nil {
		t.Error(err)
	}
	m.wantKeys("masters", "-A")
	if o := w.run(m.client(gosshPath, "-A", "-o", mine, "-O", "proxy", m.host, remoteKeys)); o.stdout != "clients\n" {
		t.Errorf("-O proxy: %v", o)
	}
	// In proxy mode it is the client that has to be gone, not its session.
	eventually(t, "the master's agent again", func() bool { return m.run(remoteKeys, "-A").stdout == "masters\n" })
}

// TestMuxAgentOfSSH: OpenSSH's master forwards its own, whatever clients say.
func TestMuxAgentOfSSH(t *testing.T) {
	t.Parallel()
	_, m := withTwoAgents(t, "ssh")
	for _, whose := range []string{"master", "client"} {
		m.run(remoteKeys, "-A", "-o", "MuxAgent="+whose).want(t, 0, "masters\n", silent())
	}
}

// TestMuxAgentLimits: what the master allows holds for the agents of clients.
func TestMuxAgentLimits(t *testing.T) {
	t.Parallel()
	for _, whose := range []string{"masters", "clients"} {
		_, m := withTwoAgents(t, gosshPath, "-o", "ForwardAgentKeys="+whose)
		for brought, options := range map[string][]string{"masters": {"-A"}, "clients": {"-A", "-o", mine}} {
			o := m.run("ssh-add -l", options...)
			shows := func(key string) bool { return strings.Contains(o.stdout, " "+key+" ") }
			if shows(brought) != (brought == whose) || shows("masters") && shows("clients") {
				t.Errorf("ForwardAgentKeys %s, agent %s: %v", whose, brought, o)
			}
		}
	}
	_, m := withTwoAgents(t, gosshPath, "-a")
	m.run("echo ${SSH_AUTH_SOCK:+forwarded}", "-A", "-o", mine).want(t, 0, "\n", silent())
}

// TestMuxAgentNone: neither side's agent stands in for the other's.
func TestMuxAgentNone(t *testing.T) {
	t.Parallel()
	const forwarded = "echo ${SSH_AUTH_SOCK:+forwarded}"
	w, m := withTwoAgents(t, gosshPath)
	with := w.env
	for _, gone := range []string{"", "/nosuch/agent", w.path("masters.pub"), "relative"} {
		w.env = append(slices.Clone(with), "SSH_AUTH_SOCK="+gone)
		m.run(forwarded, "-A", "-o", mine).want(t, 0, "\n", silent())
	}
	w.env = with
	m.run(forwarded, "-a", "-o", mine).want(t, 0, "\n", silent())
	// sshd gives all sessions the socket that one has asked for. Nobody has
	// asked for the master's agent yet.
	m.wantKeys("clients", "-A", "-o", mine)
	if o := m.run(remoteKeys, "-a"); strings.Contains(o.stdout, "masters") {
		t.Errorf("the master's agent, which was not asked for: %v", o)
	}

	// A master without an agent, and with a session.
	w.env = append(slices.Clone(with), "SSH_AUTH_SOCK=")
	m = &muxMaster{w: w, sock: w.socket(), host: m.host}
	m.start(gosshPath, "-A", "-M", "-tt", "-o", "RemoteCommand=sleep 100")
	m.run(forwarded, "-A").want(t, 0, "\n", silent())
	w.env = with
	m.wantKeys("clients", "-A", "-o", mine)
	if m.pid() != m.cmd.Process.Pid {
		t.Errorf("the master is gone: %v", m.stderr())
	}
}
