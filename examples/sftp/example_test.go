package sftp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// This writes a file on the server and reads it back.
func Example() {
	dir, err := os.MkdirTemp("", "sftp")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	srv, err := sshtest.Start(&sshtest.Options{Subsystems: map[string]sshtest.Handler{"sftp": serveFiles}})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()

	ctx := context.Background()
	cfg := sshconfig.Default("127.0.0.1", "test")
	cfg.Port = srv.Port()
	c, err := client.Dial(ctx, cfg.Host, &client.Options{NoFiles: true, Config: cfg,
		Signers: []ssh.Signer{srv.ClientKey}, HostKeys: []ssh.PublicKey{srv.HostKey()}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	files, err := open(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()

	name := filepath.Join(dir, "greeting")
	f, err := files.Create(name)
	if err != nil {
		log.Fatal(err)
	}
	io.WriteString(f, "hello")
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
	if f, err = files.Open(name); err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	fmt.Printf("%s %v\n", text, err)
	// Output:
	// hello <nil>
}

// open starts the sftp subsystem. The end of ctx ends it.
func open(ctx context.Context, c *client.Client) (*sftp.Client, error) {
	cmd := c.Subsystem(ctx, "sftp")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return sftp.NewClientPipe(out, in)
}

// channel lets package sftp close its end.
type channel struct{ *sshtest.Session }

func (channel) Close() error { return nil }

// serveFiles is the server's end of the subsystem.
func serveFiles(s *sshtest.Session) sshtest.Exit {
	server, err := sftp.NewServer(channel{s})
	if err != nil {
		return sshtest.Status(1)
	}
	server.Serve()
	return sshtest.Exit{}
}
