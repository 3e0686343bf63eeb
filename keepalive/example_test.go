package keepalive_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/gossh-project/gossh/keepalive"
	"golang.org/x/crypto/ssh"
)

// A client of golang.org/x/crypto/ssh that notices when its server is gone.
func Example() {
	config := &ssh.ClientConfig{ /* User, Auth, HostKeyCallback */ }

	netConn, err := net.Dial("tcp", "server.example:22")
	if err != nil {
		log.Fatal(err)
	}
	opts := keepalive.Options{Interval: 15 * time.Second, CountMax: 3}

	// The handshake is watched too, by a rule of its own.
	watched := keepalive.WrapConn(netConn)
	watched.SetPacketTimeout(opts.PacketTimeout())
	conn, chans, reqs, err := ssh.NewClientConn(watched, "server.example:22", config)
	if err != nil {
		log.Fatal(err)
	}
	watched.SetPacketTimeout(0)

	client := ssh.NewClient(conn, chans, reqs)
	defer client.Close()
	mon := keepalive.Start(client, watched, opts)
	defer mon.Stop()

	// Use client. Whatever waits for a silent server returns.
	var lost *keepalive.PeerLostError
	if err := client.Wait(); errors.As(err, &lost) {
		fmt.Printf("nothing heard for %v\n", lost.Silence)
	}
}

// One watcher of the network serves all the connections of a program.
func ExampleWatchNetwork() {
	var monitors []*keepalive.Monitor

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changes, err := keepalive.WatchNetwork(ctx)
	if err != nil {
		log.Print(err) // not on this system; the monitors do without
		return
	}
	for range changes {
		for _, mon := range monitors {
			mon.Hint()
		}
	}
}
