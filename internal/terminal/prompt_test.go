//go:build linux || darwin || freebsd

package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// prompter has no terminal and the askpass program that script is.
func prompter(t *testing.T, script string) *Prompter {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	env := map[string]string{"DISPLAY": ":0", "SSH_ASKPASS": fakeAskpass(t, script)}
	return &Prompter{
		Env:     func(key string) (string, bool) { v, ok := env[key]; return v, ok },
		OpenTTY: func() (*TTY, error) { return nil, ErrNoTTY },
		Stdin:   null,
		Stderr:  null,
	}
}

func TestAskpassAnswers(t *testing.T) {
	for _, test := range []struct {
		name, script, want string
		err                error
	}{
		{"a line", "echo hunter2", "hunter2", nil},
		{"no line end", "printf hunter2", "hunter2", nil},
		{"CR LF", `printf 'hunter2\r\n'`, "hunter2", nil},
		{"the first line", `printf 'hunter2\nmore\n'`, "hunter2", nil},
		{"nothing", "true", "", nil},
		{"bytes", `printf 'p\344ss\n'`, "p\xe4ss", nil},
		{"too long is cut", `head -c 100000 /dev/zero | tr '\0' a`, strings.Repeat("a", lineLimit), nil},
		{"dismissed", "echo no; exit 1", "", ErrRefused},
		{"killed", "kill -9 $$", "", ErrRefused},
		{"the prompt is the argument", `test $# = 1 && printf %s "$1"`, `pass for "it's": `, nil},
		{"no hint", `echo "${SSH_ASKPASS_PROMPT-none}"`, "none", nil},
		{"somebody keeps stdout open", "echo hunter2; sleep 5 2>/dev/null &", "hunter2", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := prompter(t, test.script)
			got, err := p.Ask(t.Context(), `pass for "it's": `, 0)
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestAskpassCanceled(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	p := prompter(t, "echo $$ >"+started+"; exec sleep 1000")
	because := errors.New("the server hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.Ask(ctx, "Secret: ", 0)
		ended <- err
	}()
	await(t, "askpass", func() bool { _, err := os.Stat(started); return err == nil })
	cancel(because)
	if err := <-ended; err != because {
		t.Errorf("got %v", err)
	}
}

func TestConfirm(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         bool
	}{
		{"the button", "true", true},
		{"yes", "echo YES", true},
		{"another word", "echo y", false},
		{"dismissed", "echo yes; exit 1", false},
		{"the hint", `test "$SSH_ASKPASS_PROMPT" = confirm`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := prompter(t, test.script).Confirm(t.Context(), "Allow?")
			if got != test.want || err != nil {
				t.Errorf("got %t, %v", got, err)
			}
		})
	}
	// Never on the terminal.
	p := &Prompter{
		Env:     func(string) (string, bool) { return "", false },
		OpenTTY: func() (*TTY, error) { t.Error("the terminal was opened"); return nil, ErrNoTTY },
	}
	if got, err := p.Confirm(t.Context(), "Allow?"); got || !errors.Is(err, ErrNoTTY) {
		t.Errorf("got %t, %v", got, err)
	}
}

func TestNotifyByAskpass(t *testing.T) {
	dir := t.TempDir()
	shown, ended := filepath.Join(dir, "shown"), filepath.Join(dir, "ended")
	p := prompter(t, fmt.Sprintf(
		`trap 'echo >%s; exit' TERM; echo "$SSH_ASKPASS_PROMPT $1" >%s.new; mv %s.new %s; while :; do sleep 0.01; done`,
		ended, shown, shown, shown))
	notice := p.Notify(t.Context(), "touch the key", false)
	await(t, "the notice", func() bool { _, err := os.Stat(shown); return err == nil })
	if got, _ := os.ReadFile(shown); string(got) != "none touch the key\n" {
		t.Errorf("askpass got %q", got)
	}
	if notice.OnTerminal() {
		t.Error("not on the terminal")
	}
	notice.Close()
	notice.Close()
	if _, err := os.Stat(ended); err != nil {
		t.Error("askpass was not asked to end")
	}
}

func TestNotifyOnTerminal(t *testing.T) {
	master, slave := openPTY(t)
	p := prompter(t, "exit 1")
	p.Stderr = slave
	notice := p.Notify(t.Context(), "touch the key", false)
	defer notice.Close()
	if !notice.OnTerminal() {
		t.Error("not on the terminal")
	}
	readUntil(t, master, "touch the key\r")
}

func TestNotifyNobody(t *testing.T) {
	p := prompter(t, "exit 1")
	p.Env = func(string) (string, bool) { return "", false }
	if err := p.Notify(t.Context(), "touch the key", false).Close(); err != nil {
		t.Error(err)
	}
}

// The last resort of AllowStdin: no terminal, no askpass.
func TestAskOnStdin(t *testing.T) {
	r, w := pipe(t)
	shown, stderr := pipe(t)
	p := &Prompter{
		Env:     func(string) (string, bool) { return "", false },
		OpenTTY: func() (*TTY, error) { return nil, ErrNoTTY },
		Stdin:   r,
		Stderr:  stderr,
	}
	io.WriteString(w, "hunter2\nthe rest\n")
	got, err := p.Ask(t.Context(), "Secret: ", AllowStdin)
	if got != "hunter2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	readUntil(t, shown, "Secret: ")
	buf := make([]byte, 32)
	if n, _ := r.Read(buf); !bytes.Equal(buf[:n], []byte("the rest\n")) {
		t.Errorf("left in stdin: %q", buf[:n])
	}
	if _, err := p.Ask(t.Context(), "Secret: ", 0); !errors.Is(err, ErrNoTTY) {
		t.Errorf("without AllowStdin: %v", err)
	}
}
