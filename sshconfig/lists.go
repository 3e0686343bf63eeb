package sshconfig

import (
	"strings"

	"github.com/gossh-project/gossh/internal/pattern"
)

func (l *loader) setPermitRemoteOpen(d *directive) error {
	v := l.value(d)
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
			l.note(d)
		}
	}
	if i == 0 {
		return l.fatalLine(d, "missing %s specification", d.lowerName())
	}
	return nil
}

// lowerName is the keyword's own name in lower case, if it was written as an
// alias.
func (d *directive) lowerName() string { return d.row.lower() }

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
	v := l.value(d)
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
		l.note(d)
		if arg[0] != '-' {
			v.list, v.set = append(v.list, arg), true
			continue
		}
		kept := v.list[:0]
		for _, name := range v.list {
			if !pattern.Match(name, arg[1:]) {
				kept = append(kept, name)
				continue
			}
			l.debug(levelDebug3, "%s line %d: removing environment %s", d.file, d.line, name)
		}
		v.list = kept
	}
}

func (l *loader) setSetEnv(d *directive) error {
	v := l.value(d)
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
		l.note(d)
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
		if v := l.slot(d); v != nil {
			v.list = []string{arg}
		}
	}
}

func (l *loader) setCanonicalDomains(d *directive) error {
	v := l.value(d)
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
		v.list, v.set = append(v.list, domain), true
		l.note(d)
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
		l.st.cnames = append(l.st.cnames, rule)
		l.note(d)
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
	if v := l.slot(d); v != nil {
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
	if v := l.slot(d); v != nil {
		v.list = list
	}
	return nil
}
