package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/gossh-project/gossh/sshconfig"
)

// console is where messages go: standard error, the file of -E, or the
// system's log. Lines end in \r\n, as ssh's do: the terminal may be raw.
type console struct {
	mu     sync.Mutex
	w      io.Writer
	stderr io.Writer // for what is no message of ours; it is not redirected
	system systemLog // with -y, in place of w
	file   bool      // messages go elsewhere than to standard error
	level  sshconfig.LogLevel
}

// systemLog takes a message of a level to the system's log.
type systemLog func(level sshconfig.LogLevel, text string)

func newConsole(stderr io.Writer) *console {
	return &console{w: stderr, stderr: stderr, level: sshconfig.LogInfo}
}

// logFileError is a file of -E that cannot be opened.
type logFileError struct {
	name string
	err  error
}

func (e *logFileError) Error() string {
	return fmt.Sprintf("Couldn't open logfile %s: %s", e.name, errnoText(e.err))
}

// toFile sends what follows to the end of a file (-E).
func (c *console) toFile(name string) error {
	if c.file {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return &logFileError{name, err}
	}
	c.w, c.file = f, true
	return nil
}

// toSystem sends what follows to the system's log (-y).
func (c *console) toSystem(log systemLog) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.system, c.file = log, true
}

// printf prints a line if the LogLevel lets its level through.
func (c *console) printf(level sshconfig.LogLevel, format string, args ...any) {
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

func (c *console) fatal(format string, args ...any) { c.printf(sshconfig.LogFatal, format, args...) }
func (c *console) error(format string, args ...any) { c.printf(sshconfig.LogError, format, args...) }
func (c *console) info(format string, args ...any)  { c.printf(sshconfig.LogInfo, format, args...) }

// configLine prints a line of package sshconfig, which words it to the letter
// and has already left out what the LogLevel of its moment leaves out.
func (c *console) configLine(line sshconfig.Problem) {
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

// plain prints a line past the log.
func (c *console) plain(text string) { c.configLine(sshconfig.Problem{Text: text}) }

// raw writes text as it is to standard error, if anything but silence was asked
// for.
func (c *console) raw(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.level > sshconfig.LogQuiet {
		io.WriteString(c.stderr, text)
	}
}

// last prints a line that ssh puts behind the output of the remote program: on
// standard error, whatever the log is.
func (c *console) last(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.stderr, fmt.Sprintf(format, args...)+"\r\n")
}

// getLevel and setLevel are for the escapes ~v and ~V.
func (c *console) getLevel() sshconfig.LogLevel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.level
}

func (c *console) setLevel(l sshconfig.LogLevel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.level = l
}

// logger gives the packages below a way to say the lines of -v.
func (c *console) logger() *slog.Logger { return slog.New(logHandler{c}) }

// logHandler prints "debug1: …". Attributes are not used by anyone.
type logHandler struct{ c *console }

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
	return logLevelOf(l) <= h.c.getLevel()
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
	h.c.printf(level, "%s%s%s", prefix, r.Message, attrs.String())
	return nil
}

func (h logHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h logHandler) WithGroup(string) slog.Handler      { return h }
