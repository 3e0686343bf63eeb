// Package message words what the program says to people: errors, events of the
// packages below, and the lines of -v. The words are OpenSSH's wherever OpenSSH
// has some, because people know them and tools match on them.
//
// A [Console] filters lines by LogLevel and writes them to standard error, a
// file or the system log. A [Printer] puts errors and events into words and
// prints them on a Console. Text from servers, files and other users passes
// through [Printable], [Banner], [OneLine] or [Field].
package message

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/gossh-project/gossh/sshconfig"
)

// Printer words errors and events and prints them.
type Printer struct {
	*Console
	Program string            // the name that messages begin with
	Config  *sshconfig.Config // of the destination; nil before it has been loaded
}

// ErrUsage makes the program print its usage and exit with 255.
var ErrUsage = errors.New("usage")

// UsageError is ErrUsage with a line in front of the usage.
type UsageError struct{ Line string }

func (e *UsageError) Error() string { return e.Line }
func (e *UsageError) Unwrap() error { return ErrUsage }

// Error is an error whose text is the whole message.
type Error struct{ Line string }

func (e *Error) Error() string { return e.Line }

// Errorf returns an [Error].
func Errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// ChannelError is an error of one channel of the connection.
type ChannelError struct {
	Channel int // the number that ssh would give the channel
	Err     error
}

func (e *ChannelError) Error() string { return fmt.Sprintf("channel %d: %v", e.Channel, e.Err) }
func (e *ChannelError) Unwrap() error { return e.Err }

// SignalError reports that a signal to this process ended the connection.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return "killed by signal " + e.Signal.String() }

// Number returns the number of the signal, 0 if it has none.
func (e *SignalError) Number() int {
	n, _ := e.Signal.(syscall.Signal)
	return int(n)
}

// These errors end the program without further words.
var (
	// ErrForward reports a forwarding that failed with ExitOnForwardFailure.
	ErrForward = errors.New("forwarding failed")
	// ErrQuit reports that the user ended the session with the escape "~.".
	ErrQuit = errors.New("session ended by the user")
	// ErrMasterExited reports that the master of a client without a session
	// (ssh -N) has exited.
	ErrMasterExited = errors.New("the master has exited")
)

// ErrNoTTY reports that the server refused a terminal that RequestTTY demands.
var ErrNoTTY = errors.New("terminal refused by the server")

// usageText lists the flags of ssh.
const usageText = `usage: %s [-46AaCfGgKkMNnqsTtVvXxYyZ] [-B bind_interface] [-b bind_address]
           [-c cipher_spec] [-D [bind_address:]port] [-E log_file]
           [-e escape_char] [-F configfile] [-I pkcs11] [-i identity_file]
           [-J destination] [-L address] [-l login_name] [-m mac_spec]
           [-O ctl_cmd] [-o option] [-P tag] [-p port] [-R address]
           [-S ctl_path] [-W host:port] [-w local_tun[:remote_tun]]
           destination [command [argument ...]]
       %[1]s [-Q query_option]
       %[1]s --demo
`

// usage prints the usage whatever the LogLevel is.
func (p *Printer) usage() { fmt.Fprintf(p.stderr, usageText, p.Program) }
