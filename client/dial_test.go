package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

func TestDialAndRun(t *testing.T) {
	c := newSetup(t, sshtest.Options{}).mustDial(t)
	cmd := c.Command(testContext(t), "cat; echo err >&2; exit 7")
	cmd.Stdin = strings.NewReader("in")
	out, err := cmd.Output()
	var exit *session.ExitError
	if !errors.As(err, &exit) || exit.Status != 7 || string(exit.Stderr) != "err\n" || string(out) != "in" {
		t.Errorf("%q, %v (%+v)", out, err, exit)
	}
	if _, ok := c.Conn().(ssh.Conn); !ok {
		t.Error("no connection below")
	}
}

func TestMisbehavingServer(t *testing.T) {
	for stage, phase := range map[sshtest.Stage]Phase{
		sshtest.StageAccept: PhaseBanner, sshtest.StageVersion: PhaseKex,
		sshtest.StageKex: PhaseKex, sshtest.StageAuth: PhaseAuth,
	} {
		t.Run(fmt.Sprintf("closes at %v", stage), func(t *testing.T) {
			s := newSetup(t, sshtest.Options{Faults: sshtest.Faults{CloseAt: stage}})
			_, err := s.dial(t)
			var broken *ConnError
			if !errors.As(err, &broken) || broken.Phase != phase {
				t.Fatalf("%v (%+v), want the end in phase %v", err, broken, phase)
			}
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("cause %v", err)
			}
		})
		t.Run(fmt.Sprintf("stalls at %v", stage), func(t *testing.T) {
			// As long as a busy machine may take to come to that stage.
			t.Parallel()
			s := newSetup(t, sshtest.Options{Faults: sshtest.Faults{StallAt: stage}}, "ConnectTimeout 3")
			began := time.Now()
			_, err := s.dial(t)
			var broken *ConnError
			var timeout net.Error
			if !errors.As(err, &broken) || broken.Phase != phase || !errors.Is(err, ErrTimeout) ||
				!errors.As(err, &timeout) || !timeout.Timeout() {
				t.Fatalf("%v (%+v), want a time-out in phase %v", err, broken, phase)
			}
			if took := time.Since(began); took < 3*time.Second || took > limit {
				t.Errorf("took %v", took)
			}
		})
		t.Run(fmt.Sprintf("context ends at %v", stage), func(t *testing.T) {
			s := newSetup(t, sshtest.Options{Faults: sshtest.Faults{StallAt: stage}})
			errMine := errors.New("mine")
			ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errMine)
			defer cancel()
			if _, err := Dial(ctx, "sshtest", &s.opts); !errors.Is(err, errMine) {
				t.Errorf("%v, want the context's cause", err)
			}
		})
		t.Run(fmt.Sprintf("silent at %v", stage), func(t *testing.T) {
			s := newSetup(t, sshtest.Options{Faults: sshtest.Faults{StallAt: stage}}, "ServerAliveInterval 1", "ServerAliveCountMax 1")
			if _, err := s.dial(t); !errors.Is(err, keepalive.ErrPeerLost) {
				t.Errorf("%v, want ErrPeerLost", err)
			}
		})
	}
}

func TestDialErrors(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	base := s.opts.ConfigOptions.UserFile
	dial := func(target string, lines ...string) error {
		s.configure(t, base, lines...)
		_, err := Dial(testContext(t), target, &s.opts)
		return err
	}
	var conn *ConnError
	err := dial("sshtest", fmt.Sprintf("Port %d", closedPort(t).Port))
	if !errors.As(err, &conn) || conn.Phase != PhaseConnect || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("closed port: %v", err)
	}
	var resolve *ResolveError // the empty label keeps resolvers from asking anybody
	if err := dial("sshtest", "HostName nosuch..invalid"); !errors.As(err, &resolve) || resolve.Host != "nosuch..invalid" {
		t.Errorf("unknown name: %v", err)
	}
	var target *TargetError
	for _, bad := range []string{"@", "ssh://host:x"} {
		if err := dial(bad); !errors.As(err, &target) {
			t.Errorf("target %q: %v", bad, err)
		}
	}
	if err := dial("sshtest", "UserKnownHostsFile /dev/null", "StrictHostKeyChecking yes"); !errors.Is(err, hostkey.ErrVerification) {
		t.Errorf("unknown host: %v", err)
	}
	var refused *sshconfig.Error
	if err := dial("sshtest", "RefuseConnection \"not today\""); !errors.As(err, &refused) || !strings.Contains(refused.Error(), "RefuseConnection: not today") {
		t.Errorf("RefuseConnection: %v", err)
	}
}

func TestNothingInCommon(t *testing.T) {
	s := newSetup(t, sshtest.Options{Config: ssh.Config{Ciphers: []string{ssh.CipherAES128CTR}}}, "Ciphers aes256-ctr")
	_, err := s.dial(t)
	var negotiation *ssh.AlgorithmNegotiationError
	if !errors.As(err, &negotiation) || negotiation.RequestedAlgorithms[0] != ssh.CipherAES128CTR {
		t.Errorf("%v (%+v)", err, negotiation)
	}
}

func TestHostKeyQuestion(t *testing.T) {
	s := newSetup(t, sshtest.Options{}, "StrictHostKeyChecking ask")
	known := s.write(t, "kh", "")
	s.configure(t, s.opts.ConfigOptions.UserFile, "UserKnownHostsFile "+known)
	answer := false
	s.opts.Prompter = script{hostKey: func(q hostkey.Question) (bool, error) {
		n, ok := q.(hostkey.NewHostQuestion)
		if !ok || n.Fingerprint != ssh.FingerprintSHA256(s.srv.HostKey()) {
			t.Errorf("question %+v", q)
		}
		return answer, nil
	}}
	if _, err := s.dial(t); !errors.Is(err, hostkey.ErrVerification) {
		t.Errorf("refused: %v", err)
	}
	answer = true
	s.mustDial(t)
	s.opts.Prompter = script{} // known now: any question would panic
	s.mustDial(t)
}

func TestRekey(t *testing.T) {
	// A tiny limit makes many key exchanges; the host key is checked at each
	// and must be asked for at none.
	s := newSetup(t, sshtest.Options{Config: ssh.Config{RekeyThreshold: 4096}}, "RekeyLimit 4K", "StrictHostKeyChecking ask", "UserKnownHostsFile /dev/null")
	questions := 0
	s.opts.Prompter = script{hostKey: func(hostkey.Question) (bool, error) { questions++; return true, nil }}
	c := s.mustDial(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 512<<10)
	cmd := c.Command(testContext(t), "cat")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil || !bytes.Equal(out, data) {
		t.Fatalf("%d bytes of %d, %v", len(out), len(data), err)
	}
	if questions != 1 {
		t.Errorf("asked %d times", questions)
	}
	c.d.keys.mu.Lock()
	defer c.d.keys.mu.Unlock()
	if c.d.keys.exchanges < 3 {
		t.Errorf("%d key exchanges, want several", c.d.keys.exchanges)
	}
}

func TestProxyCommand(t *testing.T) {
	if _, err := exec.LookPath("nc"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("nc is not installed")
		}
		t.Skip("SKIPPED: nc is not installed")
	}
	s := newSetup(t, sshtest.Options{}, "ProxyCommand nc %h %p")
	c := s.mustDial(t)
	if out, err := c.Command(testContext(t), "echo hi").Output(); err != nil || string(out) != "hi\n" {
		t.Errorf("%q, %v", out, err)
	}
	if host, port := c.PeerAddress(); host != "UNKNOWN" || port != 65535 {
		t.Errorf("peer %s:%d", host, port)
	}
	proc := c.NetConn().(*commandConn)
	c.Close()
	if err := proc.cmd.Process.Signal(syscall.Signal(0)); err == nil {
		t.Error("the proxy command is still there")
	}
}

func TestProxyCommandThatEnds(t *testing.T) {
	s := newSetup(t, sshtest.Options{}, "ProxyCommand true")
	_, err := s.dial(t)
	var broken *ConnError
	if !errors.As(err, &broken) || broken.Phase != PhaseBanner || broken.Address != "UNKNOWN" {
		t.Errorf("%v (%+v)", err, broken)
	}
}

func TestJump(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	hop := sshtest.NewServer(t, nil)
	files, err := hop.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// The target is reachable by its name on the hop's side alone.
	s.configure(t, s.opts.ConfigOptions.UserFile,
		"Match originalhost hop", "HostName 127.0.0.1", fmt.Sprintf("Port %d", hop.Port()), "User test",
		"IdentityFile "+files.Identity, "UserKnownHostsFile "+files.KnownHosts, "Match originalhost sshtest", "ProxyJump hop", "Match all")
	c := s.mustDial(t)
	if out, err := c.Command(testContext(t), "echo through").Output(); err != nil || string(out) != "through\n" {
		t.Fatalf("%q, %v", out, err)
	}
	if _, err := hop.WaitRecord(testContext(t), sshtest.Open, "direct-tcpip"); err != nil {
		t.Fatal(err)
	}
	conn, err := hop.WaitConn(testContext(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	select { // the hop goes with its target
	case <-conn.Done():
	case <-testContext(t).Done():
		t.Error("the hop's connection stays")
	}
}

func TestJumpInCircles(t *testing.T) {
	s := newSetup(t, sshtest.Options{}, "Host a b", "ProxyJump b", "Host *")
	if _, err := Dial(testContext(t), "a", &s.opts); err == nil {
		t.Error("a connection came of it")
	}
}

func TestEndIsTold(t *testing.T) {
	t.Run("by us", func(t *testing.T) {
		c := newSetup(t, sshtest.Options{}).mustDial(t)
		cmd := c.Command(testContext(t), "sleep 100")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c.Close()
		<-c.Done()
		if !errors.Is(c.Err(), ErrClosed) {
			t.Errorf("Err %v", c.Err())
		}
		if err := cmd.Wait(); !errors.Is(err, ErrClosed) {
			t.Errorf("Wait %v", err)
		}
		_, err := c.DialContext(testContext(t), "tcp", "127.0.0.1:1")
		if !errors.Is(err, ErrClosed) || strings.Count(err.Error(), ErrClosed.Error()) != 1 {
			t.Errorf("DialContext over a closed connection: %v", err)
		}
	})
	t.Run("by the server", func(t *testing.T) {
		s := newSetup(t, sshtest.Options{})
		c := s.mustDial(t)
		cmd := c.Command(testContext(t), "sleep 100")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		conn, err := s.srv.WaitConn(testContext(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		conn.Kill()
		var broken *ConnError
		if err := cmd.Wait(); !errors.As(err, &broken) || broken.Phase != PhaseConnected {
			t.Errorf("Wait %v", err)
		}
		if !errors.As(c.Wait(), &broken) {
			t.Errorf("Err %v", c.Err())
		}
	})
}

func TestNetConnThroughServer(t *testing.T) {
	c := newSetup(t, sshtest.Options{}).mustDial(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the connection
		if conn, err := l.Accept(); err == nil {
			io.Copy(conn, conn)
			conn.Close()
		}
	}()
	conn, err := c.DialContext(testContext(t), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "there and back")
	buf := make([]byte, 14)
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "there and back" {
		t.Errorf("%q, %v", buf, err)
	}
}

func TestEscapeHatch(t *testing.T) {
	c := newSetup(t, sshtest.Options{}).mustDial(t)
	s, err := c.SSH().NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Output("echo plain x/crypto")
	if err != nil || string(out) != "plain x/crypto\n" {
		t.Errorf("%q, %v", out, err)
	}
	c.Close()
	if err := c.SSH().Wait(); err == nil {
		t.Error("the x/crypto client lives on")
	}
}

func TestUnknownChannelTypeIsRejected(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	s.mustDial(t)
	conn, err := s.srv.WaitConn(testContext(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	var refused *ssh.OpenChannelError
	if _, _, err := conn.SSH.OpenChannel("surprise", nil); !errors.As(err, &refused) || refused.Reason != ssh.UnknownChannelType {
		t.Errorf("%v, want a refusal", err)
	}
	if ok, _, err := conn.SSH.SendRequest("keepalive@openssh.com", true, nil); ok || err != nil {
		t.Errorf("the server's keepalive: %v, %v; want failure", ok, err)
	}
}

func TestVersionAddendum(t *testing.T) {
	s := newSetup(t, sshtest.Options{}, "VersionAddendum from-here")
	s.mustDial(t)
	conn, err := s.srv.WaitConn(testContext(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(conn.SSH.ClientVersion()); got != DefaultClientVersion+" from-here" {
		t.Errorf("client version %q", got)
	}
}

func TestWarnWeakCrypto(t *testing.T) {
	weak := sshtest.Options{Config: ssh.Config{KeyExchanges: []string{ssh.KeyExchangeCurve25519}}}
	for line, want := range map[string]bool{"": true, "WarnWeakCrypto yes": true, "WarnWeakCrypto no": false, "WarnWeakCrypto no-pq-kex": false,
		"KexAlgorithms curve25519-sha256": false} {
		s := newSetup(t, weak, line)
		s.mustDial(t)
		if e, ok := hasEvent[WeakKeyExchange](s); ok != want {
			t.Errorf("%q: warned %v (%+v)", line, ok, e)
		}
	}
	s := newSetup(t, sshtest.Options{}, "WarnWeakCrypto yes")
	s.mustDial(t)
	if _, ok := hasEvent[WeakKeyExchange](s); ok {
		t.Error("warned of a post-quantum key exchange")
	}
}
