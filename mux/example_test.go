//go:build linux || darwin || freebsd

package mux_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/gossh-project/gossh/mux"
)

// A command over the connection of a master that runs already, ssh's or ours.
func ExampleDial() {
	client, err := mux.Dial(context.Background(), "/run/user/1000/ssh-web-1")
	switch {
	case errors.Is(err, mux.ErrNoMaster), errors.Is(err, mux.ErrStale):
		log.Fatal("log in by yourself") // client.Dial does so where ControlPath names none
	case err != nil:
		log.Fatal(err)
	}
	defer client.Close() // the master and its connection stay
	s, err := client.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Output("uname -a")
	fmt.Printf("%s %v", out, err)
}

// Who the master is, and how its connection does: -O check.
func ExampleClient_Alive() {
	ctx := context.Background()
	c, err := mux.Connect(ctx, "/run/user/1000/ssh-web-1", mux.ClientOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	status, err := c.Alive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("pid", status.PID)
	if status.Known {
		fmt.Println("server last heard", status.Silence, "ago")
	}
}
