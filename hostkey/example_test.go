package hostkey_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
)

// The user's known_hosts for a client of x/crypto: hosts that are unknown are
// refused, as nobody is asked.
func Example() {
	ctx := context.Background()
	home, err := os.UserHomeDir()
	if err != nil {
		log.Fatal(err)
	}
	conn, err := net.Dial("tcp", "db.example.com:22")
	if err != nil {
		log.Fatal(err)
	}
	checker := hostkey.NewChecker(hostkey.Options{UserFiles: []string{filepath.Join(home, ".ssh", "known_hosts")}})
	target := hostkey.Target{Host: "db.example.com", Port: 22}
	if peer, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		target.Addr = peer.Addr()
	}
	// A key that is on file is asked for first.
	algorithms, err := checker.Algorithms(ctx, target, ssh.SupportedAlgorithms().HostKeys, true)
	if err != nil {
		log.Fatal(err)
	}
	_, _, _, err = ssh.NewClientConn(conn, "db.example.com:22", &ssh.ClientConfig{
		User:              "deploy",
		HostKeyAlgorithms: algorithms,
		HostKeyCallback:   checker.Verifier(ctx, target).Callback,
	})
	var changed *hostkey.ChangedError
	switch {
	case errors.As(err, &changed):
		fmt.Println("another key is on file:", changed.Offending)
	case errors.Is(err, hostkey.ErrVerification):
		fmt.Println("not the host:", err)
	}
}
