// Package keyhelper signs with keys that live outside of files, through the
// helper programs that come with OpenSSH: ssh-sk-helper for FIDO security keys
// and ssh-pkcs11-helper for PKCS#11 tokens. The libraries that reach such keys
// are loaded by the helpers, so this program stays free of them.
//
// Each function blocks until the helper has answered, its time is over or ctx
// is done, and leaves no process behind. What a helper sends is bounded and
// parsed with care: a helper that hangs, dies or sends garbage is an error.
package keyhelper

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// The programs.
const (
	SKHelper     = "ssh-sk-helper"
	PKCS11Helper = "ssh-pkcs11-helper"
)

const (
	// touchTime is how long a helper may take for what a person may have to
	// touch a key for. The libraries give up much earlier.
	touchTime = 3 * time.Minute
	// answerTime is how long it may take for everything else.
	answerTime = time.Minute
	// graceTime is how long a helper may take to end once it is asked to.
	graceTime = time.Second

	// maxMessage is the longest answer that is read, as in OpenSSH.
	maxMessage = 256 << 10
	// maxLine and maxLines bound what a helper may write to stderr in a call.
	maxLine  = 1 << 10
	maxLines = 200
)

// Options are common to the helpers.
type Options struct {
	// Log gets each line that the helper writes to stderr, without its end.
	// It may be nil. It is called from another goroutine, one call at a time,
	// and not after the call that started the helper has returned, or after
	// Token.Close.
	Log func(line string)
	// Debug asks the helper for debug lines, which begin with "debug".
	Debug bool

	// touch and answer shorten the times for tests.
	touch, answer time.Duration
}

func (o *Options) touchTime() time.Duration {
	if o.touch > 0 {
		return o.touch
	}
	return touchTime
}

func (o *Options) answerTime() time.Duration {
	if o.answer > 0 {
		return o.answer
	}
	return answerTime
}

var (
	// ErrTimeout is wrapped if a helper does not answer in time.
	ErrTimeout = errors.New("no answer in time")
	// ErrProtocol is wrapped if a helper's answer makes no sense.
	ErrProtocol = errors.New("unexpected answer")
	// ErrEnded is wrapped if a helper ends without an answer.
	ErrEnded = errors.New("ended without an answer")
)

// ProgramError says that a helper could not be run, or failed as a program.
type ProgramError struct {
	Program string // SKHelper or PKCS11Helper
	Path    string // the file; empty if none was found
	Err     error
}

func (e *ProgramError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("keyhelper: %s: %v", e.Program, e.Err)
	}
	return fmt.Sprintf("keyhelper: %s: %v", e.Path, e.Err)
}

func (e *ProgramError) Unwrap() error { return e.Err }

// Missing reports whether the program is not installed.
func (e *ProgramError) Missing() bool { return errors.Is(e.Err, fs.ErrNotExist) }
