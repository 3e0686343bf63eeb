package x11fwd

import (
	"crypto/ed25519"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long anything may take; nothing waits for it to pass.
const patience = 20 * time.Second

// serverFor gives a server's end of a connection whose client hands its x11
// channels to f.
func serverFor(t *testing.T, f *Forwarder) *ssh.ServerConn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, key, _ := ed25519.GenerateKey(nil)
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dialed := make(chan net.Conn, 1)
	go func() {
		c, _ := net.Dial("tcp", ln.Addr().String())
		dialed <- c
	}()
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	served := make(chan *ssh.ServerConn, 1)
	go func() {
		sc, chans, reqs, err := ssh.NewServerConn(accepted, config)
		if err == nil {
			go ssh.DiscardRequests(reqs)
			go func() {
				for range chans {
				}
			}()
		}
		served <- sc
	}()
	client, chans, reqs, err := ssh.NewClientConn(<-dialed, "x", &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	handled := make(chan struct{})
	go func() {
		for ch := range chans {
			f.ServeChannel(ch)
		}
		close(handled)
	}()
	t.Cleanup(func() {
		f.Close()
		client.Close()
		accepted.Close()
		<-handled
	})
	return <-served
}

// script writes a program.
func script(t *testing.T, text string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("shell scripts")
	}
	path := filepath.Join(t.TempDir(), "xauth")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
