package share

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshconfig"
	"golang.org/x/crypto/ssh"
)

// Control sends one command of -O to a master.
type Control struct {
	Print   *message.Printer
	Config  *sshconfig.Config
	Std     process.Std
	Back    *backchannel.Forwarding
	Command string
}

// Run sends the command, which is not "proxy".
func (c *Control) Run(ctx context.Context) error {
	mc, err := c.connect(ctx, mux.ClientOptions{})
	if err != nil {
		return err
	}
	defer mc.Close()
	switch c.Command {
	case "check":
		return c.check(ctx, mc)
	case "forward":
		if err := c.forEachForward(ctx, requesting(c.Print, mc)); err != nil {
			return message.Errorf("muxclient: master forward request failed")
		}
		return nil
	case "cancel":
		if err := c.forEachForward(ctx, closing(c.Print, mc)); err != nil {
			return message.Errorf("muxclient: master cancel forward request failed")
		}
		return nil
	case "conninfo", "channels":
		return c.info(ctx, mc)
	}
	return c.end(ctx, mc)
}

// Proxy asks the master to pass on packets (-O proxy), and calls run with what is
// a connection of our own then.
func (c *Control) Proxy(ctx context.Context, run func(ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request) error) error {
	agent, err := agentSocket(c.Back)
	if err != nil {
		return err
	}
	mc, err := c.connect(ctx, mux.ClientOptions{AgentSocket: agent})
	if err != nil {
		return err
	}
	defer mc.Close()
	conn, chans, reqs, err := mc.Proxy(ctx)
	var refused *mux.RefusedError
	switch {
	case errors.As(err, &refused):
		return message.Errorf("mux_client_proxy: master returned error: %s", refused.Reason)
	case err != nil:
		return message.ControlError(c.Config.ControlPath, err)
	}
	return run(conn, chans, reqs)
}

// connect connects to the master at ControlPath.
func (c *Control) connect(ctx context.Context, o mux.ClientOptions) (*mux.Client, error) {
	o.HelloTimeout, o.Logger = c.Config.ConnectTimeout, c.Print.Logger()
	mc, err := mux.Connect(ctx, c.Config.ControlPath, o)
	if err != nil {
		return nil, message.ControlError(c.Config.ControlPath, err)
	}
	return mc, nil
}

// forEachForward prints ports that the server chose alone on standard output,
// where scripts read them.
func (c *Control) forEachForward(ctx context.Context, do func(context.Context, forward.Spec) (int, error)) error {
	return forEachForward(ctx, c.Print, c.Config, do, func(port int, _ forward.Spec) {
		fmt.Fprintf(c.Std.Stdout, "%d\n", port)
	})
}

// requesting returns OpenForward, with a message.
func requesting(print *message.Printer, mc *mux.Client) func(context.Context, forward.Spec) (int, error) {
	return func(ctx context.Context, spec forward.Spec) (int, error) {
		print.RequestingForward(spec)
		return mc.OpenForward(ctx, spec)
	}
}

// closing returns CloseForward in the form of OpenForward, with a message.
func closing(print *message.Printer, mc *mux.Client) func(context.Context, forward.Spec) (int, error) {
	return func(ctx context.Context, spec forward.Spec) (int, error) {
		print.CancellingForward(spec)
		return 0, mc.CloseForward(ctx, spec)
	}
}

// check prints that the master runs and, for a gossh master, how its connection
// does: a master runs through an outage.
func (c *Control) check(ctx context.Context, mc *mux.Client) error {
	status, err := mc.Alive(ctx)
	if err != nil {
		return message.ControlError(c.Config.ControlPath, err)
	}
	text := fmt.Sprintf("Master running (pid=%d)\r\n", status.PID) // even with -q
	if status.Known && c.Print.Level() > sshconfig.LogQuiet {
		text += fmt.Sprintf("server last heard %v ago%s\r\n", status.Silence.Round(100*time.Millisecond), message.MasterLink(status))
	}
	io.WriteString(c.Std.Stderr, text)
	return nil
}

// end runs -O exit and -O stop.
func (c *Control) end(ctx context.Context, mc *mux.Client) error {
	request, done, what := mc.Terminate, "Exit request sent.", "termination"
	if c.Command == "stop" {
		request, done, what = mc.Stop, "Stop listening request sent.", "stop listening"
	}
	err := request(ctx)
	var refused *mux.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Denied:
		return message.Errorf("Master refused %s request: %s", what, refused.Reason)
	case errors.As(err, &refused):
		return message.Errorf("%s request failed: %s", what, refused.Reason)
	case err != nil && !(c.Command == "exit" && errors.Is(err, mux.ErrMasterGone)):
		return message.ControlError(c.Config.ControlPath, err)
	}
	if c.Print.Level() > sshconfig.LogQuiet {
		io.WriteString(c.Std.Stderr, done+"\r\n")
	}
	return nil
}

// info runs -O conninfo and -O channels.
func (c *Control) info(ctx context.Context, mc *mux.Client) error {
	what := "channels"
	if c.Command == "conninfo" {
		what = "connection"
	}
	if !mc.HasInfo() {
		return message.Errorf("mux server does not support info request")
	}
	text, err := mc.Info(ctx, what)
	if err != nil {
		return message.ControlError(c.Config.ControlPath, err)
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		words := strings.TrimRight(line, "\r\n")
		b.WriteString(message.Printable(strings.ReplaceAll(words, "\r", "")) + line[len(words):])
	}
	_, err = io.WriteString(c.Std.Stdout, b.String())
	return err
}
