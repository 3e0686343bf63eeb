package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// noFilesSetup is a setup whose configuration file ends every Dial that reads it.
func noFilesSetup(t *testing.T, o sshtest.Options) *setup {
	t.Helper()
	s := newSetup(t, o)
	s.opts.ConfigOptions.UserFile = s.write(t, "config", "NoSuchKeyword yes\n")
	if _, err := s.dial(t); err == nil {
		t.Fatal("the configuration file is not read without NoFiles")
	}
	s.opts.NoFiles = true
	return s
}

// serverConfig is the configuration for srv, in code.
func serverConfig(srv *sshtest.Server) *sshconfig.Config {
	cfg := sshconfig.Default("127.0.0.1", sshtest.DefaultUser)
	cfg.Port = srv.Port()
	return cfg
}

// TestNoFiles connects to a target, and through two jump hosts, with nothing but
// Options.
func TestNoFiles(t *testing.T) {
	s := noFilesSetup(t, sshtest.Options{})
	s.opts.HostKeys = []ssh.PublicKey{s.srv.HostKey()}
	s.opts.Signers = []ssh.Signer{s.srv.ClientKey}
	target := fmt.Sprintf("ssh://%s@127.0.0.1:%d", sshtest.DefaultUser, s.srv.Port())
	c, err := Dial(testContext(t), target, &s.opts)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()

	hops := make(map[int]*sshtest.Server)
	cfg := serverConfig(s.srv)
	for range 2 {
		hop := sshtest.NewServer(t, &sshtest.Options{Users: []sshtest.User{{Name: "hopper", Password: "secret"}}})
		hops[hop.Port()] = hop
		cfg.ProxyJump = append(cfg.ProxyJump, sshconfig.JumpHost{Host: "127.0.0.1", User: "hopper", Port: hop.Port()})
	}
	s.opts.Config = cfg
	s.opts.JumpOptions = func(_ string, o *Options) {
		for _, hop := range hops {
			o.HostKeys = append(o.HostKeys, hop.HostKey())
		}
		o.Password = func(context.Context) (string, error) { return "secret", nil }
	}
	c = s.mustDial(t)
	if out, err := c.Command(testContext(t), "echo through").Output(); err != nil || string(out) != "through\n" {
		t.Errorf("%q, %v", out, err)
	}
	for port, hop := range hops {
		if n := len(hop.Conns()); n != 1 {
			t.Errorf("%d connections to the jump host at port %d", n, port)
		}
	}
}

// TestNoFilesIgnoresFiles has a Config that names files which would let the
// client in.
func TestNoFilesIgnoresFiles(t *testing.T) {
	s := noFilesSetup(t, sshtest.Options{})
	files, err := s.srv.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := serverConfig(s.srv)
	cfg.IdentityFile = []sshconfig.File{{Path: files.Identity, UserProvided: true}}
	cfg.UserKnownHostsFile = []string{files.KnownHosts}
	cfg.KnownHostsCommand = "/bin/cat " + files.KnownHosts
	s.opts.Config = cfg
	var unknown *hostkey.UnknownError
	if _, err := s.dial(t); !errors.As(err, &unknown) {
		t.Errorf("a host in known_hosts: %v", err)
	}
	cfg.UserKnownHostsFile = []string{filepath.Join(s.dir, "new")}
	cfg.StrictHostKeyChecking = sshconfig.StrictNo
	if _, err := s.dial(t); !errors.As(err, &unknown) {
		t.Errorf("StrictHostKeyChecking no: %v", err)
	}
	s.opts.HostKeyCallback = ssh.FixedHostKey(s.srv.HostKey())
	var denied *AuthError
	if _, err := s.dial(t); !errors.As(err, &denied) || len(denied.Keys) != 0 {
		t.Errorf("a key in a file: %v", err)
	}
	if _, err := os.Stat(cfg.UserKnownHostsFile[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("known_hosts was written: %v", err)
	}
	s.opts.Signers = []ssh.Signer{s.srv.ClientKey}
	s.mustDial(t)
}
