package terminal

import "log/slog"

// Flags say how a question may be asked; they are OpenSSH's RP_ flags.
type Flags uint

const (
	// Echo shows what is typed.
	Echo Flags = 1 << iota
	// AllowStdin asks on stdin when there is no /dev/tty to be had (or,
	// if stdin is no terminal, through askpass).
	AllowStdin
	// UseAskpass asks through the askpass program or not at all.
	UseAskpass
	// AskPermission tells the askpass program that the answer is yes or no
	// (SSH_ASKPASS_PROMPT=confirm).
	AskPermission
)

// A Prompter asks the person at the terminal, or through the program
// SSH_ASKPASS when there is none, by the rules of ssh(1), ENVIRONMENT. The zero
// value is ready for use.
type Prompter struct {
	// Env is where DISPLAY, WAYLAND_DISPLAY, SSH_ASKPASS and
	// SSH_ASKPASS_REQUIRE are looked up. nil is the process's environment.
	Env Env
	// OpenTTY opens the terminal. nil is the function OpenTTY.
	OpenTTY func() (*TTY, error)
	// StdinIsTerminal is asked for AllowStdin. nil tests descriptor 0.
	StdinIsTerminal func() bool
	// Logger gets at debug level why askpass was chosen. nil is silent.
	Logger *slog.Logger
}
