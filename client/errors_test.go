package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// matches returns a check that an error has a cause of type E.
func matches[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// is returns a check that an error matches all of want.
func is(want ...error) func(error) bool {
	return func(err error) bool {
		for _, w := range want {
			if !errors.Is(err, w) {
				return false
			}
		}
		return true
	}
}

// brokenSigner is a key that signs nothing.
type brokenSigner struct {
	ssh.Signer
	err error
}

func (s brokenSigner) Sign(io.Reader, []byte) (*ssh.Signature, error) { return nil, s.err }

// dialFailure is one way in which a Dial fails.
type dialFailure struct {
	server    sshtest.Options
	lines     []string // of the configuration
	set       func(*setup)
	ctx       context.Context
	phase     Phase
	cause     func(error) bool
	retryable bool
	timeout   bool
}

func dialFailures(t *testing.T, mine error) map[string]dialFailure {
	withPassword := sshtest.Options{Users: []sshtest.User{{Name: sshtest.DefaultUser, Password: "right"}}}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(mine)
	return map[string]dialFailure{
		"configuration": {lines: []string{"RefuseConnection no"}, phase: PhaseConfig, cause: matches[*sshconfig.Error]},
		"no such name":  {lines: []string{"HostName nosuch..invalid"}, phase: PhaseResolve, cause: matches[*ResolveError], retryable: true},
		"refused": {lines: []string{fmt.Sprintf("Port %d", closedPort(t).Port)}, phase: PhaseConnect,
			cause: is(syscall.ECONNREFUSED), retryable: true},
		"NetDial": {set: func(s *setup) {
			s.opts.NetDial = func(context.Context, string, string) (net.Conn, error) { return nil, mine }
		}, phase: PhaseConnect, cause: is(mine), retryable: true},
		"context ended": {ctx: ended, phase: PhaseConnect, cause: is(mine, context.Canceled)},
		"closed at once": {server: sshtest.Options{Faults: sshtest.Faults{CloseAt: sshtest.StageAccept}}, phase: PhaseBanner,
			cause: func(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) }, retryable: true},
		"another protocol": {server: sshtest.Options{Version: "SSH-1.5-old"}, phase: PhaseBanner, cause: matches[*VersionError], retryable: true},
		"ConnectTimeout": {server: sshtest.Options{Faults: sshtest.Faults{StallAt: sshtest.StageVersion}}, lines: []string{"ConnectTimeout 1"},
			phase: PhaseKex, cause: is(ErrTimeout), retryable: true, timeout: true},
		"nothing in common": {server: sshtest.Options{Config: ssh.Config{Ciphers: []string{ssh.CipherAES128CTR}}}, lines: []string{"Ciphers aes256-ctr"},
			phase: PhaseKex, cause: matches[*ssh.AlgorithmNegotiationError]},
		"unknown host": {lines: []string{"UserKnownHostsFile /dev/null", "StrictHostKeyChecking yes"}, phase: PhaseKex,
			cause: is(hostkey.ErrVerification)},
		"HostKey of the Prompter": {lines: []string{"UserKnownHostsFile /dev/null", "StrictHostKeyChecking ask"}, set: func(s *setup) {
			s.opts.Prompter = script{hostKey: func(hostkey.Question) (bool, error) { return false, mine }}
		}, phase: PhaseKex, cause: is(mine, hostkey.ErrVerification)},
		"HostKeyCallback": {set: func(s *setup) {
			s.opts.HostKeyCallback = func(string, net.Addr, ssh.PublicKey) error { return mine }
		}, phase: PhaseKex, cause: is(mine, hostkey.ErrVerification)},
		"denied": {server: withPassword, phase: PhaseAuth, cause: matches[*AuthError]},
		"Password": {server: withPassword, set: func(s *setup) {
			s.opts.Password = func(context.Context) (string, error) { return "", mine }
		}, phase: PhaseAuth, cause: func(err error) bool { return errors.Is(err, mine) && !matches[*AuthError](err) }},
		"Password of the Prompter": {server: withPassword, set: func(s *setup) {
			s.opts.Prompter = script{password: func(PasswordQuestion) (string, error) { return "", mine }}
		}, phase: PhaseAuth, cause: func(err error) bool { return errors.Is(err, mine) && matches[*AuthError](err) }},
		"a Signer": {set: func(s *setup) {
			s.opts.Signers, s.opts.OnlySigners = []ssh.Signer{brokenSigner{s.srv.ClientKey, mine}}, true
		}, phase: PhaseAuth, cause: func(err error) bool { return errors.Is(err, mine) && matches[*AuthError](err) }},
		"closed while authenticating": {server: sshtest.Options{Faults: sshtest.Faults{CloseAt: sshtest.StageAuth}}, phase: PhaseAuth,
			cause:     func(err error) bool { return matches[*ConnError](err) && !matches[*AuthError](err) },
			retryable: true},
	}
}

// TestDialFailures has each failure of a Dial arrive as a ConnError that names
// host and phase, keeps the cause, and says whether to try again.
func TestDialFailures(t *testing.T) {
	mine := errors.New("mine")
	for _, transport := range []Transport{TransportXCrypto, TransportGossh} {
		for name, test := range dialFailures(t, mine) {
			t.Run(string(transport)+" "+name, func(t *testing.T) {
				s := newSetup(t, test.server, test.lines...)
				s.opts.Transport = transport
				if test.set != nil {
					test.set(s)
				}
				ctx := test.ctx
				if ctx == nil {
					ctx = testContext(t)
				}
				_, err := Dial(ctx, "sshtest", &s.opts)
				checkFailure(t, err, test, "")
			})
		}
	}
}

// TestJumpFailures has the same failures at a jump host, whose name the error
// holds besides that of the target.
func TestJumpFailures(t *testing.T) {
	mine := errors.New("mine")
	for name, test := range dialFailures(t, mine) {
		switch name {
		case "Password": // is for the target alone
			continue
		case "context ended": // comes before the jump host
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, test.server)
			base := s.opts.ConfigOptions.UserFile
			s.configure(t, base, "Match originalhost target", "HostName target.invalid", "ProxyJump sshtest", "Match originalhost sshtest",
				strings.Join(test.lines, "\n"), "Match all")
			if test.set != nil {
				test.set(s)
			}
			_, err := Dial(testContext(t), "target", &s.opts)
			want := "127.0.0.1"
			switch {
			case name == "no such name":
				want = "nosuch..invalid"
			case test.phase == PhaseConfig:
				want = "sshtest"
			}
			checkFailure(t, err, test, want)
		})
	}
}

// TestTargetRefusedByJump is a jump host that cannot reach the target: the error
// is the target's.
func TestTargetRefusedByJump(t *testing.T) {
	s := newSetup(t, sshtest.Options{NoForwarding: true})
	s.configure(t, s.opts.ConfigOptions.UserFile, "Match originalhost target", "HostName target.invalid", "ProxyJump sshtest", "Match all")
	_, err := Dial(testContext(t), "target", &s.opts)
	checkFailure(t, err, dialFailure{phase: PhaseConnect, cause: matches[*forward.OpenError]}, "")
}

func checkFailure(t *testing.T, err error, want dialFailure, jump string) {
	t.Helper()
	e, ok := err.(*ConnError)
	if !ok {
		t.Fatalf("%T %v, want a *ConnError", err, err)
	}
	if e.Phase != want.phase || e.Jump != jump || e.Host == "" || e.Host == e.Jump {
		t.Errorf("%#v, want %s at %q", e, want.phase, jump)
	}
	if !want.cause(err) {
		t.Errorf("cause %#v", e.Err)
	}
	if !strings.Contains(err.Error(), e.Host) || !strings.Contains(err.Error(), e.Jump) || !strings.Contains(err.Error(), e.Phase.String()) {
		t.Errorf("text %q", err)
	}
	if got := Retryable(err); got != want.retryable {
		t.Errorf("%v: retryable %v", err, got)
	}
	if got := e.Timeout(); got != want.timeout {
		t.Errorf("%v: timeout %v", err, got)
	}
}

// TestHostKeyRefusedLater ends a connection whose host key is refused at a further
// key exchange.
func TestHostKeyRefusedLater(t *testing.T) {
	for _, transport := range []Transport{TransportXCrypto, TransportGossh} {
		s := newSetup(t, sshtest.Options{Config: ssh.Config{RekeyThreshold: 4096}}, "RekeyLimit 4K")
		s.opts.Transport = transport
		mine := errors.New("mine")
		exchanges := 0
		s.opts.HostKeyCallback = func(string, net.Addr, ssh.PublicKey) error {
			if exchanges++; exchanges > 1 {
				return mine
			}
			return nil
		}
		c := s.mustDial(t)
		cmd := c.Command(testContext(t), "cat")
		cmd.Stdin = strings.NewReader(strings.Repeat("x", 1<<20))
		if err := cmd.Run(); !is(mine, hostkey.ErrVerification)(err) {
			t.Errorf("%s: Run: %v", transport, err)
		}
		var broken *ConnError
		if err := c.Wait(); !is(mine, hostkey.ErrVerification)(err) || !errors.As(err, &broken) || broken.Phase != PhaseConnected {
			t.Errorf("%s: Wait: %v", transport, err)
		}
	}
}
