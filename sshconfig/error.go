package sshconfig

import (
	"errors"
	"strings"
)

// Problem is one line of what is wrong.
type Problem struct {
	File string // the file, "command-line", or "" if it is about none
	Line int    // from 1; 0 if it is about no line
	Text string // the whole line as OpenSSH prints it, File and Line included
	// Level is that of ssh's log which the line is for. LogQuiet is a line that
	// ssh prints past its log, and ends in \n where those of the log end in \r\n.
	Level LogLevel
}

// Error means that OpenSSH would stop with this configuration. It has all lines
// that ssh prints before it stops, in order. With LogLevel QUIET there are none.
type Error struct {
	Problems []Problem
	Usage    bool // ssh prints its usage message after the lines
}

// Error returns the lines, separated by newlines.
func (e *Error) Error() string {
	if len(e.Problems) == 0 {
		return "bad configuration"
	}
	return strings.Join(e.Lines(), "\n")
}

// Lines returns the text of each problem.
func (e *Error) Lines() []string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Text
	}
	return lines
}

// ErrNotLoaded is returned by the methods of a Config that need what only Load
// records.
var ErrNotLoaded = errors.New("sshconfig: the configuration was not loaded")

// ErrUsage means that ssh answers a destination or a flag with its usage message.
var ErrUsage = errors.New("usage")
