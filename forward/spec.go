package forward

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Kind is the direction of a forwarding. The values of Local, Remote and
// Dynamic are those of the multiplexing protocol's open-forward message.
type Kind uint32

const (
	Local   Kind = 1 // -L: listen here, connect from the server
	Remote  Kind = 2 // -R: listen on the server, connect from here (or speak SOCKS)
	Dynamic Kind = 3 // -D: listen here, SOCKS says where the server connects
	Stdio   Kind = 4 // -W: no listener, standard input and output are the connection
)

// String returns the word that OpenSSH's messages use.
func (k Kind) String() string {
	switch k {
	case Local:
		return "local"
	case Remote:
		return "remote"
	case Dynamic:
		return "dynamic"
	case Stdio:
		return "stdio"
	}
	return "unknown(" + strconv.Itoa(int(k)) + ")"
}

// Addr is one end of a forwarding: a Unix-domain socket path, or a host and a
// TCP port.
//
// A listening Addr has four ways to name its host, and they differ:
//
//   - Host "" with EmptyHost false: no bind address was given. GatewayPorts
//     decides; loopback unless it is set.
//   - Host "" with EmptyHost true: an empty one was written (":8080:…"). Every interface.
//   - Host "*": every interface.
//   - anything else: that address, or for "localhost" loopback of every family.
type Addr struct {
	Socket    string // path of a Unix-domain socket; if set, nothing else counts
	Host      string // name or address, without brackets
	EmptyHost bool   // an empty host was written; means something only when listening
	Port      int    // TCP port; 0 only where a Remote asks the server to choose
}

// IsZero reports whether a names nothing at all.
func (a Addr) IsZero() bool { return a == Addr{} }

// String returns the socket path or host:port, IPv6 addresses in brackets,
// for messages. A listening address without host is the port alone.
func (a Addr) String() string {
	switch {
	case a.Socket != "":
		return a.Socket
	case a.Host == "" && !a.EmptyHost:
		return strconv.Itoa(a.Port)
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// Spec is one parsed forwarding. Specs are comparable: two are the same
// forwarding if they are ==.
type Spec struct {
	Kind    Kind
	Listen  Addr // where connections are accepted; zero for Stdio
	Connect Addr // where they go; zero for Dynamic, and for a Remote that speaks SOCKS
}

// SOCKS reports whether each connection says by SOCKS where it wants to go:
// a Dynamic, or a Remote without a target.
func (s Spec) SOCKS() bool {
	return s.Kind == Dynamic || s.Kind == Remote && s.Connect.IsZero()
}

// String returns the spec as an argument of -L, -R, -D or -W that parses back
// to the same Spec.
func (s Spec) String() string {
	if s.Kind == Stdio {
		return specFields(s.Connect, true)
	}
	out := specFields(s.Listen, false)
	if !s.SOCKS() {
		out += ":" + specFields(s.Connect, true)
	}
	return out
}

// ConfigArgs returns the arguments as `ssh -G` prints them after the keyword:
// "8080 [host]:80", "[127.0.0.1]:8080 /run/app.sock", "8080" for a Dynamic and
// "8080 [socks]:0" for a Remote without a target.
//
// `ssh -G` also lists each forwarding to a Unix-domain socket a second time,
// under dynamicforward; that is an accident of its printing loop.
func (s Spec) ConfigArgs() string {
	switch {
	case s.Kind == Stdio:
		return s.Connect.configForm(true)
	case s.Kind == Dynamic:
		return s.Listen.configForm(false)
	case s.SOCKS():
		return s.Listen.configForm(false) + " [socks]:0"
	}
	return s.Listen.configForm(false) + " " + s.Connect.configForm(true)
}

func (a Addr) configForm(needHost bool) string {
	switch {
	case a.Socket != "":
		return a.Socket
	case a.Host == "" && !a.EmptyHost && !needHost:
		return strconv.Itoa(a.Port)
	}
	return fmt.Sprintf("[%s]:%d", a.Host, a.Port)
}

// SpecError is a forwarding specification that does not parse. Its text is
// what OpenSSH prints.
type SpecError struct {
	Kind Kind
	Text string // the specification as it was given
}

func (e *SpecError) Error() string {
	return fmt.Sprintf("Bad %s forwarding specification '%s'", e.Kind, e.Text)
}

// Limits of OpenSSH's parser: NI_MAXHOST and Linux's sun_path, each with the
// terminating NUL that C counts.
const (
	maxHost   = 1025 - 1
	maxSocket = 108 - 1
)

// ParseSpec parses the argument of -L, -R, -D or -W as ssh(1) describes them:
//
//	-L, -R   [bind_address:]port:host:hostport
//	         [bind_address:]port:remote_socket
//	         local_socket:host:hostport
//	         local_socket:remote_socket
//	-R, -D   [bind_address:]port, local_socket
//	-W       host:port, socket
//
// A field is a socket if it has a slash in it. A field in square brackets is
// taken as it stands, and elsewhere a backslash takes away the meaning of the
// character after it. Ports may be names of services. -R takes port 0: the
// server chooses.
//
// Environment variables (${NAME}) are not expanded here. OpenSSH expands them
// before it parses, and so must the caller; percent tokens in the sockets come
// after parsing.
//
// The forms that OpenSSH's parser lets pass without documenting them, a -D
// with a target socket and a -W with a port alone, are errors.
//
// The error is a *SpecError.
func ParseSpec(kind Kind, s string) (Spec, error) {
	bad := &SpecError{Kind: kind, Text: s}
	fields, ok := splitFields(s)
	if !ok {
		return Spec{}, bad
	}
	spec, ok := assemble(kind, fields)
	if !ok || !spec.valid() {
		return Spec{}, bad
	}
	return spec, nil
}

// ParseStdio parses the argument of -W.
func ParseStdio(s string) (Addr, error) {
	spec, err := ParseSpec(Stdio, s)
	return spec.Connect, err
}

// ParseConfig parses the arguments of LocalForward, RemoteForward or
// DynamicForward in ssh_config(5): "[bind_address:]port" or a socket, and then
// "host:port" or a socket, which a DynamicForward must not have and a
// RemoteForward may lack. The error is a *SpecError.
func ParseConfig(kind Kind, args ...string) (Spec, error) {
	text := strings.Join(args, ":")
	bad := &SpecError{Kind: kind, Text: strings.Join(args, " ")}
	switch {
	case len(args) == 1 && kind == Remote:
		// One argument is the form without target and nothing else, whereas
		// -R takes any form in one argument.
		spec, err := ParseSpec(kind, text)
		if err != nil || !spec.SOCKS() {
			return Spec{}, bad
		}
		return spec, nil
	case len(args) == 1 && kind == Dynamic, len(args) == 2 && (kind == Local || kind == Remote):
		spec, err := ParseSpec(kind, text)
		if err != nil || len(args) == 2 && spec.SOCKS() {
			return Spec{}, bad
		}
		return spec, nil
	}
	return Spec{}, bad
}

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
