package sshconfig

import (
	"math"
	"strings"

	"github.com/gossh-project/gossh/forward"
)

// processSpecial acts on the keywords whose arguments have a form of their own.
func (l *loader) processSpecial(d *directive) error {
	switch d.id {
	case kwHost:
		return l.hostLine(d)
	case kwMatch:
		return l.matchLine(d)
	case kwInclude:
		return l.includeLine(d)
	case kwIdentityFile, kwCertificateFile:
		return l.setKeyFile(d)
	case kwLocalForward, kwRemoteForward, kwDynamicForward:
		return l.setForward(d)
	case kwPermitRemoteOpen:
		return l.setPermitRemoteOpen(d)
	case kwProxyJump:
		return l.setProxyJump(d)
	case kwSendEnv:
		return l.setSendEnv(d)
	case kwSetEnv:
		return l.setSetEnv(d)
	case kwLogVerbose:
		return l.setLogVerbose(d)
	case kwCanonicalDomains:
		return l.setCanonicalDomains(d)
	case kwCanonicalizePermittedCNAMEs:
		return l.setPermittedCNAMEs(d)
	case kwIdentityAgent:
		arg, err := l.argument(d)
		if err != nil {
			return err
		}
		return l.setAgentPath(d, arg, func(path string) {
			if v := l.slot(d, d.id); v != nil {
				v.text = path
			}
		})
	case kwForwardAgent:
		return l.setForwardAgent(d)
	case kwChannelTimeout:
		return l.setChannelTimeout(d)
	case kwForwardAgentKeys:
		return l.setOwnList(d)
	}
	return l.processScalar(d)
}

// processScalar acts on the keywords that set one value of an unusual form.
func (l *loader) processScalar(d *directive) error {
	switch d.id {
	case kwAddKeysToAgent:
		return l.setAddKeysToAgent(d)
	case kwControlPersist:
		return l.setControlPersist(d)
	case kwEscapeChar:
		return l.setEscapeChar(d)
	case kwFingerprintHash:
		return l.setFingerprintHash(d)
	case kwGSSAPIKexAlgorithms:
		return l.setGSSAPIKex(d)
	case kwIPQoS:
		return l.setIPQoS(d)
	case kwLogLevel:
		return l.setLogLevel(d)
	case kwObscureKeystrokeTiming:
		return l.setObscure(d)
	case kwPort:
		return l.setPort(d)
	case kwRekeyLimit:
		return l.setRekeyLimit(d)
	case kwStreamLocalBindMask:
		return l.setBindMask(d)
	case kwSyslogFacility:
		return l.setSyslogFacility(d)
	case kwTunnelDevice:
		return l.setTunnelDevice(d)
	case kwVersionAddendum:
		return l.setVersionAddendum(d)
	}
	return l.badLine(d, "Unimplemented keyword %s", d.keyword)
}

func (l *loader) setKeyFile(d *directive) error {
	arg, err := l.argument(d)
	if err != nil || !d.active {
		return err
	}
	f := fileEntry{text: arg, by: byDefault}
	if d.flags.user {
		f.by = byUser
	}
	list, what := &l.st.identity, "identity"
	if d.id == kwCertificateFile {
		list, what = &l.st.certificate, "certificate"
	}
	if len(*list) >= maxIdentityFiles {
		return l.badLine(d, "Too many %s files specified (max %d).", what, maxIdentityFiles)
	}
	*list = addFile(*list, f)
	l.note(d, d.id)
	return nil
}

// maxForwardText is the room that OpenSSH has for the two arguments of a
// forwarding, joined by a colon; what is over it is lost.
const maxForwardText = 255

func (l *loader) setForward(d *directive) error {
	text, err := l.argument(d)
	if err != nil {
		return err
	}
	kind := forward.Dynamic
	switch d.id {
	case kwLocalForward:
		kind = forward.Local
	case kwRemoteForward:
		kind = forward.Remote
	}
	target := false
	if kind != forward.Dynamic {
		arg2, _ := d.args.next()
		if target = arg2 != ""; target {
			text += ":" + arg2
		} else if kind == forward.Local {
			return l.badLine(d, "Missing target argument.")
		}
	}
	if len(text) > maxForwardText {
		text = text[:maxForwardText]
	}
	spec, ok := l.parseForward(kind, text, target)
	if !ok {
		return l.badLine(d, "Bad forwarding specification.")
	}
	if d.active {
		l.addForward(spec)
		l.note(d, d.id)
	}
	return nil
}

// parseForward parses a forwarding after expanding its variables: one that
// becomes a path makes a socket. Without target, a Remote must have none.
func (l *loader) parseForward(kind forward.Kind, text string, target bool) (forward.Spec, bool) {
	expanded, missing, err := l.expandEnv(text)
	if err != nil || missing {
		return forward.Spec{}, false
	}
	spec, err := forward.ParseSpec(kind, expanded)
	if err != nil || kind == forward.Remote && target == spec.SOCKS() {
		return forward.Spec{}, false
	}
	return spec, true
}

func (l *loader) addForward(spec forward.Spec) {
	if spec.Kind == forward.Remote {
		l.st.remote = addSpec(l.st.remote, spec)
	} else {
		l.st.local = addSpec(l.st.local, spec)
	}
}

func (l *loader) setPermitRemoteOpen(d *directive) error {
	v := l.st.get(d.id)
	empty := len(v.list) == 0
	i := 0
	for ; ; i++ {
		arg, more := d.args.next()
		if !more {
			break
		}
		if equalFoldASCII(arg, "none") || equalFoldASCII(arg, "any") {
			if err := l.aloneOnly(d, arg, i, arg); err != nil {
				return err
			}
		} else if err := l.checkHostPort(d, arg); err != nil {
			return err
		}
		if d.active && empty {
			v.list, v.set = append(v.list, arg), true
			l.note(d, d.id)
		}
	}
	if i == 0 {
		return l.fatalLine(d, "missing %s specification", d.lowerName())
	}
	return nil
}

// lowerName is the keyword's own name in lower case, if it was written as an
// alias.
func (d *directive) lowerName() string { return lowerASCII(keywordTable[d.id].name) }

func (l *loader) checkHostPort(d *directive, arg string) error {
	_, port, more, ok := cutHost(arg)
	if !ok {
		return l.fatalLine(d, "missing host in %s", d.lowerName())
	}
	if n, valid := parsePort(port); !more || port != "*" && (!valid || n <= 0) {
		return l.fatalLine(d, "bad port number in %s", d.lowerName())
	}
	return nil
}

// cutHost takes host off host:port. The host may be in brackets, which stay;
// a slash may not follow it. more is false if there is no colon.
func cutHost(s string) (host, rest string, more, ok bool) {
	end := strings.IndexAny(s, ":/")
	if strings.HasPrefix(s, "[") {
		if end = strings.IndexByte(s, ']'); end < 0 {
			return "", "", false, false
		}
		end++
	}
	switch {
	case end < 0 || end == len(s):
		return s, "", false, true
	case s[end] == ':':
		return s[:end], s[end+1:], true, true
	}
	return "", "", false, false
}

// cleanHost takes the brackets off an address.
func cleanHost(s string) string {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return s[1 : len(s)-1]
	}
	return s
}

// setSendEnv adds patterns of names, or with a - in front removes what has
// been added so far.
func (l *loader) setSendEnv(d *directive) error {
	v := l.st.get(d.id)
	for {
		arg, more := d.args.next()
		if !more {
			return nil
		}
		if arg == "" || strings.Contains(arg, "=") {
			return l.badLine(d, "Invalid environment name.")
		}
		if !d.active {
			continue
		}
		l.note(d, d.id)
		if arg[0] != '-' {
			v.list, v.set = append(v.list, arg), true
			continue
		}
		kept := v.list[:0]
		for _, name := range v.list {
			if !matchPattern(name, arg[1:]) {
				kept = append(kept, name)
			}
		}
		v.list = kept
	}
}

func (l *loader) setSetEnv(d *directive) error {
	v := l.st.get(d.id)
	empty := len(v.list) == 0
	for {
		arg, more := d.args.next()
		if !more {
			return nil
		}
		name, _, ok := strings.Cut(arg, "=")
		if !ok {
			return l.badLine(d, "Invalid SetEnv.")
		}
		if !d.active || !empty || hasEnv(v.list, name) {
			continue
		}
		v.list, v.set = append(v.list, arg), true
		l.note(d, d.id)
	}
}

func hasEnv(list []string, name string) bool {
	for _, e := range list {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}

// setLogVerbose keeps the first item of the first line only: OpenSSH adds the
// others only while its list is empty.
func (l *loader) setLogVerbose(d *directive) error {
	for i := 0; ; i++ {
		arg, more, err := l.listItem(d, i, "none")
		if err != nil || !more {
			return err
		}
		if v := l.slot(d, d.id); v != nil {
			v.list = []string{arg}
		}
	}
}

func (l *loader) setCanonicalDomains(d *directive) error {
	v := l.st.get(d.id)
	empty := len(v.list) == 0
	for i := 0; ; i++ {
		arg, more, err := l.listItem(d, i, "none")
		if err != nil || !more {
			return err
		}
		domain, problem := validDomain(arg)
		if problem != "" {
			return l.badLine(d, "%s", problem)
		}
		if !d.active || !empty {
			continue
		}
		if len(v.list) >= maxCanonDomains {
			return l.badLine(d, "too many hostname suffixes.")
		}
		v.list, v.set = append(v.list, domain), true
		l.note(d, d.id)
	}
}

func (l *loader) setPermittedCNAMEs(d *directive) error {
	empty := len(l.st.cnames) == 0
	for i := 0; ; i++ {
		arg, more := d.args.next()
		if !more {
			return nil
		}
		rule := CNAMERule{Source: arg}
		switch {
		case equalFoldASCII(arg, "none"):
			if err := l.aloneOnly(d, arg, i, "none"); err != nil {
				return err
			}
		case arg == "*":
			rule.Target = arg
		default:
			arg = lowerASCII(arg)
			var ok bool
			if rule.Source, rule.Target, ok = strings.Cut(arg, ":"); !ok || rule.Target == "" {
				return l.badLine(d, "Invalid permitted CNAME \"%s\"", arg)
			}
		}
		if !d.active || !empty {
			continue
		}
		if len(l.st.cnames) >= maxCanonDomains {
			return l.badLine(d, "too many permitted CNAMEs.")
		}
		l.st.cnames = append(l.st.cnames, rule)
		l.note(d, d.id)
	}
}

// setForwardAgent reads yes, no, or the path of a socket, which may join an
// earlier yes or no.
func (l *loader) setForwardAgent(d *directive) error {
	arg, _ := d.args.next()
	if arg == "" {
		return l.badLine(d, "missing argument.")
	}
	v := l.st.get(d.id)
	if word, ok := wordsFlag.lookup(arg); ok {
		if d.active && v.n == 0 {
			v.n = flagNumber(word)
			l.markSet(d, v)
		}
		return nil
	}
	if d.active && v.n == 0 {
		v.n = flagNumber("yes")
		l.markSet(d, v)
	}
	return l.setAgentPath(d, arg, func(path string) {
		if d.active && v.text == "" {
			v.text = path
		}
	})
}

// flagNumber tells yes, no and unset apart in a number.
func flagNumber(word string) int64 {
	if word == "yes" {
		return 1
	}
	return -1
}

func (l *loader) markSet(d *directive, v *value) {
	v.set = true
	if v.at.file == "" {
		v.at = origin{d.file, d.line}
	}
}

// setChannelTimeout reads type=interval pairs, or none alone (OpenSSH 10).
func (l *loader) setChannelTimeout(d *directive) error {
	var list []string
	for i := 0; ; i++ {
		arg, more := d.args.next()
		if !more {
			break
		}
		if equalFoldASCII(arg, "none") {
			if err := l.aloneOnly(d, arg, i, "none"); err != nil {
				return err
			}
		} else if name, interval, ok := strings.Cut(arg, "="); !ok || name == "" || !validTime(interval) {
			return l.fatalLine(d, "invalid channel timeout %s", arg)
		}
		list = append(list, arg)
	}
	if len(list) == 0 {
		return l.fatalLine(d, "no %s specified", d.keyword)
	}
	if v := l.slot(d, d.id); v != nil {
		v.list = list
	}
	return nil
}

func validTime(s string) bool {
	_, ok := parseTime(s)
	return ok
}

// setOwnList reads a list of one of our own keywords; the first line wins.
func (l *loader) setOwnList(d *directive) error {
	var list []string
	for i := 0; ; i++ {
		arg, more, err := l.listItem(d, i, "none")
		if err != nil {
			return err
		}
		if !more {
			break
		}
		list = append(list, arg)
	}
	if v := l.slot(d, d.id); v != nil {
		v.list = list
	}
	return nil
}

// parseMask reads an octal mode. Like OpenSSH it does not mind what follows.
func parseMask(s string) (mode int64, ok bool) {
	n, _, ok := strtol(s, 8)
	n = int32Of(n)
	return n, ok && n >= 0 && n <= 0o777
}

const noQoS = math.MaxInt32
