package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// start starts a server that stands for a real one.
func start(o *sshtest.Options) *sshtest.Server {
	srv, err := sshtest.Start(o)
	if err != nil {
		log.Fatal(err)
	}
	return srv
}

// This connects as `ssh deploy@web-1` does: with the user's configuration, jump
// hosts, agent and known_hosts.
func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, "deploy@web-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	out, err := c.Command(ctx, "uname -a").Output()
	var exit *session.ExitError
	if errors.As(err, &exit) {
		log.Fatalf("status %d: %s", exit.Status, exit.Stderr)
	}
	fmt.Printf("%s", out)
}

// A program that has its own key can still use the user's configuration for
// everything else.
func ExampleDial_ownKey() {
	var signer ssh.Signer // the program's key
	c, err := client.Dial(context.Background(), "deploy@web-1", &client.Options{
		Signers:     []ssh.Signer{signer},
		OnlySigners: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
}

// This reads no file and uses no agent: everything is in the Options.
func ExampleDial_noFiles() {
	srv := start(nil)
	defer srv.Close()

	cfg := sshconfig.Default("127.0.0.1", "test")
	cfg.Port = srv.Port()
	cfg.ConnectTimeout = 10 * time.Second
	ctx := context.Background()
	c, err := client.Dial(ctx, cfg.Host, &client.Options{
		NoFiles:  true,
		Config:   cfg,
		Signers:  []ssh.Signer{srv.ClientKey},
		HostKeys: []ssh.PublicKey{srv.HostKey()},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	out, err := c.Command(ctx, "echo hello").Output()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// hello
	// <nil>
}

// A jump host is configured in code, too: it has a password and a host key of its
// own.
func ExampleOptions_jumpHost() {
	gate := start(&sshtest.Options{Users: []sshtest.User{{Name: "guest", Password: "let me in"}}})
	defer gate.Close()
	db := start(nil)
	defer db.Close()

	cfg := sshconfig.Default("127.0.0.1", "test")
	cfg.Port = db.Port()
	cfg.ProxyJump = []sshconfig.JumpHost{{Host: "127.0.0.1", User: "guest", Port: gate.Port()}}
	ctx := context.Background()
	c, err := client.Dial(ctx, cfg.Host, &client.Options{
		NoFiles:  true,
		Config:   cfg,
		Signers:  []ssh.Signer{db.ClientKey},
		HostKeys: []ssh.PublicKey{db.HostKey()},
		JumpOptions: func(host string, o *client.Options) {
			o.HostKeys = []ssh.PublicKey{gate.HostKey()}
			o.Password = func(context.Context) (string, error) { return "let me in", nil }
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	out, err := c.Command(ctx, "echo through the gate").Output()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// through the gate
	// <nil>
}

// The server asks for a one-time code (RFC 4256), which a function answers.
func ExamplePrompterFuncs() {
	srv := start(&sshtest.Options{Users: []sshtest.User{{
		Name:   "test",
		Rounds: []sshtest.Round{{Prompts: []sshtest.Prompt{{Text: "Verification code: ", Answer: "123456"}}}},
	}}})
	defer srv.Close()
	newCode := func() string { return "123456" } // of the token

	cfg := sshconfig.Default("127.0.0.1", "test")
	cfg.Port = srv.Port()
	c, err := client.Dial(context.Background(), cfg.Host, &client.Options{
		NoFiles:  true,
		Config:   cfg,
		HostKeys: []ssh.PublicKey{srv.HostKey()},
		Prompter: client.PrompterFuncs{
			OnChallenge: func(_ context.Context, q client.ChallengeQuestion) ([]string, error) {
				answers := make([]string, len(q.Prompts)) // there may be none
				for i, p := range q.Prompts {
					if p.Text != "Verification code: " {
						return nil, fmt.Errorf("unexpected question %q", p.Text)
					}
					answers[i] = newCode()
				}
				return answers, nil
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.AuthMethod())
	// Output:
	// keyboard-interactive
}

// Errors have types: a program can decide what to do, and what to tell its user.
func ExampleConnError() {
	explain := func(err error) string {
		var broken *client.ConnError
		var denied *client.AuthError
		switch {
		case err == nil:
			return "connected"
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			return "given up"
		case errors.Is(err, hostkey.ErrVerification):
			return "this may be another server"
		case errors.As(err, &denied):
			return fmt.Sprintf("the server wants one of %q", denied.Methods)
		case errors.As(err, &broken) && client.Retryable(err):
			return fmt.Sprintf("try %s again later", broken.Peer())
		}
		return "not possible: " + err.Error()
	}

	srv := start(&sshtest.Options{Users: []sshtest.User{{Name: "test", Password: "secret"}}})
	cfg := sshconfig.Default("127.0.0.1", "test")
	cfg.Port = srv.Port()
	opts := &client.Options{NoFiles: true, Config: cfg}
	dial := func() error {
		c, err := client.Dial(context.Background(), cfg.Host, opts)
		if err == nil {
			c.Close()
		}
		return err
	}
	fmt.Println(explain(dial()))
	opts.HostKeys = []ssh.PublicKey{srv.HostKey()}
	fmt.Println(explain(dial()))
	opts.Password = func(context.Context) (string, error) { return "secret", nil }
	fmt.Println(explain(dial()))
	srv.Close()
	fmt.Println(explain(dial()))
	// Output:
	// this may be another server
	// the server wants one of ["password"]
	// connected
	// try 127.0.0.1 again later
}

// This runs a command on many hosts, on at most 10 at the same time.
func ExampleDial_manyHosts() {
	srv := start(nil)
	defer srv.Close()
	hosts := make([]string, 100)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("web-%d", i)
	}
	options := func(host string) *client.Options {
		cfg := sshconfig.Default(host, "test")
		cfg.HostName, cfg.Port = "127.0.0.1", srv.Port() // all are the same server here
		return &client.Options{NoFiles: true, Config: cfg,
			Signers: []ssh.Signer{srv.ClientKey}, HostKeys: []ssh.PublicKey{srv.HostKey()}}
	}

	run := func(ctx context.Context, host string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		c, err := client.Dial(ctx, host, options(host))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return c.Command(ctx, "echo up").Output()
	}

	var wg sync.WaitGroup
	slots := make(chan struct{}, 10)
	outputs, errs := make([][]byte, len(hosts)), make([]error, len(hosts))
	for i, host := range hosts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			outputs[i], errs[i] = run(context.Background(), host)
		})
	}
	wg.Wait()
	fmt.Println(bytes.Count(bytes.Join(outputs, nil), []byte("up\n")), errors.Join(errs...))
	// Output:
	// 100 <nil>
}

// A session with a terminal: without echo, in a window of 80 by 24.
func ExampleClient_Command_terminal() {
	ctx := context.Background()
	c, err := client.Dial(ctx, "web-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	cmd := c.Command(ctx, "top -b -n 1")
	cmd.TTY = &session.TTY{
		Term: "xterm-256color",
		Size: session.Size{Columns: 80, Rows: 24},
		Modes: ssh.TerminalModes{
			ssh.ECHO:          0,
			ssh.TTY_OP_ISPEED: 38400,
			ssh.TTY_OP_OSPEED: 38400,
		},
		Refused: func() { log.Print("the server gives no terminal") },
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	cmd.Resize(session.Size{Columns: 120, Rows: 40}) // when the window has changed
	if err := cmd.Wait(); err != nil {
		log.Fatal(err)
	}
}

// One session gets the user's agent, limited to one of its keys.
func ExampleOptions_agentForward() {
	keys, err := agentfwd.NewKeySet("SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	c, err := client.Dial(ctx, "deploy@web-1", &client.Options{
		AgentForward: &agentfwd.ForwarderConfig{ // the agent of SSH_AUTH_SOCK
			Policy: &agentfwd.Policy{Keys: keys},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	cmd := c.Command(ctx, "git pull")
	cmd.ForwardAgent = true
	if err := cmd.Run(); err != nil {
		log.Fatal(err)
	}
}

// This reaches a web server that only the SSH server can connect to.
func ExampleClient_DialContext() {
	c, err := client.Dial(context.Background(), "bastion", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	web := &http.Client{Transport: &http.Transport{DialContext: c.DialContext}}
	r, err := web.Get("http://intranet.internal/")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	io.Copy(io.Discard, r.Body)
}

// The server listens, and this program answers.
func ExampleClient_Listen() {
	c, err := client.Dial(context.Background(), "bastion", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	l, err := c.Listen(context.Background(), "tcp", "127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(l, http.NotFoundHandler()))
}

// This waits for the end of a connection and distinguishes its reasons.
func ExampleClient_Done() {
	c, err := client.Dial(context.Background(), "web-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	<-c.Done()
	switch err := c.Err(); {
	case errors.Is(err, client.ErrClosed):
		// Close was called.
	case errors.Is(err, keepalive.ErrPeerLost):
		fmt.Println("the server no longer answers")
	default:
		fmt.Println(err)
	}
}
