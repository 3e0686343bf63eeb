package sshconfig

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
)

// Directive is a part of the command line that sets something: an option letter of
// ssh(1) with its argument, or the text of a -o. Use Option or Flag to make one.
type Directive struct {
	// Flag returns the Directive of any option but -o that changes the
	// configuration. The value is taken unchanged: it is not split, unquoted or
	// stripped of comments. Letters that configure nothing (-G, -O, -y …) are
	// errors.
	//
	// A user or a port in the destination is Flag('l', user) or Flag('p', port),
	// in the place of the destination.
	Flag byte
	// Value is the letter's argument, as it stands on the command line.
	Value string
}

// Option returns the Directive of -o: a line of ssh_config(5), "Port=2222" or
// "Port 2222".
func Option(line string) Directive { return Directive{Flag: 'o', Value: line} }

// Flag is any other option of ssh(1) that changes the configuration. The
// value is taken as it is: it is not split, unquoted or stripped of comments.
// Letters that configure nothing (-G, -O, -y …) are errors.
//
// A user or a port in the destination is Flag('l', user) and Flag('p', port),
// at the place where the destination stands.
func Flag(letter byte, value string) Directive { return Directive{Flag: letter, Value: value} }

// Resolver looks host names up for CanonicalizeHostname and
// CanonicalizePermittedCNAMEs. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupCNAME(ctx context.Context, host string) (string, error)
}

// Options says where a configuration comes from. Its zero value reads the
// files of the user who runs the process, as `ssh host` does.
type Options struct {
	// CommandLine is what the command line sets, in its order. It comes before
	// every file, and so wins.
	CommandLine []Directive
	// User and Port are those of a destination, or zero. They count after
	// CommandLine, as for options in front of the destination; with options
	// behind it, see [Flag].
	User string
	Port int
	// Command is the remote command of the command line, joined with single
	// spaces; empty if there is none.
	Command string

	// UserFile is -F: it is read in place of every other file. "none" (in any
	// case) reads no file at all. Empty means ~/.ssh/config and SystemFile, both
	// of which may be missing.
	UserFile string
	// SystemFile is read after the user's file. Empty means
	// /etc/ssh/ssh_config (on Windows, %ProgramData%\ssh\ssh_config).
	SystemFile string
	// GosshFile holds the keywords that only this program knows and is read
	// before the user's file. Empty means ~/.ssh/gossh_config, and no file at
	// all if UserFile is set; "none" means no file. It may be missing.
	GosshFile string

	// Home is the user's home directory: ~ and the place of .ssh. Empty means
	// the one of the user database, not $HOME, as for OpenSSH.
	Home string
	// LocalUser is the name of the user who runs the process. Empty means what
	// the user database says.
	LocalUser string
	// UID owns the configuration files, and is %i. Nil means the process's.
	UID *int
	// Hostname is this machine's name, %l and %L. Empty means os.Hostname.
	Hostname string
	// Getenv reads the environment for ${NAME} and $SHELL. Nil means
	// os.LookupEnv.
	Getenv func(name string) (value string, ok bool)
	// LookupHome finds the home directory of another user, for ~user. Nil means
	// the user database.
	LookupHome func(user string) (string, error)
	// Version is the version that `Match version` compares. Empty means the
	// release of OpenSSH that this package follows, "OpenSSH_10.5p1", so that a
	// configuration for ssh has the same effect here.
	Version string
	// Resolver is used for canonicalisation only. Nil means the
	// system's, with all sources that nsswitch.conf names.
	Resolver Resolver
	// LocalAddrs lists the addresses of the interfaces that are up, for `Match
	// localnetwork`. Nil asks the system.
	LocalAddrs func() ([]netip.Addr, error)

	// Stderr is the standard error of Match exec's commands. Nil means the
	// process's own.
	Stderr io.Writer

	// DumpOnly stops where `ssh -G` stops: values that it prints as they were
	// written (IdentityFile, ProxyCommand …) may hold tokens that do not
	// expand, which is otherwise an error. Such values are left as they were.
	DumpOnly bool

	// Logger gets the lines of ssh -v: slog.LevelDebug is debug1, one level
	// below it debug2, two below debug3. Nil means none.
	Logger *slog.Logger
	// Warn gets, at once, each line that ssh prints at its usual log level
	// without giving up, such as an unsupported keyword. Nil drops them. After
	// a first error has been met such lines are found in [Error] instead, so
	// that the order is kept.
	Warn func(Problem)
	// Begin is called once CommandLine has been found right, and before any file
	// is read: it is where ssh opens its log (-E, -y). level is what it says up
	// to when the files have been read. Its error ends the Load.
	Begin func(level LogLevel) error
	// Terminal says whether standard input is a terminal. If it is set, and a
	// session would ask for a pseudo-terminal without there being one, Warn gets
	// ssh's line about that, in its place among the others.
	Terminal func() bool
}

// CheckCommandLine checks only the CommandLine of opts, for the errors that ssh
// reports while it parses its arguments. The error is as that of Load.
func CheckCommandLine(ctx context.Context, opts Options) error {
	l := newLoader(ctx, opts)
	err := l.identifyUser()
	if err == nil {
		err = l.commandLine()
	}
	if err != nil {
		return l.end(err)
	}
	return nil
}

// Load resolves the configuration for host, a name as a user types it, without
// user and port (see [ParseDestination]).
//
// ctx bounds the commands of Match exec and the name look-ups of
// canonicalisation; nothing outlives the call. The error is a *[Error] for
// anything that OpenSSH itself would print, and ctx's cause if ctx ended.
func Load(ctx context.Context, host string, opts Options) (*Config, error) {
	return newLoader(ctx, opts).load(host)
}

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
