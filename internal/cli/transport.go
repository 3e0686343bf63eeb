package cli

import (
	"io"
	"os"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
)

// setQoS marks the connection as IPQoS says for what it is used for.
func (p *program) setQoS(c *client.Client, interactive bool) {
	class := p.cfg.IPQoS.Bulk
	if interactive {
		class = p.cfg.IPQoS.Interactive
	}
	if err := c.SetQoS(class); err != nil {
		p.print.Debugf("IPQoS 0x%02x: %s", int(class), message.Errno(err))
	}
}

// takeStdio gives standard input and output to the connection where
// ProxyCommand is "-", and the null device to whatever else would use them.
func (p *program) takeStdio() (io.ReadWriteCloser, error) {
	if p.cfg.ProxyCommand != "-" {
		return nil, nil
	}
	in, err := terminal.NewInput(int(p.std.Stdin.Fd()))
	if err != nil {
		return nil, err
	}
	out, err := terminal.NewOutput(int(p.std.Stdout.Fd()))
	if err != nil {
		in.Close()
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	s := &stdio{in: in, out: out, was: p.std}
	p.std.Stdin, p.std.Stdout = null, null
	return s, nil
}

// stdio is standard input and output as one connection.
type stdio struct {
	in  *terminal.Input
	out *terminal.Output
	was Std // keeps the files from being closed by the garbage collector
}

func (s *stdio) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *stdio) Write(p []byte) (int, error) { return s.out.Write(p) }

// Close ends what blocks, and closes both: the peer sees the end.
func (s *stdio) Close() error {
	s.in.Close()
	s.out.Close()
	s.was.Stdin.Close()
	return s.was.Stdout.Close()
}
