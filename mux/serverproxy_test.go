package mux

import (
	"io"
	"net"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/ssh"
)

// lateServer opens one kind of channel: the program is at its end as soon as it
// is asked for, and that it was started is told when all else has come.
type lateServer struct{ Connection }

type lateChannel struct {
	ssh.Channel
	requests chan *ssh.Request
}

func (lateServer) OpenChannel(string, []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	c := lateChannel{requests: make(chan *ssh.Request)}
	return c, c.requests, nil
}

func (c lateChannel) SendRequest(string, bool, []byte) (bool, error) {
	close(c.requests)
	synctest.Wait()
	return true, nil
}

type noStderr struct{ io.Writer }

func (noStderr) Read([]byte) (int, error) { return 0, io.EOF }

func (lateChannel) Read([]byte) (int, error)    { return 0, io.EOF }
func (lateChannel) Write(p []byte) (int, error) { return len(p), nil }
func (lateChannel) Stderr() io.ReadWriter       { return noStderr{io.Discard} }
func (lateChannel) CloseWrite() error           { return nil }
func (lateChannel) Close() error                { return nil }

// TestProxyAnswersBeforeClose: a program that ends at once has been started all
// the same.
func TestProxyAnswersBeforeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		user, _, userRequests, err := proxyConn(here)
		if err != nil {
			t.Fatal(err)
		}
		go ssh.DiscardRequests(userRequests)
		served, channels, requests, err := proxyConn(there)
		if err != nil {
			t.Fatal(err)
		}
		go ssh.DiscardRequests(requests)
		p := &proxyClient{conn: served, server: lateServer{}}
		p.work.Add(1)
		go func() { p.serveChannel(<-channels) }()

		ch, channelRequests, err := user.OpenChannel("session", nil)
		if err != nil {
			t.Fatal(err)
		}
		go ssh.DiscardRequests(channelRequests)
		if ok, err := ch.SendRequest("exec", true, nil); !ok || err != nil {
			t.Errorf("exec: %v, %v", ok, err)
		}
		if out, err := io.ReadAll(ch); len(out) > 0 || err != nil {
			t.Errorf("%q, %v", out, err)
		}
		ch.Close()
		p.work.Wait()
		user.Close()
		served.Close()
	})
}
