package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshconfig"
)

// errNoControlPath is -O without a socket to send to.
func errNoControlPath() error { return message.Errorf("No ControlPath specified for \"-O\" command") }

// control is -O: one request to a master.
func (p *program) control(ctx context.Context) (int, error) {
	command := p.flags.control
	if p.cfg.ControlPath == "" {
		return 0, errNoControlPath()
	}
	opts := mux.ClientOptions{HelloTimeout: p.cfg.ConnectTimeout, Logger: p.print.Logger()}
	var err error
	if command == "proxy" { // the one with sessions
		if opts.AgentSocket, err = p.agentForMaster(); err != nil {
			return 0, err
		}
	}
	mc, err := mux.Connect(ctx, p.cfg.ControlPath, opts)
	if err != nil {
		return 0, message.ControlError(p.cfg.ControlPath, err)
	}
	defer mc.Close()
	switch command {
	case "check":
		return p.controlCheck(ctx, mc)
	case "forward":
		if err := p.muxForwards(ctx, mc.OpenForward); err != nil {
			return 0, message.Errorf("muxclient: master forward request failed")
		}
		return 0, nil
	case "cancel":
		if err := p.muxForwards(ctx, closing(mc)); err != nil {
			return 0, message.Errorf("muxclient: master cancel forward request failed")
		}
		return 0, nil
	case "proxy":
		return p.proxied(ctx, mc)
	case "conninfo", "channels":
		return p.controlInfo(ctx, mc, command)
	}
	return p.controlEnd(ctx, mc, command)
}

// closing has the shape of an opening that gives no port.
func closing(mc *mux.Client) func(context.Context, forward.Spec) (int, error) {
	return func(ctx context.Context, spec forward.Spec) (int, error) { return 0, mc.CloseForward(ctx, spec) }
}

// controlCheck says that the master is there and, of one of ours, whether its
// server is: a master that was wedged by an outage runs, too.
func (p *program) controlCheck(ctx context.Context, mc *mux.Client) (int, error) {
	status, err := mc.Alive(ctx)
	if err != nil {
		return 0, message.ControlError(p.cfg.ControlPath, err)
	}
	text := fmt.Sprintf("Master running (pid=%d)\r\n", status.PID) // even with -q
	if status.Known && p.print.Level() > sshconfig.LogQuiet {
		text += fmt.Sprintf("server last heard %v ago%s\r\n", status.Silence.Round(100*time.Millisecond), message.MasterLink(status))
	}
	io.WriteString(p.std.Stderr, text)
	return 0, nil
}

// controlEnd is -O exit and -O stop.
func (p *program) controlEnd(ctx context.Context, mc *mux.Client, command string) (int, error) {
	ask, said, what := mc.Terminate, "Exit request sent.", "termination"
	if command == "stop" {
		ask, said, what = mc.Stop, "Stop listening request sent.", "stop listening"
	}
	err := ask(ctx)
	var refused *mux.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Denied:
		return 0, message.Errorf("Master refused %s request: %s", what, refused.Reason)
	case errors.As(err, &refused):
		return 0, message.Errorf("%s request failed: %s", what, refused.Reason)
	case err != nil && !(command == "exit" && errors.Is(err, mux.ErrMasterGone)):
		return 0, message.ControlError(p.cfg.ControlPath, err)
	}
	if p.print.Level() > sshconfig.LogQuiet {
		io.WriteString(p.std.Stderr, said+"\r\n")
	}
	return 0, nil
}

// controlInfo is -O conninfo and -O channels.
func (p *program) controlInfo(ctx context.Context, mc *mux.Client, command string) (int, error) {
	what := "channels"
	if command == "conninfo" {
		what = "connection"
	}
	if !mc.HasInfo() {
		return 0, message.Errorf("mux server does not support info request")
	}
	text, err := mc.Info(ctx, what)
	if err != nil {
		return 0, message.ControlError(p.cfg.ControlPath, err)
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		words := strings.TrimRight(line, "\r\n")
		b.WriteString(message.Printable(strings.ReplaceAll(words, "\r", "")) + line[len(words):])
	}
	_, err = io.WriteString(p.std.Stdout, b.String())
	return 0, err
}

// muxPort tells the port that the server chose: alone on standard output for
// -O forward, which scripts read, and else at -v, as ssh has it.
func (p *program) muxPort(port int, spec forward.Spec) {
	if p.flags.control != "" {
		fmt.Fprintf(p.std.Stdout, "%d\n", port)
		return
	}
	p.print.Printf(sshconfig.LogVerbose, "Allocated port %d for remote forward to %s", port, spec.Connect)
}
