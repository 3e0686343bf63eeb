package client

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest"
)

// TestRekeyOnRequest exchanges keys on request in the middle of a session.
func TestRekeyOnRequest(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	s.opts.Transport = TransportGossh
	c := s.mustDial(t)
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	cmd := c.Command(testContext(t), "cat")
	cmd.Stdin = &rekeying{r: bytes.NewReader(text), c: c, t: t}
	got, err := cmd.Output()
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
}

// rekeying exchanges keys at each 64 KiB that are read.
type rekeying struct {
	r    io.Reader
	c    *Client
	t    *testing.T
	read int
}

func (r *rekeying) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:min(len(p), 64<<10)])
	r.read += n
	if err := r.c.Rekey(); err != nil {
		r.t.Error(err)
	}
	return n, err
}

// TestUnsupported asks connections that cannot rekey, or that have no host key, of
// either transport.
func TestUnsupported(t *testing.T) {
	for _, transport := range []Transport{TransportXCrypto, TransportGossh} {
		s := newSetup(t, sshtest.Options{})
		s.opts.Transport = transport
		first := s.mustDial(t)
		if err := first.Rekey(); errors.Is(err, errors.ErrUnsupported) != (transport == TransportXCrypto) {
			t.Errorf("%s: Rekey: %v", transport, err)
		}
		socket := t.TempDir() + "/s"
		master, err := mux.Listen(t.Context(), socket, first, mux.ServerOptions{})
		if err != nil {
			t.Skip(err)
		}
		s.configure(t, s.opts.ConfigOptions.UserFile, "ControlPath "+socket)
		s.opts.Transport = transport
		shared := s.mustDial(t)
		if err := shared.Rekey(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: Rekey of a shared connection: %v", transport, err)
		}
		if _, err := shared.Binding(); !errors.Is(err, agentfwd.ErrNoBinding) {
			t.Errorf("%s: Binding of a shared connection: %v", transport, err)
		}
		shared.Close()
		master.Close()
	}
}
