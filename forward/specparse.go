package forward

import (
	"net"
	"strconv"
	"strings"
)

// field is one colon-separated part of a specification. It is a path if it
// has an unescaped slash in it, as in OpenSSH's parse_fwd_field.
type field struct {
	text string
	path bool
}

// splitFields cuts a specification into one to four fields. A colon at the
// very end is no field of its own.
func splitFields(s string) ([]field, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r") // C's isspace
	if strings.ContainsRune(s, 0) {
		return nil, false
	}
	var fields []field
	for s != "" {
		if len(fields) == 4 {
			return nil, false
		}
		f, rest, ok := nextField(s)
		if !ok {
			return nil, false
		}
		fields, s = append(fields, f), rest
	}
	return fields, len(fields) > 0
}

// nextField takes the first field and its colon off s, which is not empty.
func nextField(s string) (f field, rest string, ok bool) {
	if s[0] == '[' {
		text, rest, found := strings.Cut(s[1:], "]")
		if !found || rest != "" && rest[0] != ':' {
			return field{}, "", false
		}
		return field{text, strings.Contains(text, "/")}, strings.TrimPrefix(rest, ":"), true
	}
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i == len(s) {
				return field{}, "", false
			}
		case '/':
			f.path = true
		case ':':
			f.text = text.String()
			return f, s[i+1:], true
		}
		text.WriteByte(s[i])
	}
	f.text = text.String()
	return f, "", true
}

// assemble gives the fields their meaning, which hangs on how many there are
// and which of them are paths.
func assemble(kind Kind, f []field) (Spec, bool) {
	s := Spec{Kind: kind}
	noTarget := false
	listen, connect := f, []field(nil)
	switch {
	case len(f) == 1:
		noTarget = true
	case len(f) == 2 && f[1].path:
		listen, connect = f[:1], f[1:]
	case len(f) == 2:
		noTarget = true
	case len(f) == 3 && !f[0].path && f[2].path:
		listen, connect = f[:2], f[2:]
	case len(f) == 3:
		listen, connect = f[:1], f[1:]
	default:
		listen, connect = f[:2], f[2:]
	}
	var ok bool
	if kind == Stdio {
		// One address, and it is the target. A port alone names no target.
		if !noTarget || len(f) == 1 && !f[0].path {
			return s, false
		}
		s.Connect, ok = target(f)
		return s, ok
	}
	if s.Listen, ok = address(listen); !ok {
		return s, false
	}
	if noTarget {
		return s, kind == Dynamic || kind == Remote
	}
	s.Connect, ok = target(connect)
	return s, ok && (kind == Local || kind == Remote)
}

// target is the address of a connecting end: it has a port, and an empty host
// means nothing special.
func target(f []field) (Addr, bool) {
	a, ok := address(f)
	a.EmptyHost = false
	return a, ok && (a.Socket != "" || a.Port != 0)
}

// address reads a path or a port (one field), or host and port (two).
func address(f []field) (Addr, bool) {
	if len(f) == 1 && f[0].path {
		return Addr{Socket: f[0].text}, true
	}
	port, ok := parsePort(f[len(f)-1].text)
	if !ok || len(f) == 1 {
		return Addr{Port: port}, ok
	}
	return Addr{Host: f[0].text, EmptyHost: f[0].text == "", Port: port}, true
}

// valid checks what does not hang on the form: only a Remote's listening port
// may be 0, and hosts and paths have the lengths that OpenSSH allows.
func (s Spec) valid() bool {
	if s.Kind != Remote && s.Kind != Stdio && s.Listen.Socket == "" && s.Listen.Port == 0 {
		return false
	}
	for _, a := range []Addr{s.Listen, s.Connect} {
		if len(a.Host) > maxHost || len(a.Socket) > maxSocket {
			return false
		}
	}
	return true
}

// parsePort reads a port number from 0 to 65535, or the name of a TCP service,
// as OpenSSH's a2port does: strtonum allows blanks and a sign in front.
func parsePort(s string) (int, bool) {
	number := strings.TrimLeft(s, " \t\n\v\f\r")
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return int(n), n >= 0 && n <= 65535
	}
	// Names of services are case-sensitive to getservbyname, not to Go. A
	// name must start with a letter, so that what is nearly a number is not
	// handed to the system's resolver.
	if s == "" || s[0] < 'a' || s[0] > 'z' || strings.ToLower(s) != s {
		return 0, false
	}
	n, err := net.LookupPort("tcp", s)
	return n, err == nil && n > 0
}

// specFields writes a in the syntax of ParseSpec. withHost writes the host
// even if it is empty.
func specFields(a Addr, withHost bool) string {
	if a.Socket != "" {
		if !strings.Contains(a.Socket, "/") {
			return "./" + quoteField(a.Socket, "") // only a slash makes it a path
		}
		return quoteField(a.Socket, "")
	}
	port := strconv.Itoa(a.Port)
	if a.Host == "" && !a.EmptyHost && !withHost {
		return port
	}
	return quoteField(a.Host, "/") + ":" + port // a bare slash would make it a path
}

// quoteField writes a field so that it reads back as it is: in brackets as
// people write IPv6 addresses, or with backslashes where brackets cannot be.
// special is what else must not stand bare.
func quoteField(s, special string) string {
	if strings.Contains(s, ":") && !strings.ContainsAny(s, "]"+special) {
		return "[" + s + "]"
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		first := i == 0 && strings.IndexByte("[ \t\n\v\f\r", s[i]) >= 0
		if first || strings.IndexByte(`:\`+special, s[i]) >= 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
