package sshconfig_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gossh-project/gossh/sshconfig"
)

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "config")
	text := `
Host web-*
    HostName %h.example.com
    User deploy
    ProxyJump gate.example.com
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}

	// Without UserFile it would be ~/.ssh/config and /etc/ssh/ssh_config.
	cfg, err := sshconfig.Load(context.Background(), "web-1", sshconfig.Options{
		UserFile:    file,
		CommandLine: []sshconfig.Directive{sshconfig.Flag('p', "2222")},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s@%s:%d via %s\n", cfg.User, cfg.HostName, cfg.Port, cfg.ProxyJump[0].Host)
	_, line, _ := cfg.Origin("User")
	fmt.Println("User comes from line", line)
	// Output:
	// deploy@web-1.example.com:2222 via gate.example.com
	// User comes from line 4
}

func ExampleError() {
	_, err := sshconfig.Load(context.Background(), "web-1", sshconfig.Options{
		UserFile:    "none",
		CommandLine: []sshconfig.Directive{sshconfig.Option("Port=many")},
	})
	fmt.Println(err)
	// Output:
	// command-line line 0: Bad port 'many'.
}

func ExampleDefault() {
	cfg := sshconfig.Default("db-1", "deploy")
	cfg.HostName = "192.0.2.7"
	cfg.Port = 2222
	cfg.ProxyJump = []sshconfig.JumpHost{{Host: "gate.example.com"}}
	cfg.StrictHostKeyChecking = sshconfig.StrictYes
	fmt.Printf("%s@%s:%d via %s\n", cfg.User, cfg.HostName, cfg.Port, cfg.ProxyJump[0].Host)
	// Output:
	// deploy@192.0.2.7:2222 via gate.example.com
}
