package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
)

// Whatever `ssh deploy@web-1` would do: configuration, jump hosts, agent and
// known_hosts.
func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, "deploy@web-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	out, err := c.Command(ctx, "uname -a").Output()
	var exit *session.ExitError
	if errors.As(err, &exit) {
		log.Fatalf("status %d: %s", exit.Status, exit.Stderr)
	}
	fmt.Printf("%s", out)
}

// A program that brings its own key still uses the user's configuration for
// all else.
func ExampleDial_ownKey() {
	var signer ssh.Signer // from wherever the program keeps it
	c, err := client.Dial(context.Background(), "deploy@web-1", &client.Options{
		Signers:     []ssh.Signer{signer},
		OnlySigners: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
}

// A web server that only the SSH server can reach.
func ExampleClient_DialContext() {
	c, err := client.Dial(context.Background(), "bastion", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	web := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return c.DialContext(ctx, network, addr)
		},
	}}
	r, err := web.Get("http://intranet.internal/")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	io.Copy(io.Discard, r.Body)
}

// Why a connection ended.
func ExampleClient_Done() {
	c, err := client.Dial(context.Background(), "web-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	<-c.Done()
	switch err := c.Err(); {
	case errors.Is(err, client.ErrClosed):
		// Close was called.
	case errors.Is(err, keepalive.ErrPeerLost):
		fmt.Println("the server no longer answers")
	default:
		fmt.Println(err)
	}
}
