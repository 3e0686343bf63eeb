package sshconfig

import (
	"github.com/gossh-project/gossh/forward"
)

// setIdentityAgent reads a path, none, or a variable.
func (l *loader) setIdentityAgent(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	return l.setAgentPath(d, arg, func(path string) {
		if v := l.slot(d); v != nil {
			v.text = path
		}
	})
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
	if d.row.id == kwCertificateFile {
		list, what = &l.st.certificate, "certificate"
	}
	if len(*list) >= maxIdentityFiles {
		return l.badLine(d, "Too many %s files specified (max %d).", what, maxIdentityFiles)
	}
	*list = addFile(*list, f)
	l.note(d)
	return nil
}

// refuseConnection ends the resolution where its block applies.
func (l *loader) refuseConnection(d *directive) error {
	arg, err := l.argument(d)
	if err != nil || !d.active {
		return err
	}
	return l.fatalLine(d, "RefuseConnection: %s", arg)
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
	switch d.row.id {
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
		l.note(d)
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

// setForwardAgent reads yes, no, or the path of a socket, which may join an
// earlier yes or no.
func (l *loader) setForwardAgent(d *directive) error {
	arg, _ := d.args.next()
	if arg == "" {
		return l.badLine(d, "missing argument.")
	}
	v := l.value(d)
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

// parseMask reads an octal mode. Like OpenSSH it does not mind what follows.
func parseMask(s string) (mode int64, ok bool) {
	n, _, ok := strtol(s, 8)
	n = int32Of(n)
	return n, ok && n >= 0 && n <= 0o777
}
