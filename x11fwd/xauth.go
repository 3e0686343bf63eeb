package x11fwd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gossh-project/gossh/internal/shellexec"
)

// magicCookie is the protocol of cookies that are made up, and of those that
// xauth is asked to generate.
const magicCookie = "MIT-MAGIC-COOKIE-1"

// timeoutSlack is how much longer than the forwarding a generated cookie lives:
// an X server that no longer knows it might let the connection in as a local
// one.
const timeoutSlack = 60 * time.Second

// maxField is how long a protocol name or the digits of a cookie may be.
const maxField = 511

// auth is what the X server wants to see.
type auth struct {
	protocol string
	cookie   []byte
}

// askXAuth gets the display's cookie from xauth. It is run with an argument
// vector: no shell sees the display's name.
func askXAuth(ctx context.Context, d display, o *Options) (auth, error) {
	if _, err := os.Stat(o.XAuth); o.XAuth == "" || err != nil {
		o.Logger.Debug("No xauth program.")
		return auth{}, ErrNoCookie
	}
	if o.Trusted {
		return listXAuth(ctx, d, o)
	}
	dir, err := os.MkdirTemp("", "ssh-")
	if err != nil {
		return auth{}, fmt.Errorf("x11fwd: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "xauthfile")
	args := []string{"-f", file, "generate", d.xauthName(), magicCookie, "untrusted"}
	if o.Timeout > 0 {
		args = append(args, "timeout", strconv.FormatUint(cookieLife(o.Timeout), 10))
	}
	if _, err := runXAuth(ctx, o, args...); err != nil {
		return auth{}, cmp.Or(context.Cause(ctx), ErrNotGenerated)
	}
	return listXAuth(ctx, d, o, "-f", file)
}

// cookieLife is in seconds, as the X server counts it: 32 bits.
func cookieLife(timeout time.Duration) uint64 {
	return min(uint64((timeout+timeoutSlack)/time.Second), math.MaxUint32)
}

// listXAuth reads the first line of xauth list: display, protocol, digits.
func listXAuth(ctx context.Context, d display, o *Options, before ...string) (auth, error) {
	out, err := runXAuth(ctx, o, append(before, "list", d.xauthName())...)
	line, _, _ := bytes.Cut(out, []byte("\n"))
	fields := strings.Fields(string(line))
	if cause := context.Cause(ctx); cause != nil {
		return auth{}, cause
	}
	if err != nil || len(fields) < 3 || len(fields[1]) > maxField || len(fields[2]) > maxField {
		return auth{}, ErrNoCookie
	}
	cookie, err := hex.DecodeString(fields[2])
	if err != nil {
		return auth{}, &DisplayError{d.name, "bad cookie"}
	}
	return auth{fields[1], cookie}, nil
}

// runXAuth gives what xauth prints; what it complains of is nobody's business.
func runXAuth(ctx context.Context, o *Options, args ...string) ([]byte, error) {
	o.Logger.Debug("xauth: " + o.XAuth + " " + strings.Join(args, " "))
	var out bytes.Buffer
	cmd, err := shellexec.Start(func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.WaitDelay = time.Second // a child of xauth's may keep the pipe
		cmd.Stdout = &out
		return cmd
	}, o.XAuth, args...)
	if err != nil {
		return nil, err
	}
	err = cmd.Wait()
	return out.Bytes(), err
}

// randomCookie is one of n bytes.
func randomCookie(random io.Reader, n int) ([]byte, error) {
	cookie := make([]byte, n)
	if _, err := io.ReadFull(random, cookie); err != nil {
		return nil, fmt.Errorf("x11fwd: %w", err)
	}
	return cookie, nil
}
