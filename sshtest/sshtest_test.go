package sshtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within returns a context for things that take moments.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// dial connects x/crypto's client over nc.
func dial(t *testing.T, srv *sshtest.Server, nc net.Conn, config *ssh.ClientConfig) *ssh.Client {
	t.Helper()
	conn, chans, reqs, err := ssh.NewClientConn(nc, srv.Addr(), config)
	if err != nil {
		t.Fatalf("log in: %v", err)
	}
	client := ssh.NewClient(conn, chans, reqs)
	t.Cleanup(func() { client.Close() })
	return client
}

func newSession(t *testing.T, client *ssh.Client) *ssh.Session {
	t.Helper()
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestZeroOptionsRunCommands(t *testing.T) {
	srv := sshtest.NewServer(t, nil)
	client, err := ssh.Dial("tcp", srv.Addr(), srv.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := newSession(t, client)
	s.Stdin = strings.NewReader("in")
	var stdout, stderr bytes.Buffer
	s.Stdout, s.Stderr = &stdout, &stderr
	err = s.Run("cat; echo err >&2; exit 3")
	var exit *ssh.ExitError
	if e, ok := err.(*ssh.ExitError); ok {
		exit = e
	}
	if exit == nil || exit.ExitStatus() != 3 || stdout.String() != "in" || stderr.String() != "err\n" {
		t.Fatalf("got %v, stdout %q, stderr %q", err, &stdout, &stderr)
	}
}

func TestGoHandlerInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Handler: func(s *sshtest.Session) sshtest.Exit {
			in, _ := io.ReadAll(s)
			time.Sleep(time.Hour)
			fmt.Fprintf(s, "%s %s %v", s.Command, in, s.Env)
			return sshtest.Exit{Signal: "TERM", Message: "enough"}
		}})
		client := dial(t, srv, srv.Pipe(), srv.ClientConfig())
		s := newSession(t, client)
		s.Stdin = strings.NewReader("hello")
		s.Setenv("A", "b")
		begin := time.Now()
		out, err := s.Output("say")
		exit, ok := err.(*ssh.ExitError)
		if !ok || exit.Signal() != "TERM" || exit.Msg() != "enough" || string(out) != "say hello [A=b]" {
			t.Errorf("got %v, %q", err, out)
		}
		if d := time.Since(begin); d != time.Hour {
			t.Errorf("took %v", d)
		}
		client.Close()
	})
}

func TestDirectTCP(t *testing.T) {
	srv := sshtest.NewServer(t, nil)
	client := dial(t, srv, srv.Pipe(), srv.ClientConfig())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		nc, err := ln.Accept()
		ln.Close()
		if err == nil {
			io.Copy(nc, nc) // until our half close
			nc.Close()
		}
	}()
	nc, err := client.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	want := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() {
		nc.Write(want)
		nc.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(nc)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	if _, err := client.Dial("tcp", ln.Addr().String()); err == nil || !strings.Contains(err.Error(), "Connection refused") {
		t.Fatalf("dial of a closed port: %v", err)
	}
}
