package keyhelper

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// find returns the file of a helper: the one that the environment names, as in
// ssh, or the first of the places where systems have it.
func find(program string) (string, error) {
	variable := "SSH_SK_HELPER"
	if program == PKCS11Helper {
		variable = "SSH_PKCS11_HELPER"
	}
	if path := os.Getenv(variable); path != "" {
		return path, nil
	}
	for _, dir := range folders() {
		path := filepath.Join(dir, program)
		if runtime.GOOS == "windows" {
			path += ".exe"
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", &ProgramError{Program: program, Err: fs.ErrNotExist}
	}
	return path, nil
}

// folders are where OpenSSH's packages put the helpers.
func folders() []string {
	if runtime.GOOS == "windows" {
		return []string{filepath.Join(os.Getenv("SystemRoot"), "System32", "OpenSSH"),
			filepath.Join(os.Getenv("ProgramFiles"), "OpenSSH")}
	}
	return []string{
		"/usr/lib/openssh",                  // Debian, Ubuntu
		"/usr/libexec/openssh",              // Fedora, Red Hat
		"/usr/lib/ssh",                      // Arch, Alpine, older SUSE
		"/usr/libexec/ssh",                  // SUSE
		"/opt/homebrew/opt/openssh/libexec", // Homebrew
		"/usr/local/opt/openssh/libexec",    // Homebrew on Intel
		"/usr/local/libexec",                // FreeBSD's port, a build from source
		"/usr/libexec",                      // the BSDs, macOS
		"/usr/lib/misc",                     // Gentoo
		"/run/current-system/sw/libexec",    // NixOS
		"/home/linuxbrew/.linuxbrew/opt/openssh/libexec",
	}
}

// process is a helper that runs.
type process struct {
	program, path string
	ctx           context.Context
	cancel        context.CancelFunc
	cmd           *exec.Cmd
	in            io.WriteCloser
	out           io.ReadCloser
	log           *lineLog
	unwatch       func() bool
	end           func() error // waits for the end, once
}

// start runs a helper. It is killed when ctx is done. end must be called.
func start(ctx context.Context, program string, o *Options, args ...string) (*process, error) {
	path, err := find(program)
	if err != nil {
		return nil, err
	}
	p := &process{program: program, path: path, log: &lineLog{to: o.Log}}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.cmd = exec.CommandContext(p.ctx, path, args...)
	p.cmd.Stderr = p.log
	p.cmd.WaitDelay = graceTime
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		p.out, err = p.cmd.StdoutPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.cancel()
		return nil, p.failed(err)
	}
	// A child of the helper may hold the pipes open.
	p.unwatch = context.AfterFunc(p.ctx, func() {
		p.in.Close()
		p.out.Close()
	})
	p.end = sync.OnceValue(func() error {
		defer p.cancel()
		p.in.Close()
		err := p.cmd.Wait() // ends the copying of stderr too
		p.unwatch()
		p.out.Close()
		p.log.flush()
		return err
	})
	return p, nil
}

// kill ends the helper at once.
func (p *process) kill() {
	p.cancel()
	p.end()
}

// leave lets the helper end by itself, which it does at the end of its input,
// within the time of grace.
func (p *process) leave() error {
	p.in.Close()
	ctx, cancel := context.WithTimeout(p.ctx, graceTime)
	defer cancel()
	defer context.AfterFunc(ctx, p.cancel)()
	io.Copy(io.Discard, io.LimitReader(p.out, maxMessage))
	return p.end()
}

func (p *process) failed(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		err = fs.ErrNotExist
	}
	return &ProgramError{Program: p.program, Path: p.path, Err: err}
}

// converse sends a message and returns the answer. After an error the helper
// is of no use. ctx limits the time; its cause is the error if it is done.
func (p *process) converse(ctx context.Context, message []byte) ([]byte, error) {
	stop := context.AfterFunc(ctx, p.cancel)
	defer stop()
	err := p.send(message)
	var answer []byte
	if err == nil || errors.Is(err, syscall.EPIPE) {
		// A helper that ends early may have said why.
		answer, err = p.receive()
	}
	if err == nil {
		return answer, nil
	}
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); !errors.Is(cause, ErrTimeout) {
			return nil, cause
		}
		err = ErrTimeout
	}
	return nil, p.failed(err)
}

func (p *process) send(message []byte) error {
	framed := make([]byte, 4, 4+len(message))
	binary.BigEndian.PutUint32(framed, uint32(len(message)))
	framed = append(framed, message...)
	defer clear(framed) // it may hold a PIN
	_, err := p.in.Write(framed)
	return err
}

func (p *process) receive() ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(p.out, header[:]); err != nil {
		return nil, ErrEnded
	}
	n := binary.BigEndian.Uint32(header[:])
	if n == 0 || n > maxMessage {
		return nil, fmt.Errorf("%w: length %d", ErrProtocol, n)
	}
	// The buffer grows with what arrives, not with what is promised.
	var b bytes.Buffer
	if _, err := io.CopyN(&b, p.out, int64(n)); err != nil {
		return nil, ErrEnded
	}
	return b.Bytes(), nil
}

// lineLog hands on lines, without what drives a terminal, and keeps the first.
type lineLog struct {
	to func(line string)

	mu   sync.Mutex
	part []byte
	seen []string
	n    int
}

func (l *lineLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ch := range b {
		switch {
		case ch == '\n' || ch == '\r':
			l.line()
		case len(l.part) < maxLine:
			l.part = append(l.part, ch)
		}
	}
	return len(b), nil
}

func (l *lineLog) line() {
	if len(l.part) == 0 || l.n >= maxLines {
		l.part = l.part[:0]
		return
	}
	l.n++
	line := string(l.part)
	l.part = l.part[:0]
	l.seen = append(l.seen, line)
	if l.to != nil {
		l.to(line)
	}
}

// flush ends the last line.
func (l *lineLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line()
}

// lines returns those that were written so far.
func (l *lineLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.seen...)
}

// malformed returns the error of an answer that is not as the protocol has it, or
// nil if err is nil.
func malformed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrProtocol, err)
}
