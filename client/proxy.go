package client

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

// commandConn is a net.Conn over the pipes of a ProxyCommand, which have
// deadlines.
type commandConn struct {
	cmd  *exec.Cmd
	job  *proxyJob // nil if the program shares the terminal's signals
	r, w *os.File

	closeOnce sync.Once
	waited    chan struct{} // closed when the process has been waited for
}

// startProxyCommand runs line by the user's shell, with exec in front as in ssh,
// so that the program replaces the shell. Closing the connection closes the
// program's standard input and sends SIGHUP.
//
// With apart, the program is protected from the signals of the terminal; see
// proxyJob.
func startProxyCommand(shell, line string, stderr *os.File, apart bool) (*commandConn, error) {
	theirIn, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	r, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		w.Close()
		return nil, err
	}
	cmd := shellCommand(shell, line)
	cmd.Stdin, cmd.Stdout = theirIn, theirOut
	if stderr != nil {
		cmd.Stderr = stderr
	}
	c := &commandConn{cmd: cmd, r: r, w: w, waited: make(chan struct{})}
	if apart {
		c.job = newProxyJob()
	}
	err = c.start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	return c, nil
}

func (c *commandConn) start() error {
	if c.job == nil {
		err := c.cmd.Start()
		if err == nil {
			go c.reap()
		}
		return err
	}
	started := make(chan error, 1)
	go func() { // like reap
		c.job.run(c.cmd, func(err error) { started <- err })
		close(c.waited)
	}()
	return <-started
}

// reap waits for the process, which ends soon after Close at the latest.
func (c *commandConn) reap() {
	c.cmd.Wait()
	close(c.waited)
}

func (c *commandConn) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if n > 0 && c.job != nil {
		c.job.takeBack() // data has come from the server, so the program asks nothing more
	}
	return n, err
}

func (c *commandConn) Write(p []byte) (int, error) { return c.w.Write(p) }

// proxyGrace is how long a ProxyCommand may take to exit after SIGHUP.
const proxyGrace = 2 * time.Second

// Close ends the process and waits until it has exited.
func (c *commandConn) Close() error {
	c.closeOnce.Do(func() {
		c.w.Close()
		c.r.Close()
		hangUp(c.cmd.Process)
		select {
		case <-c.waited:
		case <-time.After(proxyGrace):
			c.cmd.Process.Kill()
			<-c.waited
		}
	})
	return nil
}

// CloseWrite closes the program's standard input.
func (c *commandConn) CloseWrite() error { return c.w.Close() }

func (c *commandConn) LocalAddr() net.Addr  { return proxyAddr{} }
func (c *commandConn) RemoteAddr() net.Addr { return proxyAddr{} }

func (c *commandConn) SetDeadline(t time.Time) error {
	return errors.Join(c.r.SetReadDeadline(t), c.w.SetWriteDeadline(t))
}
func (c *commandConn) SetReadDeadline(t time.Time) error  { return c.r.SetReadDeadline(t) }
func (c *commandConn) SetWriteDeadline(t time.Time) error { return c.w.SetWriteDeadline(t) }

// proxyAddr is the address of a peer that only the ProxyCommand knows. It has
// ssh's values: UNKNOWN, with port 65535.
type proxyAddr struct{}

func (proxyAddr) Network() string { return "proxy" }
func (proxyAddr) String() string  { return "UNKNOWN:65535" }

var _ io.ReadWriteCloser = (*commandConn)(nil)

// dialProxyCommand calls startProxyCommand, unless ctx has ended.
func dialProxyCommand(ctx context.Context, shell, line string, stderr *os.File, apart bool) (net.Conn, error) {
	if err := contextError(ctx); err != nil {
		return nil, err
	}
	return startProxyCommand(shell, line, stderr, apart)
}

// ErrNoDescriptor means that a ProxyCommand did not pass back a connected
// descriptor (ProxyUseFdpass).
var ErrNoDescriptor = errors.New("client: the proxy command did not pass back a connection")

// ErrNoStdio means that ProxyCommand is "-" but Options.Stdio is not set.
var ErrNoStdio = errors.New("client: no standard input and output to connect over")

// proxy connects by ProxyCommand.
func (d *dialer) proxy(ctx context.Context) (net.Conn, error) {
	switch {
	case d.cfg.ProxyCommand == "-":
		if d.opts.Stdio == nil || d.parent != nil {
			return nil, d.connectError(ErrNoStdio)
		}
		return &stdioConn{ReadWriteCloser: d.opts.Stdio}, nil
	case d.cfg.ProxyUseFdpass:
		d.debugf("Executing proxy dialer command: %s", d.cfg.ProxyCommand)
		conn, err := passedConn(ctx, userShell(), d.cfg.ProxyCommand, d.opts.ProxyStderr)
		if err != nil {
			return nil, d.connectError(err)
		}
		return conn, nil
	}
	return d.proxyCommand(ctx)
}

// stdioConn is a net.Conn over Options.Stdio. It has no addresses and no
// deadlines.
type stdioConn struct {
	io.ReadWriteCloser
	once sync.Once
	err  error
}

func (c *stdioConn) Close() error {
	c.once.Do(func() { c.err = c.ReadWriteCloser.Close() })
	return c.err
}

func (c *stdioConn) LocalAddr() net.Addr  { return proxyAddr{} }
func (c *stdioConn) RemoteAddr() net.Addr { return proxyAddr{} }

func (c *stdioConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (c *stdioConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (c *stdioConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
