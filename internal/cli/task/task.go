// Package task describes what an invocation runs over its connection.
package task

import (
	"fmt"
	"strings"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/pattern"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// Kind is the kind of a task.
type Kind int

const (
	Session Kind = iota // a shell, a command or a subsystem
	Stdio               // -W: standard input and output are forwarded
	None                // -N: forwardings only
)

// Task is what an invocation runs over its connection.
type Task struct {
	Kind      Kind
	Command   string // of a Session; "" for a shell
	Subsystem bool   // Command names a subsystem
	TTY       bool   // a terminal is requested
	ForceTTY  bool   // even though standard input is not one
	StdinNull bool   // standard input is not read
	Target    forward.Addr
}

// New returns the task that cfg and the command of the command line ask for.
// terminal reports whether standard input is a terminal.
func New(cfg *sshconfig.Config, command string, terminal bool) Task {
	t := Task{Command: command, StdinNull: cfg.StdinNull}
	if t.Command == "" {
		t.Command = cfg.RemoteCommand
	}
	switch {
	case !cfg.StdioForward.IsZero():
		t.Kind, t.Target = Stdio, cfg.StdioForward
		return t
	case cfg.SessionType == sshconfig.SessionNone:
		t.Kind = None
		return t
	}
	t.Subsystem = cfg.SessionType == sshconfig.SessionSubsystem
	t.ForceTTY = cfg.RequestTTY == sshconfig.RequestTTYForce
	wanted := t.ForceTTY || cfg.RequestTTY == sshconfig.RequestTTYYes ||
		cfg.RequestTTY != sshconfig.RequestTTYNo && t.Command == ""
	t.TTY = wanted && (t.ForceTTY || terminal && !cfg.StdinNull)
	return t
}

// String describes the task in a few words.
func (t Task) String() string {
	var what string
	switch {
	case t.Kind == Stdio:
		return "forward standard input and output to " + t.Target.String()
	case t.Kind == None:
		return "no session"
	case t.Subsystem:
		what = fmt.Sprintf("subsystem %q", t.Command)
	case t.Command != "":
		what = fmt.Sprintf("command %q", t.Command)
	default:
		what = "shell"
	}
	if t.TTY {
		what += " with a terminal"
	}
	if t.StdinNull {
		what += " without input"
	}
	return what
}

// Environment returns the variables to send: those of environ that SendEnv
// selects, and then those of SetEnv.
func Environment(cfg *sshconfig.Config, environ []string) []session.EnvVar {
	var out []session.EnvVar
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if ok && SendsEnv(cfg, name) {
			out = append(out, session.EnvVar{Name: name, Value: value})
		}
	}
	return append(out, SetEnvironment(cfg)...)
}

// SetEnvironment returns the variables of SetEnv.
func SetEnvironment(cfg *sshconfig.Config) (out []session.EnvVar) {
	for _, v := range cfg.SetEnv {
		out = append(out, session.EnvVar{Name: v.Name, Value: v.Value})
	}
	return out
}

// SendsEnv reports whether SendEnv selects a variable.
func SendsEnv(cfg *sshconfig.Config, name string) bool { return matchesAny(cfg.SendEnv, name) }

// Term returns $TERM for the remote terminal: that of SetEnv, or else that of the
// environment.
func Term(cfg *sshconfig.Config, getenv func(string) string) string {
	for _, v := range cfg.SetEnv {
		if v.Name == "TERM" && v.Value != "" {
			return v.Value
		}
	}
	return getenv("TERM")
}

// matchesAny reports whether a name matches one of the patterns.
func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if pattern.Match(name, p) {
			return true
		}
	}
	return false
}

// Size converts the size of a terminal to that of a session.
func Size(s terminal.Size) session.Size {
	return session.Size{Columns: s.Columns, Rows: s.Rows, Width: s.WidthPixels, Height: s.HeightPixels}
}
