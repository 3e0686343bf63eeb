package forward_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
)

// What -L 8080:db:5432 does, over a connection of x/crypto. A client.Client has
// a Forwarder already.
func ExampleForwarder_Open() {
	ctx := context.Background()
	var client *ssh.Client // from wherever the program has it

	f := forward.New(client, nil)
	defer f.Close()
	spec, err := forward.ParseSpec(forward.Local, "8080:db:5432")
	if err != nil {
		log.Fatal(err)
	}
	fwd, err := f.Open(ctx, spec, forward.Options{
		OnFailure: func(c forward.ConnFailure) { log.Printf("to %s: %v", c.Target, c.Err) },
	})
	var listen *forward.ListenError
	switch {
	case errors.As(err, &listen) && errors.Is(err, syscall.EADDRINUSE):
		log.Fatalf("%s is taken", listen.Addr)
	case err != nil:
		log.Fatal(err)
	}
	log.Print("listening on ", fwd.Addrs())
	<-fwd.Done()
	log.Print(fwd.Err()) // why it listens no more
}

// A listener on the server. Its channels come in by whoever owns the connection.
func ExampleForwarder_Listen() {
	ctx := context.Background()
	var client *ssh.Client

	f := forward.New(client, nil)
	go func() {
		for ch := range client.HandleChannelOpen("forwarded-tcpip") {
			f.ServeChannel(ch)
		}
	}()
	l, err := f.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err) // forward.ErrConnectionLost, in a *net.OpError
		}
		go func(conn net.Conn) {
			defer conn.Close()
			io.Copy(conn, conn)
		}(conn)
	}
}

// A port that is any free one cannot be written as text; a Spec can have it.
func ExampleSpec() {
	spec := forward.Spec{
		Kind:    forward.Local,
		Listen:  forward.Addr{Host: "localhost"}, // Port 0
		Connect: forward.Addr{Host: "db", Port: 5432},
	}
	fmt.Println(spec.Kind, "to", spec.Connect)
	// Output: local to db:5432
}
