package sshconfig

import (
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
	case kwRefuseConnection:
		return l.refuseConnection(d)
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

// parseMask reads an octal mode. Like OpenSSH it does not mind what follows.
func parseMask(s string) (mode int64, ok bool) {
	n, _, ok := strtol(s, 8)
	n = int32Of(n)
	return n, ok && n >= 0 && n <= 0o777
}
