package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/sshconfig"
)

// A program reaches a service behind an SSH server for as long as it runs: the
// http.Transport uses the connection that is up at the moment.
func ExampleKeep() {
	intranet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "hello")
	}))
	defer intranet.Close()
	srv := start(nil)
	defer srv.Close()

	cfg := sshconfig.Default("127.0.0.1", "test")
	cfg.Port = srv.Port()
	k := client.Keep(context.Background(), cfg.Host, &client.KeepOptions{
		Options: client.Options{NoFiles: true, Config: cfg,
			Signers: []ssh.Signer{srv.ClientKey}, HostKeys: []ssh.PublicKey{srv.HostKey()}},
		MinDelay: 10 * time.Millisecond,
	})
	defer k.Close()
	web := &http.Client{Transport: &http.Transport{DialContext: k.DialContext, DisableKeepAlives: true}}
	for n := 1; n <= 2; n++ {
		r, err := web.Get(intranet.URL)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		fmt.Printf("%s over connection %d, %v\n", body, n, err)
		srv.Conns()[n-1].Kill() // the network fails
		<-srv.Conns()[n-1].Done()
	}
	// Output:
	// hello over connection 1, <nil>
	// hello over connection 2, <nil>
}

// A remote forward is opened again on each connection.
func ExampleKept_Forward() {
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
	log.Print(k.Wait())
}

// A server on the SSH server's side goes on after an outage.
func ExampleKept_Listen() {
	ctx := context.Background()
	k := client.Keep(ctx, "bastion", nil)
	defer k.Close()
	l, err := k.Listen(ctx, "tcp", "127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	log.Print(http.Serve(l, http.NotFoundHandler()))
}

// A change of the network is noticed within seconds, on systems that report it.
func ExampleKept_Hint() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	k := client.Keep(ctx, "bastion", nil)
	defer k.Close()
	changes, err := keepalive.WatchNetwork(ctx) // one for the whole process
	if err != nil {
		log.Print(err) // keepalive still notices a lost connection, but later
	}
	for range changes {
		k.Hint()
	}
}
