package sshconfig

import (
	"net"
	"net/netip"
	"strings"

	"github.com/gossh-project/gossh/internal/pattern"
)

// hostLine opens a block for hosts: it applies if a pattern matches the name
// and no negated one does.
func (l *loader) hostLine(d *directive) error {
	if d.commandLine {
		return l.plain(d, "Host directive not supported as a command-line option")
	}
	d.active = false
	var why string
	for {
		arg, more := d.args.next()
		if !more {
			break
		}
		if arg == "" {
			return l.badLine(d, "keyword %s empty argument", d.keyword)
		}
		if d.flags.neverMatch {
			d.args.consume()
			break
		}
		p, not := strings.CutPrefix(arg, "!")
		if !pattern.Match(l.host, p) {
			continue
		}
		if not {
			l.debugLine(d, levelDebug1, "Skipping Host block because of negated match for %.100s", p)
			d.active = false
			d.args.consume()
			break
		}
		if !d.active {
			why = p
		}
		d.active = true
	}
	if d.active {
		l.debugLine(d, levelDebug1, "Applying options for %.100s", why)
	}
	return nil
}

// matchLine opens a block for what its criteria say.
func (l *loader) matchLine(d *directive) error {
	if d.commandLine {
		return l.plain(d, "Match directive not supported as a command-line option")
	}
	m := matcher{l: l, d: d, result: true}
	err := m.run()
	if err == errBad {
		return l.badLine(d, "Bad Match condition")
	}
	if err != nil {
		return err
	}
	d.active = m.result && !d.flags.neverMatch
	return nil
}

// matcher evaluates one Match line. Every criterion is read even when the
// outcome is known, so that mistakes are found; only exec is not run then.
type matcher struct {
	l      *loader
	d      *directive
	host   string // what to connect to, as far as is known
	result bool
	count  int // criteria other than all
}

func (m *matcher) run() error {
	var err error
	if m.host, err = m.l.hostSoFar(m.d.flags.final); err != nil {
		return err
	}
	l := m.l
	l.debug(levelDebug2, "checking match for '%s' host %s originally %s", m.d.rest, m.host, l.original)
	for {
		word, ok := m.d.args.next()
		if !ok {
			break
		}
		if strings.HasPrefix(word, "#") {
			m.d.args.consume()
			break
		}
		end, err := m.criterion(word)
		if err != nil {
			return err
		}
		if end {
			l.debugFound(m.result)
			return nil
		}
	}
	if m.count == 0 {
		return l.plain(m.d, "One or more attributes required for Match")
	}
	l.debugFound(m.result)
	return nil
}

func (l *loader) debugFound(found bool) {
	if found {
		l.debug(levelDebug2, "match found")
	} else {
		l.debug(levelDebug2, "match not found")
	}
}

// hostSoFar is the name that Match host looks at while HostName may still be
// unknown.
func (l *loader) hostSoFar(final bool) (string, error) {
	v := l.st.get(kwHostName)
	switch {
	case !v.set:
		return l.host, nil
	case final:
		return v.text, nil
	}
	return l.mustExpand(v.text, Tokens{'h': l.host}, false)
}

// criterion evaluates one criterion; end says that nothing may follow it.
func (m *matcher) criterion(word string) (end bool, err error) {
	name, not := strings.CutPrefix(word, "!")
	name = lowerASCII(name)
	switch name {
	case "all":
		return true, m.all(word, not)
	case "canonical", "final":
		m.count++
		// The wish for a second pass is noted in the first one only.
		if name == "final" && !not && !m.d.flags.final {
			m.l.wantFinal = true
		}
		m.decide(word, "", m.d.flags.final, not)
		return false, nil
	}
	m.count++
	attribute := strings.TrimPrefix(word, "!")
	arg, ok := "", false
	if before, after, cut := strings.Cut(attribute, "="); cut && takesEquals(lowerASCII(before)) {
		attribute, arg, name = before, after, lowerASCII(before)
		word = word[:len(word)-len(after)-1]
	} else if arg, ok = m.d.args.next(); !ok {
		return false, m.l.badLine(m.d, "missing argument for Match '%s'", word)
	}
	mayBeEmpty := name == "tagged" || name == "command"
	if arg == "" && !mayBeEmpty || strings.HasPrefix(arg, "#") {
		return false, m.l.plain(m.d, "Missing Match criteria for %s", attribute)
	}
	if name == "exec" {
		return false, m.exec(word, arg, not)
	}
	seen, matches, err := m.attribute(name, arg)
	if err != nil {
		return false, err
	}
	if seen == nil {
		return false, m.l.plain(m.d, "Unsupported Match attribute %s", attribute)
	}
	m.decide(word, *seen, matches, not)
	return false, nil
}

// takesEquals reports whether the argument of a criterion may follow it behind
// an equals sign.
func takesEquals(name string) bool {
	switch name {
	case "host", "originalhost", "user", "localuser", "localnetwork", "version", "tagged", "command", "exec":
		return true
	}
	return false
}

// all must stand alone, or after one other criterion, which OpenSSH overlooks.
func (m *matcher) all(word string, not bool) error {
	arg, _ := "", false
	if m.count <= 1 {
		arg, _ = m.d.args.next()
	}
	if m.count > 1 || arg != "" && arg[0] != '#' {
		return m.l.badLine(m.d, "'%s' cannot be combined with other Match attributes", word)
	}
	if arg != "" {
		m.d.args.consume()
	}
	m.result = m.result && !not
	return nil
}

// decide notes the outcome of one criterion.
func (m *matcher) decide(word, seen string, matches, not bool) {
	this := matches != not
	m.result = m.result && this
	if m.l.debugging(levelDebug3) {
		did := ""
		if !this {
			did = "not "
		}
		if seen == "" {
			m.l.debugLine(m.d, levelDebug3, "%smatched '%s'", did, word)
		} else {
			m.l.debugLine(m.d, levelDebug3, "%smatched '%s \"%.100s\"' ", did, word, seen)
		}
	}
}

// attribute compares what a criterion looks at with its argument. seen is nil
// if there is no such criterion.
func (m *matcher) attribute(name, arg string) (seen *string, matches bool, err error) {
	l := m.l
	var s string
	switch name {
	case "host":
		return &m.host, matchHost(m.host, arg), nil
	case "originalhost":
		return &l.original, matchHost(l.original, arg), nil
	case "user":
		s = l.userSoFar()
	case "localuser":
		s = l.opts.LocalUser
	case "version":
		s = l.opts.Version
	case "tagged":
		s = l.st.get(kwTag).text
		return &s, matchOrEmpty(s, arg), nil
	case "command":
		s = l.opts.Command
		return &s, matchOrEmpty(s, arg), nil
	case "sessiontype":
		s = l.sessionSoFar()
	case "localnetwork":
		matches, err = m.localNetwork(arg)
		return &arg, matches, err
	default:
		return nil, false, nil
	}
	return &s, matchList(s, arg, false) == matched, nil
}

// matchOrEmpty matches a list; nothing matches only the empty list.
func matchOrEmpty(s, list string) bool {
	if s == "" {
		return list == ""
	}
	return matchList(s, list, false) == matched
}

// sessionSoFar is what Match sessiontype looks at.
func (l *loader) sessionSoFar() string {
	switch v := l.st.get(kwSessionType); {
	case v.is(string(SessionSubsystem)):
		return "subsystem"
	case v.is(string(SessionNone)):
		return "none"
	case l.opts.Command != "":
		return "exec"
	}
	return "shell"
}

// localNetwork reports whether an interface that is up has an address in one
// of the networks of a list.
func (m *matcher) localNetwork(list string) (bool, error) {
	var networks []netip.Prefix
	first, _, _ := strings.Cut(list, ",")
	for entry := range strings.SplitSeq(list, ",") {
		switch {
		case entry == "":
			return false, m.l.plain(m.d, "addr_match_cidr_list: empty entry in list \"%.100s\"", first)
		case strings.Trim(entry, "0123456789abcdefABCDEF.:/") != "":
			m.l.plain(m.d, "addr_match_cidr_list: list entry \"%.100s\" contains invalid characters", entry)
		}
		network, problem := parseNetwork(entry)
		if problem != "" {
			return false, m.l.plain(m.d, "%s \"%.100s\"", problem, entry)
		}
		networks = append(networks, network)
	}
	addrs, err := m.l.localAddrs()
	if err != nil {
		m.l.say(origin{m.d.file, m.d.line}, LogError, "match localnetwork: getifaddrs failed: %s", err)
		return false, nil
	}
	for _, addr := range addrs {
		for _, network := range networks {
			if network.Contains(addr.Unmap().WithZone("")) {
				return true, nil
			}
		}
	}
	return false, nil
}

// parseNetwork reads an address or a network with the length of its prefix.
func parseNetwork(entry string) (network netip.Prefix, problem string) {
	if addr, err := netip.ParseAddr(entry); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), ""
	}
	network, err := netip.ParsePrefix(entry)
	if err != nil {
		return network, "Invalid network entry"
	}
	if network != network.Masked() {
		return network, "Inconsistent mask length for network"
	}
	return network, ""
}

func (l *loader) localAddrs() ([]netip.Addr, error) {
	if l.opts.LocalAddrs != nil {
		return l.opts.LocalAddrs()
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has gone away meanwhile
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				list = append(list, p.Addr())
			}
		}
	}
	return list, nil
}
