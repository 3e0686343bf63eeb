package mux_test

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/gossh-project/gossh/mux"
)

// helperVariable names what this binary is to be instead of a test: our
// passenger, as a process that can be killed.
const helperVariable = "GOSSH_MUX_HELPER"

func runHelper(name string, args []string) int {
	if name == "impostor" { // a socket, and nobody behind it
		ln, err := net.Listen("unix", args[0])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 254
		}
		defer ln.Close()
		os.Chmod(args[0], 0o777)
		fmt.Println("listening")
		os.Stdin.Read(make([]byte, 1))
		return 0
	}
	ctx := context.Background()
	c, err := mux.Connect(ctx, args[0], mux.ClientOptions{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 254
	}
	var s *mux.ClientSession
	switch name {
	case "session":
		s, err = c.NewSession(ctx, mux.SessionRequest{Command: args[1]}, [3]int{0, 1, 2})
	default:
		err = fmt.Errorf("no such helper: %s", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 254
	}
	status, err := s.Wait()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return status
}
