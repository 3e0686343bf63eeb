package client

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshtest"
)

// TestJumpOptions goes through two jump hosts, each with a password and a host
// key of its own, of which no file knows.
func TestJumpOptions(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	hops := make(map[string]*sshtest.Server)
	lines := []string{"Match originalhost sshtest", "ProxyJump one,two"}
	for _, name := range []string{"one", "two"} {
		hops[name] = sshtest.NewServer(t, &sshtest.Options{Users: []sshtest.User{{Name: "test", Password: "of " + name}}})
		lines = append(lines, "Match originalhost "+name, "HostName 127.0.0.1", fmt.Sprintf("Port %d", hops[name].Port()), "User test")
	}
	s.configure(t, s.opts.ConfigOptions.UserFile, append(lines, "Match all")...)
	var asked []string
	s.opts.HostKeys = []ssh.PublicKey{s.srv.HostKey()}
	s.opts.JumpOptions = func(host string, o *Options) {
		asked = append(asked, host)
		if o.Config != nil || o.Password != nil || o.HostKeys != nil {
			t.Errorf("%s gets what is the target's: %+v", host, o)
		}
		o.HostKeys = []ssh.PublicKey{hops[host].HostKey()}
		o.OnlySigners = true
		o.Password = func(context.Context) (string, error) { return "of " + host, nil }
	}
	c := s.mustDial(t)
	if out, err := c.Command(testContext(t), "echo through").Output(); err != nil || string(out) != "through\n" {
		t.Errorf("%q, %v", out, err)
	}
	if fmt.Sprint(asked) != "[two one]" {
		t.Errorf("asked for %q", asked)
	}

	s.opts.JumpOptions = func(host string, o *Options) {
		o.HostKeys = []ssh.PublicKey{hops["one"].HostKey()}
		o.Password = func(context.Context) (string, error) { return "of " + host, nil }
	}
	_, err := s.dial(t)
	var broken *ConnError
	if !errors.Is(err, hostkey.ErrVerification) || !errors.As(err, &broken) || broken.Phase != PhaseKex || broken.Jump == "" {
		t.Errorf("a jump host with another key: %v", err)
	}
}

// TestPrompterFuncs answers a challenge by a function, and refuses what has none.
func TestPrompterFuncs(t *testing.T) {
	s := newSetup(t, sshtest.Options{Users: []sshtest.User{{Name: sshtest.DefaultUser, Password: "x",
		Rounds: []sshtest.Round{{Prompts: []sshtest.Prompt{{Text: "Code: ", Answer: "123456"}}}}}}},
		"PreferredAuthentications password,keyboard-interactive")
	s.opts.Prompter = PrompterFuncs{OnChallenge: func(_ context.Context, q ChallengeQuestion) ([]string, error) {
		if len(q.Prompts) != 1 || q.Prompts[0].Text != "Code: " {
			return nil, errors.New("another question")
		}
		return []string{"123456"}, nil
	}}
	s.mustDial(t)
	if got := s.attempts(nil); fmt.Sprint(got) != "[keyboard-interactive]" {
		t.Errorf("attempts %q", got)
	}
	s.opts.Prompter = PrompterFuncs{}
	_, err := s.dial(t)
	var denied *AuthError
	if !errors.As(err, &denied) || len(denied.Errs) != 0 {
		t.Errorf("without functions: %v", err)
	}
	s.configure(t, s.opts.ConfigOptions.UserFile, "UserKnownHostsFile /dev/null", "StrictHostKeyChecking ask")
	s.opts.Prompter = PrompterFuncs{}
	var unknown *hostkey.UnknownError
	if _, err := s.dial(t); !errors.As(err, &unknown) {
		t.Errorf("an unknown host: %v", err)
	}
}
