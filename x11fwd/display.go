package x11fwd

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/gossh-project/gossh/internal/nss"
)

// display is a parsed value of DISPLAY.
type display struct {
	name   string
	socket string // launchd's path on macOS; if set, host and number are not used
	host   string // "" for a local socket
	number int
	screen uint32
}

// maxScreen is the highest screen number that OpenSSH forwards. It uses screen 0 for
// higher numbers and for text that is no number.
const maxScreen = 400

// tcpBase is the TCP port of display 0.
const tcpBase = 6000

// parseDisplay parses host:number[.screen], unix:number[.screen], :number[.screen], or
// the path of launchd's socket. The name becomes an argument of xauth, so other
// characters are refused.
func parseDisplay(name string) (display, error) {
	d := display{name: name}
	if name == "" {
		return d, ErrNoDisplay
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !validRune(r) }) || name[0] == '-' {
		return d, &DisplayError{name, "invalid character"}
	}
	colon := strings.IndexByte(name, ':')
	if colon >= 0 {
		if _, screen, ok := strings.Cut(name[colon:], "."); ok {
			if n, err := strconv.ParseUint(screen, 10, 32); err == nil && n <= maxScreen {
				d.screen = uint32(n)
			}
		}
	}
	if runtime.GOOS == "darwin" {
		if d.socket = launchdSocket(name); d.socket != "" {
			return d, nil
		}
	}
	if colon < 0 {
		return d, &DisplayError{name, "no colon"}
	}
	number := name[colon+1:]
	if local := name[0] == ':' || strings.HasPrefix(name, "unix:"); local {
		number = name[strings.LastIndexByte(name, ':')+1:]
	} else {
		d.host = name[:colon]
	}
	number, _, _ = strings.Cut(number, ".")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n+tcpBase > 65535 {
		return d, &DisplayError{name, "bad number"}
	}
	d.number = int(n)
	return d, nil
}

// validRune reports whether a display name may contain r, as OpenSSH's
// client_x11_display_valid does.
func validRune(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	}
	return strings.ContainsRune(":/.-_", r)
}

// launchdSocket returns the path of the socket that name refers to. name may end in a
// dot and a screen number.
func launchdSocket(name string) string {
	for _, path := range []string{name, strings.TrimRight(strings.TrimRight(name, "0123456789"), ".")} {
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == os.ModeSocket {
			return path
		}
	}
	return ""
}

// xauthName returns the name of the display for xauth, which treats localhost as local
// (FamilyLocal).
func (d display) xauthName() string {
	if rest, ok := strings.CutPrefix(d.name, "localhost:"); ok {
		return "unix:" + rest
	}
	return d.name
}

// endpoint is an address of the X server.
type endpoint struct{ network, address string }

// endpoints returns the addresses to try, in order. The abstract socket of Linux comes
// before the socket in /tmp, which another user may have created.
func (d display) endpoints() []endpoint {
	number := strconv.Itoa(d.number)
	switch {
	case d.socket != "":
		return []endpoint{{"unix", d.socket}}
	case d.host != "":
		return []endpoint{{"tcp", net.JoinHostPort(d.host, strconv.Itoa(tcpBase+d.number))}}
	case runtime.GOOS == "linux":
		return []endpoint{{"unix", "@/tmp/.X11-unix/X" + number}, {"unix", "/tmp/.X11-unix/X" + number}}
	}
	return []endpoint{{"unix", "/tmp/.X11-unix/X" + number}}
}

// connect connects to the X server.
func (d display) connect(ctx context.Context) (net.Conn, error) {
	var failed *ConnectError
	for _, e := range d.endpoints() {
		var names nss.Resolver // DISPLAY may name a host
		c, err := names.DialContext(ctx, e.network, e.address)
		if err == nil {
			return c, nil
		}
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		failed = &ConnectError{e.network, e.address, err}
	}
	if failed == nil {
		return nil, errors.New("x11fwd: no way to the display")
	}
	return nil, failed
}
