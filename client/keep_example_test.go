package client_test

import (
	"context"
	"io"
	"log"
	"net/http"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/keepalive"
)

// A program that reaches a service behind an SSH server for as long as it runs.
func ExampleKeep() {
	ctx := context.Background()
	k := client.Keep(ctx, "bastion", &client.KeepOptions{
		OnState: func(s client.KeepState) { log.Print("bastion: ", s.Phase, s.Cause) },
	})
	defer k.Close()

	spec, err := forward.ParseSpec(forward.Remote, "8022:localhost:22")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := k.Forward(ctx, spec, forward.Options{}); err != nil {
		log.Print(err) // it is tried again until it is open
	}
	c, err := k.Client(ctx) // each time that one is needed
	if err != nil {
		log.Fatal(err)
	}
	web := &http.Client{Transport: &http.Transport{DialContext: c.DialContext}}
	r, err := web.Get("http://intranet.internal/")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	io.Copy(io.Discard, r.Body)
}

// A change of the network is noticed in seconds, where the system tells of it.
func ExampleKept_Hint() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	k := client.Keep(ctx, "bastion", nil)
	defer k.Close()
	changes, err := keepalive.WatchNetwork(ctx) // one does for a process
	if err != nil {
		log.Print(err) // the keepalive goes by its own time
	}
	for range changes {
		k.Hint()
	}
}
