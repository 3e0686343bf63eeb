package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
)

// forwardStdio forwards standard input and output (-W).
func (f *foreground) forwardStdio(ctx context.Context, conn connection) error {
	c, to := conn.client, f.task.Target
	f.print.StdioRequested(to)
	number, free := c.Forwards().Number()
	f.print.ChannelOpened(number, "stdio-forward", "stdio-forward")
	denyMoreSessions(f.print, f.cfg, c)
	f.print.SessionBegins()
	forwarded, err := c.Forwards().OpenStdio(ctx, to)
	if err != nil {
		return &message.ChannelError{Channel: number, Err: err}
	}
	defer forwarded.Close()
	if err := f.ready.Announce(f.print, nil, false); err != nil {
		return err
	}
	in, err := terminal.NewInput(int(conn.std.Stdin.Fd()))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := terminal.NewOutput(int(conn.std.Stdout.Fd()))
	if err != nil {
		return err
	}
	defer out.Close()
	stop := context.AfterFunc(ctx, func() { forwarded.Close(); in.Cancel(); out.Cancel() })
	defer stop()
	ended := make(chan struct{})
	go func() { // ends with the connection or with this function
		select {
		case <-c.Done():
			in.Cancel()
		case <-ended:
		}
	}()
	err = forwarded.Run(in, stdoutCloser{out, conn.std.Stdout})
	close(ended)
	switch {
	case context.Cause(ctx) != nil:
		err = context.Cause(ctx)
	case c.Err() != nil:
		err = c.Err()
	case errors.Is(err, terminal.ErrCanceled), errors.Is(err, io.EOF):
		err = nil
	}
	f.print.StdioEnded(number, to, free, err)
	if err == nil {
		return nil
	}
	return &message.ChannelError{Channel: number, Err: err}
}

// stdoutCloser closes standard output when the target ends its output.
type stdoutCloser struct {
	io.Writer
	stdout *os.File
}

func (s stdoutCloser) Close() error { return s.stdout.Close() }
