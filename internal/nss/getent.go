package nss

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"time"
)

const (
	// maxAnswer bounds what is read of getent: some thousand addresses.
	maxAnswer = 256 << 10
	// getentGrace is how long a child of getent may keep its output open.
	getentGrace = time.Second

	statusUnknown  = 1  // getent: no such database
	statusNotFound = 2  // getent: no such key
	statusUsage    = 64 // argp: no such option
)

var (
	errNotFound    = errors.New("not found")
	errUnavailable = errors.New("getent cannot answer")
)

// getent asks the C library for key. The error is errNotFound if it does not
// know the key, errUnavailable if it could not be asked, or the cause of ctx.
func (r *Resolver) getent(ctx context.Context, options []string, database, key string) ([]byte, error) {
	if !validKey(key) {
		return nil, errNotFound
	}
	program := r.getentPath()
	if program == "" {
		return nil, errUnavailable
	}
	out, status, err := runGetent(ctx, program, append(options, database, key)...)
	if len(options) > 0 && (status == statusUnknown || status == statusUsage) {
		// An older one, or one that is not glibc's.
		out, status, err = runGetent(ctx, program, database, key)
	}
	switch {
	case err == nil:
		return out, nil
	case context.Cause(ctx) != nil:
		return nil, context.Cause(ctx)
	case status == statusNotFound:
		return nil, errNotFound
	}
	return nil, errUnavailable
}

// getentPath finds the program; it is "" where there is none.
func (r *Resolver) getentPath() string {
	if r.Getent != "" {
		return r.Getent
	}
	for _, path := range [...]string{"/usr/bin/getent", "/bin/getent"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	path, err := exec.LookPath("getent")
	if err != nil {
		return ""
	}
	return path
}

// runGetent runs the program without a shell, and ends it with ctx. status is
// -1 if it did not end by itself.
func runGetent(ctx context.Context, program string, args ...string) (out []byte, status int, err error) {
	cmd := exec.CommandContext(ctx, program, args...)
	answer := limitedBuffer{limit: maxAnswer}
	cmd.Stdout = &answer
	cmd.WaitDelay = getentGrace
	if err := cmd.Run(); err != nil {
		return nil, cmd.ProcessState.ExitCode(), err
	}
	return answer.kept.Bytes(), 0, nil
}

// limitedBuffer keeps what is within its limit and refuses the rest, which
// ends the program by a broken pipe.
type limitedBuffer struct {
	kept  bytes.Buffer
	limit int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > b.limit {
		return 0, errors.New("answer too long")
	}
	return b.kept.Write(p)
}
