package sshconfig

import (
	"strings"
)

// jump is what ProxyJump has been set to: the last hop in parts, and the
// earlier ones as they were written.
type jump struct {
	set        bool
	none       bool
	user, host string
	port       int    // 0 if not given
	extra      string // "" if there is one hop
}

// setProxyJump reads the rest of the line as a list of hops.
func (l *loader) setProxyJump(d *directive) error {
	text := trimCommand(d.rest)
	if !l.parseJump(d, text, d.commandLine) {
		return l.badLine(d, "Invalid ProxyJump \"%s\"", text)
	}
	d.args.consume()
	return nil
}

// parseJump reads hops and takes them over unless ProxyJump or ProxyCommand
// came first. A name on the command line must be harmless in a shell.
func (l *loader) parseJump(d *directive, text string, strict bool) bool {
	st := &l.st
	if equalFoldASCII(text, "none") {
		if d.active && !st.jump.set {
			st.jump = jump{set: true, none: true}
			l.markSet(d, st.get(kwProxyJump))
		}
		return true
	}
	text, _, _ = strings.Cut(text, "#")
	// OpenSSH means to take white space off the end here; what it does is to
	// end the text at the first one.
	if i := strings.IndexAny(text[min(1, len(text)):], cSpace); i >= 0 {
		text = text[:i+1]
	}
	hops := strings.Split(text, ",")
	var last JumpHost
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := parseHop(hops[i])
		if !ok || strict && !l.harmless(d, hop) {
			return false
		}
		if i == len(hops)-1 {
			last = hop
		}
	}
	command := st.get(kwProxyCommand)
	if !d.active || st.jump.set || command.set {
		return true
	}
	st.jump = jump{set: true, user: last.User, host: last.Host, port: last.Port}
	if i := strings.LastIndexByte(text, ','); i >= 0 {
		st.jump.extra = text[:i]
	}
	l.markSet(d, st.get(kwProxyJump))
	// A later ProxyCommand must not count.
	command.set, command.text = true, "none"
	return true
}

func (l *loader) harmless(d *directive, hop JumpHost) bool {
	switch at := (origin{d.file, d.line}); {
	case !validHost(hop.Host):
		l.failed = true
		l.say(at, LogError, "parse_jump: invalid hostname \"%s\"", hop.Host)
	case hop.User != "" && !validUser(hop.User):
		l.failed = true
		l.say(at, LogError, "parse_jump: invalid username \"%s\"", hop.User)
	default:
		return true
	}
	return false
}

// parseHop reads [user@]host[:port] or an ssh URI.
func parseHop(s string) (JumpHost, bool) {
	if rest, ok := strings.CutPrefix(s, "ssh://"); ok {
		return parseURI(rest)
	}
	var hop JumpHost
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		if hop.User, s = s[:i], s[i+1:]; hop.User == "" {
			return JumpHost{}, false
		}
	}
	host, port, _, ok := cutHost(s)
	if !ok || host == "" {
		return JumpHost{}, false
	}
	hop.Host = cleanHost(host)
	return hop, setHopPort(&hop, port)
}

// setHopPort reads a port, which may be empty.
func setHopPort(hop *JumpHost, port string) bool {
	if port == "" {
		return true
	}
	n, ok := parsePort(port)
	hop.Port = n
	return ok && n > 0
}

// parseURI reads [user[;parameters]@]host[:port][/] after ssh://. A path is
// not allowed.
func parseURI(s string) (JumpHost, bool) {
	var hop JumpHost
	if user, rest, ok := strings.Cut(s, "@"); ok {
		user, _, _ = strings.Cut(user, ";")
		if hop.User, ok = urlDecode(user); !ok || user == "" {
			return JumpHost{}, false
		}
		s = rest
	}
	end := strings.IndexAny(s, ":/")
	if strings.HasPrefix(s, "[") {
		if end = strings.IndexByte(s, ']'); end < 0 {
			return JumpHost{}, false
		}
		end++
	} else if end < 0 {
		end = len(s)
	}
	host, rest := s[:end], s[end:]
	if host == "" || rest != "" && rest[0] != ':' && rest[0] != '/' {
		return JumpHost{}, false
	}
	var problem string
	if hop.Host, problem = validDomainCase(cleanHost(host)); problem != "" {
		return JumpHost{}, false
	}
	path := strings.TrimPrefix(rest, "/")
	if port, ok := strings.CutPrefix(rest, ":"); ok && port != "" {
		port, path, _ = strings.Cut(port, "/")
		n, ok := parsePort(port)
		if !ok || n <= 0 {
			return JumpHost{}, false
		}
		hop.Port = n
	} else if ok {
		path = ""
	}
	return hop, path == ""
}

// urlDecode undoes percent encoding; + is a space.
func urlDecode(s string) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out.WriteByte(' ')
		case s[i] != '%':
			out.WriteByte(s[i])
		case i+2 >= len(s) || digit(s[i+1]) > 15 || digit(s[i+2]) > 15 || s[i+1:i+3] == "00":
			return "", false
		default:
			out.WriteByte(byte(digit(s[i+1])<<4 | digit(s[i+2])))
			i += 2
		}
	}
	return out.String(), true
}

// validDomain checks a domain name and returns it in lower case without a dot
// at the end. problem is OpenSSH's explanation.
func validDomain(s string) (domain, problem string) {
	domain, problem = validDomainCase(s)
	return lowerASCII(domain), problem
}

// validDomainCase is validDomain for a name that keeps its case.
func validDomainCase(s string) (domain, problem string) {
	if s == "" {
		return "", "empty domain name"
	}
	shown := s
	if len(shown) > 100 {
		shown = shown[:100]
	}
	if digit(s[0]) == 99 {
		return "", "domain name \"" + shown + "\" starts with invalid character"
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '.' && i > 0 && s[i-1] == '.' {
			return "", "domain name \"" + shown + "\" contains consecutive separators"
		}
		if digit(s[i]) == 99 && strings.IndexByte(".-_", s[i]) < 0 {
			return "", "domain name \"" + shown + "\" contains invalid characters"
		}
	}
	return strings.TrimSuffix(s, "."), ""
}

// Destination is a parsed destination of ssh.
type Destination struct {
	User string // "" if not given
	Host string
	Port int // 0 if not given
}

// ParseDestination parses [user@]host or ssh://[user@]host[:port]. The error is
// ErrUsage.
func ParseDestination(s string) (Destination, error) {
	if rest, ok := strings.CutPrefix(s, "ssh://"); ok {
		hop, ok := parseURI(rest)
		if !ok {
			return Destination{}, ErrUsage
		}
		return Destination(hop), nil
	}
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return Destination{Host: s}, nil
	}
	if i == 0 {
		return Destination{}, ErrUsage
	}
	return Destination{User: s[:i], Host: s[i+1:]}, nil
}
