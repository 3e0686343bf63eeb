// Gossh is an SSH client that stays connected. See package cli.
package main

import (
	"os"

	"github.com/gossh-project/gossh/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, cli.Std{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}))
}
