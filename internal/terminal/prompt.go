package terminal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Flags say how a question may be asked; they are OpenSSH's RP_ flags.
type Flags uint

const (
	// Echo shows what is typed.
	Echo Flags = 1 << iota
	// AllowStdin does without /dev/tty: a question goes to stdin and stderr
	// if there is none, and to askpass if stdin is no terminal.
	AllowStdin
	// UseAskpass asks through the askpass program or not at all.
	UseAskpass
	// AskPermission tells the askpass program that the answer is yes or no
	// (SSH_ASKPASS_PROMPT=confirm).
	AskPermission
)

// A Prompter asks the person at the terminal, or through the program
// SSH_ASKPASS when there is none, by the rules of ssh(1), ENVIRONMENT. The zero
// value is ready for use. It is the caller who sees to it that one question is
// asked at a time, and that the terminal is not raw meanwhile.
type Prompter struct {
	// Env is where DISPLAY, WAYLAND_DISPLAY, SSH_ASKPASS and
	// SSH_ASKPASS_REQUIRE are looked up; nil is the process's environment.
	// The askpass program itself inherits the process's environment.
	Env Env
	// OpenTTY opens the terminal; nil is the function OpenTTY.
	OpenTTY func() (*TTY, error)
	// Stdin and Stderr are what askpass inherits and AllowStdin falls back
	// on; nil is os.Stdin and os.Stderr.
	Stdin, Stderr *os.File
	// Logger is told at debug level why a question goes where; nil is silent.
	Logger *slog.Logger
	// Deliver lets a signal that broke a question off take its effect, once the
	// terminal is restored; nil sends it to the process once more.
	Deliver func(os.Signal)
	// ExecFailed hears of an askpass program that cannot be run; nil is silent.
	ExecFailed func(*ExecError)
}

// Ask asks and returns the answer, a line without its end, at most 1023 bytes.
// Errors: [ErrNoTTY] if there is nobody to ask, [ErrRefused] from askpass,
// io.EOF at the end of the input, and those of [TTY.ReadLine].
//
// OpenSSH goes on with an empty answer after most of these; what is right here
// is the caller's to say.
func (p *Prompter) Ask(ctx context.Context, prompt string, flags Flags) (string, error) {
	tty, useAskpass := p.route(flags)
	if tty != nil {
		defer tty.Close()
		tty.deliver = p.Deliver
	}
	allowed := p.askpassAllowed()
	switch {
	case useAskpass && allowed:
		hint := ""
		if flags&AskPermission != 0 {
			hint = "confirm"
		}
		return p.askpass(ctx, prompt, hint)
	case flags&UseAskpass != 0:
		return "", ErrNoTTY
	case tty != nil:
		return tty.ReadLine(ctx, prompt, flags&Echo != 0)
	case flags&AllowStdin != 0:
		return p.askOnStdin(ctx, prompt, flags&Echo != 0)
	}
	return "", ErrNoTTY
}

// Confirm asks for permission through askpass, never on the terminal: an empty
// answer (the button was pressed) or "yes" is a yes, a dismissal a no. If there
// is nobody to ask it is a no with [ErrNoTTY].
func (p *Prompter) Confirm(ctx context.Context, prompt string) (bool, error) {
	answer, err := p.Ask(ctx, prompt, UseAskpass|AskPermission)
	if errors.Is(err, ErrRefused) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return answer == "" || strings.EqualFold(answer, "yes"), nil
}

// route decides where a question goes by SSH_ASKPASS_REQUIRE and the flags. If
// that is the terminal, it is returned open, with the cursor at the beginning
// of the line: the prompt then covers what was typed too early.
func (p *Prompter) route(flags Flags) (tty *TTY, useAskpass bool) {
	switch {
	case p.PrefersAskpass():
		p.debug("requested to askpass")
		return nil, true
	case flags&UseAskpass != 0:
		return nil, true
	}
	tty, err := p.openTTY()
	switch {
	case flags&AllowStdin != 0:
		if !IsTerminal(int(p.stdin().Fd())) {
			p.debug("stdin is not a tty")
			useAskpass = true
		}
	case err != nil:
		p.debug("no terminal", "err", err)
		useAskpass = true
	default:
		io.WriteString(tty, "\r")
	}
	return tty, useAskpass
}

// PrefersAskpass reports whether SSH_ASKPASS_REQUIRE sends every question to the
// askpass program, the terminal's too. "prefer" does only with a display.
func (p *Prompter) PrefersAskpass() bool {
	return p.require("force") || p.require("prefer") && p.askpassAllowed()
}

// askpassAllowed reports whether a window can be shown: there is a display, or
// SSH_ASKPASS_REQUIRE says to go without; "never" is the last word.
func (p *Prompter) askpassAllowed() bool {
	if p.require("never") {
		return false
	}
	return p.require("force") || p.Env.get("DISPLAY") != "" || p.Env.get("WAYLAND_DISPLAY") != ""
}

func (p *Prompter) require(value string) bool {
	return strings.EqualFold(p.Env.get("SSH_ASKPASS_REQUIRE"), value)
}

func (p *Prompter) askOnStdin(ctx context.Context, prompt string, echo bool) (string, error) {
	stdio := TTY{in: int(p.stdin().Fd()), out: int(p.stderr().Fd()), deliver: p.Deliver}
	return stdio.ReadLine(ctx, prompt, echo)
}

func (p *Prompter) openTTY() (*TTY, error) {
	if p.OpenTTY != nil {
		return p.OpenTTY()
	}
	return OpenTTY()
}

func (p *Prompter) stdin() *os.File {
	if p.Stdin != nil {
		return p.Stdin
	}
	return os.Stdin
}

func (p *Prompter) stderr() *os.File {
	if p.Stderr != nil {
		return p.Stderr
	}
	return os.Stderr
}

func (p *Prompter) debug(message string, args ...any) {
	if p.Logger != nil {
		p.Logger.Debug(message, args...)
	}
}
