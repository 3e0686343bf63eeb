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

// magicCookie is the protocol of random cookies, and of those that xauth generates.
const magicCookie = "MIT-MAGIC-COOKIE-1"

// timeoutSlack is how much longer a generated cookie is valid than the forwarding. An X
// server that no longer knows the cookie might accept the connection as a local one.
const timeoutSlack = 60 * time.Second

// maxField is the maximum length of a protocol name, and of a cookie in hexadecimal.
const maxField = 511

// auth is the authorization that the X server accepts.
type auth struct {
	protocol string
	cookie   []byte
}

// askXAuth gets the display's cookie from xauth. xauth is run without a shell, which
// could interpret the display's name.
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

// cookieLife returns the lifetime in seconds, which the X server stores in 32 bits.
func cookieLife(timeout time.Duration) uint64 {
	return min(uint64((timeout+timeoutSlack)/time.Second), math.MaxUint32)
}

// listXAuth parses the first line of xauth list: display, protocol, and cookie in
// hexadecimal.
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

// runXAuth returns the output of xauth, and discards its messages.
func runXAuth(ctx context.Context, o *Options, args ...string) ([]byte, error) {
	o.Logger.Debug("xauth: " + o.XAuth + " " + strings.Join(args, " "))
	var out bytes.Buffer
	cmd, err := shellexec.Start(func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.WaitDelay = time.Second // a child of xauth may keep the pipe open
		cmd.Stdout = &out
		return cmd
	}, o.XAuth, args...)
	if err != nil {
		return nil, err
	}
	err = cmd.Wait()
	return out.Bytes(), err
}

// randomCookie returns a random cookie of n bytes.
func randomCookie(random io.Reader, n int) ([]byte, error) {
	cookie := make([]byte, n)
	if _, err := io.ReadFull(random, cookie); err != nil {
		return nil, fmt.Errorf("x11fwd: %w", err)
	}
	return cookie, nil
}
