package message

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// Console prints messages to standard error, to the file of -E, or to the
// system log. Lines end in \r\n because the terminal may be raw. A Console is
// safe for concurrent use.
type Console struct {
	mu     sync.Mutex
	w      io.Writer
	stderr io.Writer // for banners and the like, which are never redirected
	system systemLog // with -y, in place of w
	moved  bool      // messages do not go to standard error
	level  sshconfig.LogLevel
}

// systemLog writes a message to the system log.
type systemLog func(level sshconfig.LogLevel, text string)

// NewConsole returns a Console that prints to stderr at LogLevel INFO.
func NewConsole(stderr io.Writer) *Console {
	return &Console{w: stderr, stderr: stderr, level: sshconfig.LogInfo}
}

// LogFileError reports a file of -E that cannot be opened.
type LogFileError struct {
	Name string
	Err  error
}

func (e *LogFileError) Error() string {
	return fmt.Sprintf("Couldn't open logfile %s: %s", e.Name, Errno(e.Err))
}

func (e *LogFileError) Unwrap() error { return e.Err }

// ToFile appends all further messages to a file (-E). Only the first call has
// an effect.
func (c *Console) ToFile(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moved {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return &LogFileError{name, err}
	}
	c.w, c.moved = f, true
	return nil
}

// ToSyslog sends all further messages to the system log (-y) under a tag. If no
// log daemon runs they are lost, as ssh's are. On a system without syslog they
// stay where they are.
func (c *Console) ToSyslog(facility, tag string) {
	if log, ok := openSyslog("", "", facility, tag); ok {
		c.toSystem(log)
	}
}

func (c *Console) toSystem(log systemLog) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.system, c.moved = log, true
}

// Moved reports whether messages go elsewhere than to standard error.
func (c *Console) Moved() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moved
}

// Printf prints a line if the LogLevel is at least level.
func (c *Console) Printf(level sshconfig.LogLevel, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if level > c.level {
		return
	}
	text := fmt.Sprintf(format, args...)
	if c.system != nil {
		c.system(level, text)
		return
	}
	io.WriteString(c.w, logText(text)+"\r\n")
}

// Fatalf prints a line at FATAL. It does not end the program.
func (c *Console) Fatalf(format string, args ...any) { c.Printf(sshconfig.LogFatal, format, args...) }

// Errorf prints a line at ERROR.
func (c *Console) Errorf(format string, args ...any) { c.Printf(sshconfig.LogError, format, args...) }

// Infof prints a line at INFO, the default level.
func (c *Console) Infof(format string, args ...any) { c.Printf(sshconfig.LogInfo, format, args...) }

// Debugf prints a line of -v, with "debug1: " in front.
func (c *Console) Debugf(format string, args ...any) {
	c.Printf(sshconfig.LogDebug1, "debug1: "+format, args...)
}

// ConfigLine prints a line of package sshconfig as it is. The package has
// already filtered it by the LogLevel in force when the line was read.
func (c *Console) ConfigLine(line sshconfig.Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case line.Level == sshconfig.LogQuiet:
		io.WriteString(c.stderr, line.Text+"\n")
	case c.system != nil:
		c.system(line.Level, line.Text)
	default:
		io.WriteString(c.w, line.Text+"\r\n")
	}
}

// Plain prints a line to standard error at any LogLevel.
func (c *Console) Plain(text string) { c.ConfigLine(sshconfig.Problem{Text: text}) }

// Raw writes text to standard error as it is, unless the LogLevel is QUIET.
func (c *Console) Raw(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.level > sshconfig.LogQuiet {
		io.WriteString(c.stderr, text)
	}
}

// Last prints a line to standard error wherever messages go. ssh prints such
// lines after the output of the remote program.
func (c *Console) Last(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.stderr, fmt.Sprintf(format, args...)+"\r\n")
}

// Level returns the LogLevel.
func (c *Console) Level() sshconfig.LogLevel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.level
}

// SetLevel changes the LogLevel.
func (c *Console) SetLevel(l sshconfig.LogLevel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.level = l
}

// Logger returns a logger that prints to c, debug lines as ssh's "debug1: ".
func (c *Console) Logger() *slog.Logger { return slog.New(logHandler{c}) }

// logHandler prints records with their own attributes. It ignores WithAttrs and
// WithGroup, which the packages below do not use.
type logHandler struct{ c *Console }

func logLevelOf(l slog.Level) sshconfig.LogLevel {
	switch {
	case l >= slog.LevelError:
		return sshconfig.LogError
	case l >= slog.LevelInfo:
		return sshconfig.LogInfo
	case l > slog.LevelDebug:
		return sshconfig.LogVerbose
	case l == slog.LevelDebug:
		return sshconfig.LogDebug1
	case l >= slog.LevelDebug-1:
		return sshconfig.LogDebug2
	}
	return sshconfig.LogDebug3
}

func (h logHandler) Enabled(_ context.Context, l slog.Level) bool {
	return logLevelOf(l) <= h.c.Level()
}

func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	level := logLevelOf(r.Level)
	prefix := ""
	if level >= sshconfig.LogDebug1 {
		prefix = fmt.Sprintf("debug%d: ", level-sshconfig.LogVerbose)
	}
	var attrs strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&attrs, " %s=%v", a.Key, a.Value)
		return true
	})
	h.c.Printf(level, "%s%s%s", prefix, r.Message, attrs.String())
	return nil
}

func (h logHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h logHandler) WithGroup(string) slog.Handler      { return h }

// ExecFailed prints that an askpass program cannot be run.
func (c *Console) ExecFailed(e *terminal.ExecError) {
	if e.Notice {
		c.Errorf("notify_start: exec(%s): %s", e.Program, Errno(e.Err))
		return
	}
	c.Fatalf("ssh_askpass: exec(%s): %s", e.Program, Errno(e.Err))
}
