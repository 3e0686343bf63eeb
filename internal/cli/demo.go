package cli

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// demoRunner shows the program at work without a server: it starts one in the
// process, on a loopback port, with keys and files in a temporary directory, and
// connects to it. It neither reads nor writes anything outside that directory.
type demoRunner struct{ environment }

func (r *demoRunner) run(ctx context.Context) (int, error) {
	dir, err := os.MkdirTemp("", "gossh-demo-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	srv, config, err := startDemo(dir)
	if err != nil {
		return 0, err
	}
	defer srv.Close()
	fmt.Fprintf(r.std.Stderr, "A server is listening on %s, for this demonstration alone.\n", srv.Addr())
	if terminal.IsTerminal(int(r.std.Stdin.Fd())) && terminal.IsTerminal(int(r.std.Stdout.Fd())) {
		fmt.Fprintf(r.std.Stderr, "This is `%s demo`: a shell on it. Type exit to leave, or ~? behind Enter for the escapes.\n", r.print.Program)
		return run(ctx, r.environment, []string{r.print.Program, "-F", config, "demo"}), nil
	}
	return 0, r.runCommands(ctx, config)
}

// startDemo starts the server and writes the files that a client needs.
func startDemo(dir string) (*sshtest.Server, string, error) {
	key, err := sshtest.NewKey(ssh.KeyAlgoED25519)
	if err != nil {
		return nil, "", err
	}
	signer, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		return nil, "", err
	}
	block, err := ssh.MarshalPrivateKey(key, "gossh demo")
	if err != nil {
		return nil, "", err
	}
	opts, err := sshtest.Demo(signer.PublicKey())
	if err != nil {
		return nil, "", err
	}
	srv, err := sshtest.Start(&opts)
	if err != nil {
		return nil, "", err
	}
	config := filepath.Join(dir, "config")
	lines := []string{
		"Host demo", "\tHostName 127.0.0.1", fmt.Sprintf("\tPort %d", srv.Port()),
		"\tIdentityFile " + quoted(filepath.Join(dir, "id_demo")), "\tIdentitiesOnly yes", "\tIdentityAgent none",
		"\tUserKnownHostsFile " + quoted(filepath.Join(dir, "known_hosts")), "\tGlobalKnownHostsFile none",
	}
	files := map[string]string{
		config:                            strings.Join(lines, "\n") + "\n",
		filepath.Join(dir, "id_demo"):     string(pem.EncodeToMemory(block)),
		filepath.Join(dir, "known_hosts"): srv.KnownHosts(),
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			srv.Close()
			return nil, "", err
		}
	}
	return srv, config, nil
}

// quoted returns a word of ssh_config. A percent sign begins a token there.
func quoted(s string) string { return `"` + strings.ReplaceAll(filepath.ToSlash(s), "%", "%%") + `"` }

// demoLines returns the commands that are shown without a terminal.
func demoLines() []string {
	return []string{
		"echo hello from the other side",
		"cat",
		"echo this goes to stderr >&2; exit 3",
	}
}

// runCommands runs a few commands and prints what happens.
func (r *demoRunner) runCommands(ctx context.Context, config string) error {
	out := r.std.Stdout
	cfg, err := sshconfig.Load(ctx, "demo", sshconfig.Options{UserFile: config})
	if err != nil {
		return err
	}
	print := r.withConfig(cfg).print
	c, err := client.Dial(ctx, "demo", &client.Options{Config: cfg, Notify: print.Event, Logger: print.Logger()})
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintf(out, "Connected: %s, authenticated by %s.\n", c.Conn().ServerVersion(), c.AuthMethod())
	for _, line := range demoLines() {
		fmt.Fprintf(out, "\n$ %s demo '%s'\n", r.print.Program, line)
		cmd := c.Command(ctx, line)
		cmd.Stdin = strings.NewReader("what is typed here comes back\n")
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(out, "(%v)\n", err)
		}
	}
	io.WriteString(out, "\nOn a terminal the same command gives a shell.\n")
	return nil
}
