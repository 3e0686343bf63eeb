//go:build linux || darwin || freebsd

package mux_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestProxyGlobalRequests: what a program asks of the connection does not end
// it, though OpenSSH's master hangs up at such requests.
func TestProxyGlobalRequests(t *testing.T) {
	sshd := opensshd.NewServer(t, nil)
	for _, m := range masters(sshd, &openSSH{program: needSSH(t), config: sshd.Config}) {
		t.Run(m.name, func(t *testing.T) {
			path, _, _ := m.start(t)
			c, err := mux.Dial(patient(t), path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, wantReply := range []bool{true, false} {
				ok, _, err := c.SendRequest("keepalive@openssh.com", wantReply, nil)
				if ok || err != nil {
					t.Errorf("keepalive, reply wanted %v: %v, %v", wantReply, ok, err)
				}
			}
			s, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if out, err := s.Output("echo alive"); string(out) != "alive\n" || err != nil {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
}

// through returns a program's connection through OpenSSH's master, and a
// function that fails the test if the master or another session of it has come
// to harm.
func through(t *testing.T, sshd *opensshd.Server) (path string, harmless func(after string)) {
	t.Helper()
	m := masters(sshd, &openSSH{program: needSSH(t), config: sshd.Config})[0]
	path, _, _ = m.start(t)
	bystander, err := mux.Dial(patient(t), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bystander.Close() })
	s, err := bystander.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, _ := s.StdinPipe()
	out, _ := s.StdoutPipe()
	if err := s.Start("exec cat"); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	return path, func(after string) {
		t.Helper()
		if _, err := io.WriteString(in, after+"\n"); err != nil {
			t.Fatalf("after %s: %v", after, err)
		}
		if line, err := lines.ReadString('\n'); line != after+"\n" || err != nil {
			t.Fatalf("after %s: the bystander has %q, %v", after, line, err)
		}
		c, err := mux.Connect(patient(t), path, mux.ClientOptions{})
		if err != nil {
			t.Fatalf("after %s: %v", after, err)
		}
		defer c.Close()
		if _, err := c.Alive(patient(t)); err != nil {
			t.Fatalf("after %s: %v", after, err)
		}
	}
}

// TestOpenSSHMasterIsNotHarmed does, each on a connection of its own that then
// leaves, what ends OpenSSH's master in proxy mode, or its connection.
func TestOpenSSHMasterIsNotHarmed(t *testing.T) {
	sshd := opensshd.NewServer(t, nil)
	path, harmless := through(t, sshd)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, test := range []struct {
		name string
		do   func(c *ssh.Client) error // an error is expected
	}{
		{"a refused connection", func(c *ssh.Client) error { _, err := c.Dial("tcp", closed.Addr().String()); return err }},
		{"a refused socket", func(c *ssh.Client) error { _, err := c.Dial("unix", "/nowhere"); return err }},
		{"an unknown channel", func(c *ssh.Client) error {
			_, _, err := c.OpenChannel("nonsense@example.com", nil)
			if !errors.Is(err, errors.ErrUnsupported) {
				return nil
			}
			return err
		}},
		{"a refused listener", func(c *ssh.Client) error { _, err := c.Listen("unix", "/nowhere/s"); return err }},
		{"a refused subsystem", func(c *ssh.Client) error {
			s, err := c.NewSession()
			if err != nil {
				return nil
			}
			if err := s.RequestSubsystem("nonsense"); err != nil {
				return err
			}
			return s.Wait()
		}},
		{"too many sessions", func(c *ssh.Client) error {
			for range 20 {
				s, err := c.NewSession()
				if err != nil {
					return err
				}
				if err := s.Start("exec sleep 100"); err != nil {
					return err
				}
			}
			return nil
		}},
		{"a global request", func(c *ssh.Client) error {
			if ok, _, err := c.SendRequest("nonsense@example.com", true, nil); !ok && err == nil {
				return errors.New("no such request")
			}
			return nil
		}},
	} {
		c, err := mux.Dial(patient(t), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := test.do(c); err == nil {
			t.Errorf("%s: no error", test.name)
		}
		harmless(test.name)
		c.Close()
		harmless("leaving after " + test.name)
	}
}

// TestOpenSSHMasterServes does what a program wants of a connection.
func TestOpenSSHMasterServes(t *testing.T) {
	sshd := opensshd.NewServer(t, nil)
	path, harmless := through(t, sshd)
	c, err := mux.Dial(patient(t), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader(strings.Repeat("x", 1<<20)), &out, &errs
	err = s.Run("wc -c; echo oops >&2; exit 7")
	var exit *ssh.ExitError
	if strings.TrimSpace(out.String()) != "1048576" || errs.String() != "oops\n" || !errors.As(err, &exit) || exit.ExitStatus() != 7 {
		t.Errorf("%q, %q, %v", out.String(), errs.String(), err)
	}

	target := echoServer(t)
	conn, err := c.Dial("tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, "through the server", conn)

	ln, err := c.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		if nc, err := ln.Accept(); err == nil {
			accepted <- nc
		}
	}()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near := <-accepted
	go func() {
		io.Copy(near, near)
		near.Close()
	}()
	roundTrip(t, "from the server", far)
	if err := ln.Close(); err != nil {
		t.Error("closing the listener:", err)
	}
	eventually(t, "the port to be free", func() bool {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			nc.Close()
		}
		return err != nil
	})
	harmless("all of it")
}

// echoServer returns the address of a server that sends back what it gets.
func echoServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				io.Copy(nc, nc)
			}()
		}
	}()
	return l.Addr().String()
}

// roundTrip sends text to a server that echoes it, and closes the connection.
func roundTrip(t *testing.T, text string, nc net.Conn) {
	t.Helper()
	defer nc.Close()
	if _, err := io.WriteString(nc, text); err != nil {
		t.Fatal(err)
	}
	if err := nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if back, err := io.ReadAll(nc); string(back) != text || err != nil {
		t.Errorf("%q came back, %v, want %q", back, err, text)
	}
}

// TestProxyLifeSign: the keepalive of a connection through OpenSSH's master is
// the server's answer, and its end that of the master.
func TestProxyLifeSign(t *testing.T) {
	sshd := opensshd.NewServer(t, nil)
	m := masters(sshd, &openSSH{program: needSSH(t), config: sshd.Config})[0]
	path, pid, ended := m.start(t)
	c, err := mux.Dial(patient(t), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mon := keepalive.Start(c, nil, keepalive.Options{Interval: 50 * time.Millisecond, CountMax: 1000})
	defer mon.Stop()
	eventually(t, "answers", func() bool { return mon.Stats().RTT > 0 })
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ended
	if _, _, err := c.SendRequest("keepalive@openssh.com", true, nil); err == nil {
		t.Error("an answer without a master")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	select {
	case <-mon.Done():
	case <-ctx.Done():
		t.Error("the monitor goes on")
	}
}
