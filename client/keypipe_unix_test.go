//go:build unix

package client

import (
	"context"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest"
)

// pipe makes a named pipe that gives out a file, once.
func (s *setup) pipe(t *testing.T, text []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write(text)
			err = errors.Join(err, f.Close())
		}
		written <- err
	}()
	t.Cleanup(func() {
		if err := <-written; err != nil {
			t.Error(err)
		}
	})
	return name
}

// TestKeyFromPipe: a secret manager may hand out a key through a pipe, whose
// content comes once, and which says that it is empty.
func TestKeyFromPipe(t *testing.T) {
	for _, passphrase := range []string{"", "secret"} {
		t.Run(passphrase, func(t *testing.T) {
			s := newSetup(t, sshtest.Options{})
			key, err := sshtest.NewKey(ssh.KeyAlgoED25519)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := ssh.NewSignerFromKey(key)
			if err != nil {
				t.Fatal(err)
			}
			s.srv = sshtest.NewServer(t, &sshtest.Options{Users: []sshtest.User{{Name: sshtest.DefaultUser, Keys: []ssh.PublicKey{signer.PublicKey()}}}})
			files, err := s.srv.WriteFiles(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			s.configure(t, files.Config, "IdentityFile "+s.pipe(t, marshalKey(t, key, passphrase)))
			s.opts.Prompter = script{passphrase: func(PassphraseQuestion) (string, error) { return "secret", nil }}
			s.mustDial(t)
		})
	}
}

// TestPipeWithoutWriter: the wait for a pipe ends with the context.
func TestPipeWithoutWriter(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	files := &keyFiles{d: &dialer{}, ctx: ctx}
	if _, err := files.read(name); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that of the context", err)
	}
	// Let the goroutine go that opens the pipe: this waits for it.
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// TestKeptFiles: what comes out of a pipe is kept until the keyring closes, and
// then overwritten.
func TestKeptFiles(t *testing.T) {
	key, err := sshtest.NewKey(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	text := marshalKey(t, key, "")
	s := new(setup)
	name := s.pipe(t, text)
	files := &keyFiles{d: &dialer{}, ctx: t.Context()}
	kf, err := files.read(name)
	if err != nil {
		t.Fatal(err)
	}
	files.done(kf)
	again, err := files.read(name)
	if err != nil || again.public() == nil {
		t.Fatalf("%v, %v", again, err)
	}
	files.close()
	if block, _ := pem.Decode(kf.data); block != nil {
		t.Error("the content is still there")
	}
	regular := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(regular, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if kf, err = files.read(regular); err != nil {
		t.Fatal(err)
	}
	files.done(kf)
	if block, _ := pem.Decode(kf.data); block != nil {
		t.Error("a regular file's content is still there")
	}
}
