package sshtest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// In a test, NewServer(t, …) takes the place of Start and Close.
func ExampleStart() {
	srv, err := sshtest.Start(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	c, err := ssh.Dial("tcp", srv.Addr(), srv.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Output("echo hello")
	fmt.Printf("%s%v\n", out, err)
	for _, r := range srv.Records() {
		fmt.Println(r.Type)
	}
	// Output:
	// hello
	// <nil>
	// session
	// exec
}

// A Go function runs the commands.
func ExampleHandler() {
	srv, err := sshtest.Start(&sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		fmt.Fprintf(s, "you said %q", s.Command)
		return sshtest.Status(3)
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	c, err := ssh.Dial("tcp", srv.Addr(), srv.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Output("anything")
	fmt.Printf("%s, %v\n", out, err)
	// Output:
	// you said "anything", Process exited with status 3
}

// The server is reached in memory, refuses a request and stops answering.
func ExampleOptions() {
	srv, err := sshtest.Start(&sshtest.Options{
		NoListen: true,
		OnRequest: sshtest.React(map[string]sshtest.Reaction{
			"pty-req": {Verdict: sshtest.Refuse},
			"exec":    {Verdict: sshtest.Ignore},
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	conn, chans, reqs, err := ssh.NewClientConn(srv.Pipe(), srv.Addr(), srv.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	c := ssh.NewClient(conn, chans, reqs)
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.RequestPty("vt100", 24, 80, nil))
	go s.Start("true") // gets no answer

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := srv.WaitRecord(ctx, sshtest.Channel, "exec")
	fmt.Println(r.Type, err)
	// Output:
	// ssh: pty-req failed
	// exec <nil>
}

// A network failure: the server closes the connection after 10 kB.
func ExampleFaults() {
	srv, err := sshtest.Start(&sshtest.Options{
		Handler: sshtest.Flood(1<<20, 0),
		Faults:  sshtest.Faults{DropAfterSent: 10_000},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	c, err := ssh.Dial("tcp", srv.Addr(), srv.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	out, _ := s.StdoutPipe()
	if err := s.Start("flood"); err != nil {
		log.Fatal(err)
	}
	n, _ := io.Copy(io.Discard, out)
	fmt.Println(n < 10_000, s.Wait())
	// Output:
	// true wait: remote command exited without exit status or exit signal
}
