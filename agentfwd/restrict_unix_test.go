//go:build !windows

package agentfwd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// network is a few hosts, each an sshd -i of this machine, and a user's key.
// Hosts a, b and c have plain host keys; d has a certificate.
type network struct {
	dir, knownHosts, userKey, sshConfig string
	user                                string
}

// newNetwork makes keys and configurations, as OpenSSH's own agent-restrict
// test does.
func newNetwork(t *testing.T) *network {
	t.Helper()
	sshd := needProgram(t, "sshd")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	n := &network{dir: shortDir(t), user: me.Username}
	n.knownHosts, n.userKey, n.sshConfig = n.file("known_hosts"), n.file("user"), n.file("ssh_config")
	for _, name := range []string{"host_a", "host_b", "host_c", "host_d", "ca", "user"} {
		run(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", n.file(name))
	}
	run(t, "", "ssh-keygen", "-q", "-s", n.file("ca"), "-I", "host_d", "-n", "host_d", "-h", n.file("host_d.pub"))
	var known, config strings.Builder
	for _, host := range []string{"host_a", "host_b", "host_c", "host_d"} {
		sshdConfig := fmt.Sprintf("HostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nPidFile none\nPermitRootLogin yes\nMaxSessions 20\nKexAlgorithms +diffie-hellman-group-exchange-sha256\n",
			n.file(host), n.file("user.pub"))
		if host == "host_d" {
			sshdConfig += "HostCertificate " + n.file("host_d-cert.pub") + "\n"
		} else {
			known.WriteString(host + " " + n.read(t, host+".pub"))
		}
		n.write(t, "sshd_"+host, sshdConfig)
		fmt.Fprintf(&config, "Host %s\n  HostKeyAlias %s\n  ProxyCommand %s -i -f %s\n", host, host, sshd, n.file("sshd_"+host))
	}
	known.WriteString("@cert-authority host_d " + n.read(t, "ca.pub"))
	fmt.Fprintf(&config, "Host *\n  BatchMode yes\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n  IdentityFile none\n  User %s\n", n.knownHosts, n.user)
	n.write(t, "known_hosts", known.String())
	n.write(t, "ssh_config", config.String())
	if out, err := exec.Command(sshd, "-t", "-f", n.file("sshd_host_a")).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("sshd cannot run: %v\n%s", err, out)
		}
		t.Skipf("sshd cannot run: %v\n%s", err, out)
	}
	return n
}

func (n *network) file(name string) string { return filepath.Join(n.dir, name) }

func (n *network) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(n.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (n *network) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(n.file(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// agentWith starts an agent with the user's key under those constraints.
func (n *network) agentWith(t *testing.T, constraints ...string) (socket string) {
	t.Helper()
	socket = startAgent(t)
	args := []string{"-q", "-H", n.knownHosts}
	for _, c := range constraints {
		args = append(args, "-h", c)
	}
	run(t, socket, "ssh-add", append(args, n.userKey)...)
	return socket
}

// serve runs an sshd on one end of a socket and returns the other.
func (n *network) serve(t *testing.T, host string) net.Conn {
	t.Helper()
	near, far := socketPair(t)
	defer far.Close()
	file, err := far.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var log bytes.Buffer
	cmd := exec.Command(needProgram(t, "sshd"), "-i", "-e", "-f", n.file("sshd_"+host))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		near.Close()
		cmd.Wait()
		if t.Failed() {
			t.Logf("sshd of %s:\n%s", host, log.String())
		}
	})
	return near
}

// login connects with the keys of an agent.
type login struct {
	client   *ssh.Client
	observer *KexObserver
	listed   int // keys that the agent showed
}

// connect logs in to a host; bind says whether the agent is told which.
func (n *network) connect(t *testing.T, host, socket string, bind bool, algorithms ssh.Config) (*login, error) {
	t.Helper()
	l := &login{observer: ObserveKex(n.serve(t, host))}
	agentConn := connect(t, socket, nil)
	config := &ssh.ClientConfig{Config: algorithms, User: n.user, HostKeyCallback: ssh.InsecureIgnoreHostKey()}
	if host == "host_d" {
		config.HostKeyAlgorithms = []string{ssh.CertAlgoED25519v01}
	}
	config.AuthCallback = func(ctx *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		if slices.Contains(ctx.TriedMethods, "publickey") {
			return nil, nil
		}
		if bind {
			binding, err := l.observer.Binding(ctx.Metadata.SessionID())
			if err != nil {
				return nil, err
			}
			if err := agentConn.Bind(t.Context(), binding, false); err != nil {
				return nil, err
			}
		}
		signers, err := agentConn.Signers(t.Context())
		if err != nil {
			return nil, err
		}
		l.listed = len(signers)
		return ssh.PublicKeysCallback(func() (out []ssh.Signer, err error) {
			for _, s := range signers {
				out = append(out, s)
			}
			return out, nil
		}), nil
	}
	conn, chans, reqs, err := ssh.NewClientConn(l.observer, host, config)
	if err != nil {
		return l, err
	}
	l.client = ssh.NewClient(conn, chans, reqs)
	t.Cleanup(func() { l.client.Close() })
	return l, nil
}

func TestRestrictedKeySignsForItsHostAlone(t *testing.T) {
	n := newNetwork(t)
	gex := ssh.Config{KeyExchanges: []string{ssh.KeyExchangeDHGEXSHA256}}
	for _, test := range []struct {
		host, constraint string
		kex              ssh.Config
	}{
		{"host_a", "host_a", ssh.Config{}},
		{"host_a", "host_a", gex},
		{"host_d", "host_d", ssh.Config{}}, // known by its certificate authority
	} {
		socket := n.agentWith(t, test.constraint)
		if l, err := n.connect(t, test.host, socket, true, test.kex); err != nil || l.listed != 1 {
			t.Errorf("%s, bound: %d keys listed, error %v", test.host, l.listed, err)
		}
		l, err := n.connect(t, "host_b", socket, true, test.kex)
		if err == nil || l.listed != 0 {
			t.Errorf("%s's key at host_b: %d keys listed, error %v", test.host, l.listed, err)
		}
		l, err = n.connect(t, test.host, socket, false, test.kex)
		if l.listed != 1 || !errors.Is(err, ErrRefused) || !errors.As(err, new(*SignError)) {
			t.Errorf("%s, not bound: %d keys listed, error %v", test.host, l.listed, err)
		}
	}
}

// hop logs in to host_a, forwards the agent, and runs a command there.
func (n *network) hop(t *testing.T, socket string, config ForwarderConfig, bind bool, command string) (string, error) {
	t.Helper()
	l, err := n.connect(t, "host_a", socket, true, ssh.Config{})
	if err != nil {
		t.Fatal(err)
	}
	config.Source = at(socket)
	if bind {
		binding, err := l.observer.Binding(l.client.SessionID())
		if err != nil {
			t.Fatal(err)
		}
		config.Binding = &binding
	}
	f := NewForwarder(config)
	served := make(chan struct{})
	opened := l.client.HandleChannelOpen(ChannelType)
	go func() { // ends with the connection
		defer close(served)
		f.Serve(opened)
	}()
	defer func() {
		l.client.Close()
		<-served
		f.Close()
	}()
	f.Allow()
	session, err := l.client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := agent.RequestAgentForwarding(session); err != nil {
		t.Fatal(err)
	}
	out, err := session.CombinedOutput(command)
	return string(out), err
}

func TestForwardedRestrictedKey(t *testing.T) {
	n := newNetwork(t)
	list := needProgram(t, "ssh-add") + " -L"
	to := func(host string) string {
		return needProgram(t, "ssh") + " -F " + n.sshConfig + " " + host + " echo reached " + host
	}
	tests := []struct {
		name        string
		constraints []string
		unbound     bool
		command     string
		want        string
		fails       bool
	}{
		{"free key is listed", nil, false, list, "ssh-ed25519", false},
		{"free key goes on", nil, false, to("host_b"), "reached host_b", false},
		{"key for host_a stays invisible there", []string{"host_a"}, false, list, "The agent has no identities.", true},
		{"key for host_a goes no further", []string{"host_a"}, false, to("host_b"), "Permission denied", true},
		{"hop allowed", []string{"host_a", "host_a>host_b"}, false, to("host_b"), "reached host_b", false},
		{"hop allowed to a certificate", []string{"host_a", "host_a>host_d"}, false, to("host_d"), "reached host_d", false},
		{"hop not allowed", []string{"host_a", "host_a>host_b"}, false, to("host_c"), "Permission denied", true},
		{"host allowed from here alone", []string{"host_a", "host_b"}, false, to("host_b"), "Permission denied", true},
		// The remote ssh's own binding must not pass for one from here.
		{"not bound, host allowed from here", []string{"host_a", "host_b"}, true, to("host_b"), "Permission denied", true},
		{"not bound, free key", nil, true, to("host_b"), "reached host_b", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			socket := n.agentWith(t, test.constraints...)
			out, err := n.hop(t, socket, ForwarderConfig{}, !test.unbound, test.command)
			if !strings.Contains(out, test.want) || (err != nil) != test.fails {
				t.Errorf("error %v, output:\n%s", err, out)
			}
		})
	}
}

func TestForwardedHopUnderPolicy(t *testing.T) {
	n := newNetwork(t)
	socket := n.agentWith(t, "host_a", "host_a>host_b")
	hostB, _, _, _, err := ssh.ParseAuthorizedKey([]byte(n.read(t, "host_b.pub")))
	if err != nil {
		t.Fatal(err)
	}
	for _, agree := range []bool{true, false} {
		log := &useLog{}
		var asked []Use
		policy := &Policy{
			Keys: keySet(t, n.file("user.pub")),
			Log:  log.log,
			Confirm: func(_ context.Context, use Use) (bool, error) {
				asked = append(asked, use)
				return agree, nil
			},
		}
		command := needProgram(t, "ssh") + " -F " + n.sshConfig + " host_b echo reached"
		out, err := n.hop(t, socket, ForwarderConfig{Host: "host_a", Policy: policy}, true, command)
		if (err == nil) != agree || strings.Contains(out, "reached") != agree {
			t.Errorf("agree %v: error %v, output:\n%s", agree, err, out)
		}
		if len(asked) != 1 {
			t.Fatalf("asked %d times", len(asked))
		}
		d := asked[0].Data
		if d.Purpose != PurposeUserAuth || d.User != n.user || d.Method != methodHostBound || d.HostKey == nil ||
			!bytes.Equal(d.HostKey.Marshal(), hostB.Marshal()) || asked[0].Key.Comment != "user" {
			t.Errorf("asked of %+v", asked[0])
		}
		want := map[bool]string{true: "sign done", false: "sign declined"}[agree]
		if got := log.take(); !slices.Equal(got, []string{want}) {
			t.Errorf("log %q", got)
		}
	}
}
