package session_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/session"
)

// conn is a connection, of client.Dial or of x/crypto.
var conn ssh.Conn

// The end of a program that did not end well.
func ExampleCmd_Output() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := session.Command(ctx, conn, "df -h /srv").Output()
	var exit *session.ExitError
	switch {
	case err == nil:
		fmt.Printf("%s", out)
	case errors.As(err, &exit) && exit.Signal != "":
		log.Fatalf("killed by SIG%s", exit.Signal)
	case errors.As(err, &exit):
		log.Fatalf("status %d: %s", exit.Status, exit.Stderr)
	default:
		log.Fatal(err) // the context's cause, or the connection's
	}
}

// Output that is read as it comes.
func ExampleCmd_StdoutPipe() {
	cmd := session.Command(context.Background(), conn, "journalctl -f")
	out, err := cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Println(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		log.Fatal(err)
	}
}
