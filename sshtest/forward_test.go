package sshtest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/faultnet"
)

// Forwards both ways with no network: Dial and OpenForwardedTCP stand in.
func TestForwardsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Dial: func(_ context.Context, network, addr string) (net.Conn, error) {
			if network+addr != "tcpdb:5432" {
				return nil, syscall.EHOSTUNREACH
			}
			ours, theirs := faultnet.Pipe()
			go func() {
				io.Copy(theirs, theirs)
				theirs.Close()
			}()
			return ours, nil
		}})
		client := dial(t, srv, srv.Pipe(), srv.ClientConfig())
		nc, err := client.Dial("tcp", "db:5432")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			io.WriteString(nc, "query")
			nc.(interface{ CloseWrite() error }).CloseWrite()
		}()
		if got, err := io.ReadAll(nc); err != nil || string(got) != "query" {
			t.Errorf("got %q, %v", got, err)
		}
		nc.Close()
		var refused *ssh.OpenChannelError
		if _, err := client.Dial("tcp", "other:1"); !errors.As(err, &refused) || refused.Message != "No route to host" {
			t.Errorf("unreachable target: %v", err)
		}

		opens := client.HandleChannelOpen("forwarded-tcpip")
		done := make(chan string)
		go func() {
			nch := <-opens
			ch, reqs, err := nch.Accept()
			if err != nil {
				done <- err.Error()
				return
			}
			go ssh.DiscardRequests(reqs)
			b, _ := io.ReadAll(ch)
			ch.Close()
			done <- string(b)
		}()
		ch, err := srv.Conns()[0].OpenForwardedTCP("localhost", 8080, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 40000})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(ch, "request")
		ch.CloseWrite()
		if got := <-done; got != "request" {
			t.Errorf("got %q", got)
		}
		ch.Close()
		client.Close()
	})
}

// What the client wrote before it closed its channel reaches the target.
func TestCloseDeliversToTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := faultnet.Pipe()
		srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true,
			Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
		client := dial(t, srv, srv.Pipe(), srv.ClientConfig())
		nc, err := client.Dial("tcp", "sink:9")
		if err != nil {
			t.Fatal(err)
		}
		want := 1 << 20
		if _, err := nc.Write(make([]byte, want)); err != nil {
			t.Fatal(err)
		}
		nc.Close()
		synctest.Wait()
		if got, err := io.ReadAll(theirs); err != nil || len(got) != want {
			t.Errorf("%d bytes of %d, %v", len(got), want, err)
		}
		theirs.Close()
		client.Close()
	})
}
