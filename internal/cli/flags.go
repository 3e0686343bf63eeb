package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
)

// These are the letters of ssh's getopt string: flags without an argument, flags
// with one, and those of both kinds that change the configuration.
const (
	lettersAlone    = "46AaCfGgKkMNnqsTtVvXxYyZ12"
	lettersArgument = "BbcDEeFIiJLlmOoPpQRSWw"
	lettersConfig   = "46AaCfgKkMNnqsTtvXxYBbcDeIiJLlmoPpRSWw"
)

// flags is a parsed command line.
type flags struct {
	host       string
	hasHost    bool   // host is set, possibly to ""
	command    string // joined with single spaces; "" if there is none
	directives []sshconfig.Directive

	configFile *string // -F
	logFile    *string // -E
	query      *string // -Q
	control    string  // -O
	version    bool    // -V
	dump       bool    // -G
	listKeys   bool    // -Z
	syslog     bool    // -y
	demo       bool    // --demo
	stdio      bool    // -W
	verbose    bool    // -v
}

// answered reports whether there is a flag after which ssh ignores all arguments.
func (f *flags) answered() bool { return f.version || f.query != nil }

// parseFlags parses the arguments like ssh's getopt loop: letters may be joined, a
// flag's argument may be attached or follow, flags may stand before and after the
// host, and the rest is the command. With an error parseFlags returns the flags
// before it.
func parseFlags(args []string) (*flags, error) {
	f := new(flags)
	if len(args) == 1 && args[0] == "--demo" {
		f.demo = true
		return f, nil
	}
	rest, terminated, err := f.options(args)
	if err != nil || f.answered() || len(rest) == 0 {
		return f, err
	}
	f.destination(rest[0])
	rest = rest[1:]
	if !terminated {
		if rest, _, err = f.options(rest); err != nil || f.answered() {
			return f, err
		}
	}
	f.command = strings.Join(rest, " ")
	return f, nil
}

// destination records the host. A user and a port in it rank among the other
// flags by their position: the first one wins.
func (f *flags) destination(text string) {
	f.host, f.hasHost = text, true
	dest, err := sshconfig.ParseDestination(text)
	if err != nil {
		return // newInvocation reports it
	}
	if dest.User != "" {
		f.directives = append(f.directives, sshconfig.Flag('l', dest.User))
	}
	if dest.Port != 0 {
		f.directives = append(f.directives, sshconfig.Flag('p', strconv.Itoa(dest.Port)))
	}
}

// options parses flags up to the first argument that is not one, or up to "--",
// which it reports as terminated.
func (f *flags) options(args []string) (rest []string, terminated bool, err error) {
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			return args[1:], true, nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		if args, err = f.cluster(arg, args[1:]); err != nil || f.answered() {
			return nil, false, err
		}
	}
	return args, false, nil
}

// cluster parses the letters of one argument. The last letter may use the next
// argument.
func (f *flags) cluster(arg string, next []string) ([]string, error) {
	for i := 1; i < len(arg); i++ {
		letter := arg[i]
		if strings.IndexByte(lettersAlone, letter) >= 0 {
			if err := f.set(letter, ""); err != nil || f.answered() {
				return nil, err
			}
			continue
		}
		if strings.IndexByte(lettersArgument, letter) < 0 {
			return nil, &message.UsageError{Line: "unknown option -- " + arg[i:i+1]}
		}
		value := arg[i+1:]
		if value == "" {
			if len(next) == 0 {
				return nil, &message.UsageError{Line: fmt.Sprintf("option requires an argument -- %c", letter)}
			}
			value, next = next[0], next[1:]
		}
		return next, f.set(letter, value)
	}
	return next, nil
}

// set records one flag.
func (f *flags) set(letter byte, value string) error {
	switch letter {
	case '1':
		return message.Errorf("SSH protocol v.1 is no longer supported")
	case '2': // the only protocol version
	case 'E':
		f.logFile = &value
	case 'F':
		f.configFile = &value
	case 'G':
		f.dump = true
	case 'O':
		return f.setControl(value)
	case 'Q':
		f.query = &value
	case 'V':
		f.version = true
	case 'y':
		f.syslog = true
	case 'Z':
		f.listKeys = true
	case 'v':
		f.verbose = true
	case 'W':
		if f.control != "" {
			return message.Errorf("Cannot specify stdio forward with -O")
		}
		f.stdio = true
	}
	if strings.IndexByte(lettersConfig, letter) >= 0 {
		f.directives = append(f.directives, sshconfig.Flag(letter, value))
	}
	return nil
}

// setControl records the command of -O.
func (f *flags) setControl(command string) error {
	if f.stdio {
		return message.Errorf("Cannot specify multiplexing command with -W")
	}
	if f.control != "" {
		return message.Errorf("Multiplexing command already specified")
	}
	switch command {
	case "check", "forward", "exit", "stop", "cancel", "proxy", "conninfo", "channels":
		f.control = command
		return nil
	}
	return message.Errorf("Invalid multiplex command.")
}
