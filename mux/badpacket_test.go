//go:build linux || darwin || freebsd

package mux_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest"
)

// Messages of the mux protocol, without their length.
var (
	helloText = "\x00\x00\x00\x01\x00\x00\x00\x04"
	proxyText = "\x10\x00\x00\x0f\x00\x00\x00\x00"
	proxyOK   = "\x80\x00\x00\x0f\x00\x00\x00\x00"
	oursText  = helloText + str("status@gossh-project.github.io") + str("0")
)

func str(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

// badPackets are packets of proxy mode that are no messages.
var badPackets = map[string]string{
	"empty":          str(""),
	"no payload":     str("\x00"),
	"padding":        str("\x05\x5a"),
	"a type alone":   str("\x00\x5a"),
	"data, no head":  str("\x00\x5e\x00\x00"),
	"unknown":        str("\x00\xff\x00\x00\x00\x00"),
	"cut off":        "\x00\x00\x00\x10\x00\x5a",
	"cut off length": "\x00\x00",
	"too long":       "\xff\xff\xff\xff\x00",
}

// TestMasterSurvivesBadPackets has a proxy client send packets that are none.
func TestMasterSurvivesBadPackets(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	for name, packet := range badPackets {
		nc, err := net.Dial("unix", srv.Path())
		if err != nil {
			t.Fatal(err)
		}
		send(t, nc, str(helloText)+str(proxyText))
		receive(t, nc)
		receive(t, nc)
		send(t, nc, packet)
		nc.(*net.UnixConn).CloseWrite()
		io.Copy(io.Discard, nc) // until the master has had enough
		nc.Close()
		c, err := mux.Dial(patient(t), srv.Path())
		if err != nil {
			t.Fatalf("after %s: %v", name, err)
		}
		c.Close()
	}
}

// TestClientSurvivesBadPackets has a master send packets that are none.
func TestClientSurvivesBadPackets(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, packet := range badPackets {
		served := make(chan struct{})
		go func() {
			defer close(served)
			nc, err := l.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
			receive(t, nc)
			send(t, nc, str(oursText))
			receive(t, nc)
			send(t, nc, str(proxyOK)+packet)
		}()
		c, err := mux.Dial(patient(t), path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.Wait(); err == nil {
			t.Errorf("%s: no error", name)
		}
		c.Close()
		<-served
	}
}

// TestPanicEndsOneClient has a callback of the master's panic while it serves a
// client.
func TestPanicEndsOneClient(t *testing.T) {
	var panics atomic.Bool
	panics.Store(true)
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{
		Confirm: func(context.Context, string) bool {
			if panics.Load() {
				panic("a fault of ours")
			}
			return true
		},
	})
	other, err := mux.Connect(patient(t), srv.Path(), mux.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	c, err := mux.Connect(patient(t), srv.Path(), mux.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	spec := forward.Spec{Kind: forward.Local, Listen: forward.Addr{Host: "127.0.0.1"}, Connect: forward.Addr{Host: "x", Port: 1}}
	if _, err := c.OpenForward(patient(t), spec); err == nil {
		t.Error("no error")
	}
	panics.Store(false)
	if _, err := other.Alive(patient(t)); err != nil {
		t.Errorf("another client: %v", err)
	}
}

func send(t *testing.T, nc net.Conn, text string) {
	if _, err := io.WriteString(nc, text); err != nil {
		t.Error(err)
	}
}

// receive reads one message.
func receive(t *testing.T, nc net.Conn) {
	var head [4]byte
	_, err := io.ReadFull(nc, head[:])
	if err == nil {
		_, err = io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(head[:])))
	}
	if err != nil {
		t.Error(err)
	}
}
