package sshconfig

import (
	"os"
	"strconv"
	"strings"

	"github.com/gossh-project/gossh/forward"
)

// commandLine applies what the command line sets, in its order. Each mistake
// ends it at once, as it ends ssh.
func (l *loader) commandLine() error {
	for _, f := range l.opts.CommandLine {
		if err := l.flag(f); err != nil {
			return err
		}
	}
	if l.opts.User != "" {
		if err := l.flag(Flag('l', l.opts.User)); err != nil {
			return err
		}
	}
	if l.opts.Port != 0 {
		return l.flag(Flag('p', strconv.Itoa(l.opts.Port)))
	}
	return nil
}

// flag applies one option of ssh(1). Most of them replace what an earlier -o
// has set; -i, -L, -R and -D add to it, and -l and -p give way to it.
func (l *loader) flag(f Directive) error {
	switch f.Flag {
	case 'o':
		b := &block{file: commandLineOrigin, active: true, flags: readFlags{user: true}}
		return l.processLine(b, f.Value, true)
	case '4', '6', 'n', 'f', 'x', 'X', 'Y', 'g', 'a', 'A', 'k', 'K', 'C', 'T', 'q', 't', 'v', 'M', 'N', 's':
		return l.switchFlag(f.Flag)
	case 'L', 'R', 'D', 'W':
		return l.forwardFlag(f)
	case 'c', 'm':
		return l.algorithmFlag(f)
	case 'i':
		return l.identityFlag(f.Value)
	case 'J':
		return l.jumpFlag(f.Value)
	}
	return l.stringFlag(f)
}

// put replaces the value of a keyword.
func (l *loader) put(id keyword, v value) {
	v.set, v.at = true, origin{file: commandLineOrigin}
	*l.st.get(id) = v
}

func (l *loader) putWord(id keyword, word string) { l.put(id, value{text: word}) }

// switchFlag applies the options without argument.
func (l *loader) switchFlag(letter byte) error {
	switch letter {
	case '4':
		l.putWord(kwAddressFamily, "inet")
	case '6':
		l.putWord(kwAddressFamily, "inet6")
	case 'f':
		l.putWord(kwForkAfterAuthentication, "yes")
		l.putWord(kwStdinNull, "yes")
	case 'n':
		l.putWord(kwStdinNull, "yes")
	case 'x':
		l.putWord(kwForwardX11, "no")
	case 'X':
		l.putWord(kwForwardX11, "yes")
	case 'Y':
		l.putWord(kwForwardX11, "yes")
		l.putWord(kwForwardX11Trusted, "yes")
	case 'g':
		l.putWord(kwGatewayPorts, "yes")
	case 'a':
		l.put(kwForwardAgent, value{n: flagNumber("no"), text: l.st.get(kwForwardAgent).text})
	case 'A':
		l.put(kwForwardAgent, value{n: flagNumber("yes"), text: l.st.get(kwForwardAgent).text})
	case 'k':
		l.putWord(kwGSSAPIDelegateCredentials, "no")
	case 'K':
		l.putWord(kwGSSAPIAuthentication, "yes")
		l.putWord(kwGSSAPIDelegateCredentials, "yes")
	case 'C':
		l.putWord(kwCompression, "yes")
	case 'T':
		l.putWord(kwRequestTTY, "no")
	case 'q':
		l.put(kwLogLevel, value{n: int64(LogQuiet)})
	}
	return l.countedFlag(letter)
}

// countedFlag applies the options whose effect hangs on what was there before.
func (l *loader) countedFlag(letter byte) error {
	session := l.st.get(kwSessionType)
	switch letter {
	case 't':
		if l.st.get(kwRequestTTY).is("yes") {
			l.putWord(kwRequestTTY, "force")
		} else {
			l.putWord(kwRequestTTY, "yes")
		}
	case 'v':
		// The first -v sets the level, whatever -q or -o have said; the others
		// raise it.
		level := int64(LogDebug1)
		if l.verbose {
			level = min(l.st.get(kwLogLevel).n+1, int64(LogDebug3))
		}
		l.verbose = true
		l.put(kwLogLevel, value{n: level})
	case 'M':
		if l.st.get(kwControlMaster).is("yes") {
			l.putWord(kwControlMaster, "ask")
		} else {
			l.putWord(kwControlMaster, "yes")
		}
	case 'N':
		if session.set && !session.is("none") {
			return l.fatal(commandLineOrigin, 0, "Cannot specify -N with -s/SessionType")
		}
		l.putWord(kwSessionType, "none")
		l.putWord(kwRequestTTY, "no")
	case 's':
		if session.set && !session.is("subsystem") {
			return l.fatal(commandLineOrigin, 0, "Cannot specify -s with -N/SessionType")
		}
		l.putWord(kwSessionType, "subsystem")
	}
	return nil
}

// stringFlag applies the options whose argument is taken almost as it is.
func (l *loader) stringFlag(f Directive) error {
	switch f.Flag {
	case 'b':
		l.putWord(kwBindAddress, f.Value)
	case 'B':
		l.putWord(kwBindInterface, f.Value)
	case 'S':
		l.putWord(kwControlPath, f.Value)
	case 'I':
		l.putWord(kwPKCS11Provider, f.Value)
	case 'P':
		if !l.st.get(kwTag).set {
			l.putWord(kwTag, f.Value)
		}
	case 'l':
		if !l.st.get(kwUser).set {
			l.putWord(kwUser, f.Value)
			l.givenUser = true
		}
	case 'p':
		if l.st.get(kwPort).set {
			return nil
		}
		port, ok := parsePort(f.Value)
		if !ok || port <= 0 {
			return l.printed("Bad port '%s'", f.Value)
		}
		l.put(kwPort, value{n: int64(port)})
	case 'e':
		c, ok := parseEscape(f.Value)
		if !ok {
			return l.printed("Bad escape character '%s'.", f.Value)
		}
		l.put(kwEscapeChar, value{n: c})
	case 'w':
		local, remote, ok := parseTun(f.Value)
		if !ok {
			return l.printed("Bad tun device '%s'", f.Value)
		}
		if !l.st.get(kwTunnel).set {
			l.putWord(kwTunnel, string(TunnelPointToPoint))
		}
		l.put(kwTunnelDevice, value{n: local, m: remote})
	default:
		return ErrUsage
	}
	return nil
}

func (l *loader) algorithmFlag(f Directive) error {
	if f.Flag == 'c' {
		list := f.Value
		if strings.HasPrefix(list, "+") || strings.HasPrefix(list, "^") {
			list = list[1:]
		}
		if _, ok := validNames(list, isCipher); !ok || strings.HasPrefix(list, ",") {
			return l.printed("Unknown cipher type '%s'", f.Value)
		}
		l.putWord(kwCiphers, f.Value)
		return nil
	}
	if _, ok := validNames(f.Value, isMAC); !ok || strings.HasPrefix(f.Value, ",") {
		return l.printed("Unknown mac type '%s'", f.Value)
	}
	l.putWord(kwMACs, f.Value)
	return nil
}

// identityFlag adds the file of a -i, and warns instead if it is not there.
func (l *loader) identityFlag(name string) error {
	path, err := l.expandTilde(name)
	if err != nil {
		return errFatal
	}
	if _, err := os.Stat(path); err != nil {
		l.say(origin{file: commandLineOrigin}, LogQuiet, "Warning: Identity file %s not accessible: %s.", path, errnoText(err))
		return nil
	}
	if len(l.st.identity) >= maxIdentityFiles {
		return l.fatal(commandLineOrigin, 0, "Too many identity files specified (max %d)", maxIdentityFiles)
	}
	l.st.identity = addFile(l.st.identity, fileEntry{text: path, by: byFlag})
	if v := l.st.get(kwIdentityFile); v.at.file == "" {
		v.at.file = commandLineOrigin
	}
	return nil
}

func (l *loader) jumpFlag(text string) error {
	if l.st.jump.set {
		return l.fatal(commandLineOrigin, 0,
			"Only a single -J option is permitted (use commas to separate multiple jump hops)")
	}
	if l.st.get(kwProxyCommand).set {
		return l.fatal(commandLineOrigin, 0, "Cannot specify -J with ProxyCommand")
	}
	d := &directive{block: &block{file: commandLineOrigin, active: true}, commandLine: true}
	if !l.parseJump(d, text, true) {
		return l.fatal(commandLineOrigin, 0, "Invalid -J argument")
	}
	return nil
}

// forwardFlag applies -L, -R, -D and -W.
func (l *loader) forwardFlag(f Directive) error {
	kind, word, id := forward.Local, "local", kwLocalForward
	switch f.Flag {
	case 'R':
		kind, word, id = forward.Remote, "remote", kwRemoteForward
	case 'D':
		kind, word, id = forward.Dynamic, "dynamic", kwDynamicForward
	case 'W':
		kind, word = forward.Stdio, "stdio"
		if l.st.stdio != nil {
			return l.fatal(commandLineOrigin, 0, "stdio forward already specified")
		}
	}
	text, missing, err := l.expandEnv(f.Value)
	spec, specErr := forward.ParseSpec(kind, text)
	if missing || err != nil || specErr != nil {
		if kind == forward.Remote && (missing || err != nil) {
			l.expandEnv(f.Value) // ssh tries -R in two ways, and says why each fails
		}
		return l.printed("Bad %s forwarding specification '%s'", word, f.Value)
	}
	if kind == forward.Stdio {
		l.st.stdio = &spec
		l.putWord(kwRequestTTY, "no")
		l.putWord(kwSessionType, "none")
		return nil
	}
	l.addForward(spec)
	if v := l.st.get(id); v.at.file == "" {
		v.at.file = commandLineOrigin
	}
	return nil
}
