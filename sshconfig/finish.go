package sshconfig

import (
	"os"
	"strings"

	"github.com/gossh-project/gossh/forward"
)

// finish fills in defaults, checks what belongs together and expands what -G
// prints expanded, in ssh's order, since the first mistake is the one that is
// reported.
func (l *loader) finish() error {
	l.fillDefaults()
	if err := l.assembleLists(); err != nil {
		return err
	}
	l.clearNone()
	if v := l.st.get(kwUser); !v.set {
		l.defaultUser = true
		fill(v, value{text: l.opts.LocalUser})
	}
	if err := l.checkJump(); err != nil {
		return err
	}
	if err := l.checkTogether(); err != nil {
		return err
	}
	l.logLevel = LogLevel(l.st.get(kwLogLevel).n)
	l.checkTerminal()
	return l.expandAll()
}

// expandAll sets the tokens of the connection and expands what -G prints
// expanded.
func (l *loader) expandAll() error {
	c := connection{host: l.host, original: l.original, user: l.st.get(kwUser).text,
		port: int(l.st.get(kwPort).n), alias: l.original, jump: l.jumpHost()}
	if v := l.st.get(kwHostKeyAlias); v.set {
		c.alias = v.text
	}
	if err := l.expandUser(l.tokens(c)); err != nil {
		return err
	}
	c.user = l.st.get(kwUser).text
	l.connTokens = l.tokens(c)
	return l.expandPrinted()
}

// expandUser expands the tokens of a User that is not from the destination or
// -l. It has neither %r, which is itself, nor %C, which is made of it.
func (l *loader) expandUser(tokens Tokens) error {
	v := l.st.get(kwUser)
	if l.givenUser || l.defaultUser {
		return nil
	}
	delete(tokens, 'r')
	delete(tokens, 'C')
	user, err := l.mustExpand(v.text, tokens, true)
	if err != nil {
		return err
	}
	if user != v.text && !validUser(user) {
		return l.fatal("", 0, "remote username contains invalid characters")
	}
	v.text = user
	return nil
}

// checkTerminal says that there will be no pseudo-terminal where one would be
// asked for, had standard input one to offer.
func (l *loader) checkTerminal() {
	if l.opts.Terminal == nil {
		return
	}
	request := l.st.get(kwRequestTTY)
	command := l.opts.Command != "" || l.st.get(kwRemoteCommand).set
	wanted := !l.st.get(kwSessionType).is("none") && (request.is("yes") || request.is("auto") && !command)
	if wanted && (l.st.get(kwStdinNull).is("yes") || !l.opts.Terminal()) {
		l.say(origin{}, LogInfo, "Pseudo-terminal will not be allocated because stdin is not a terminal.")
	}
}

// fillDefaults gives every keyword its default. Keywords without one stay
// unset and -G does not print them.
func (l *loader) fillDefaults() {
	st := &l.st
	if st.stdio != nil {
		// -W has one connection only: other forwardings would be in the way.
		fill(st.get(kwExitOnForwardFailure), value{text: "yes"})
		fill(st.get(kwClearAllForwardings), value{text: "yes"})
	}
	if st.get(kwClearAllForwardings).is("yes") {
		st.local, st.remote = nil, nil
		st.get(kwTunnel).set, st.get(kwTunnel).text = true, "no"
	}
	l.fillUpdateHostKeys()
	for i := range l.rows {
		l.fillDefault(i)
	}
	if len(st.identity) == 0 {
		for _, name := range []string{"rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "mldsa44_ed25519"} {
			st.identity = append(st.identity, fileEntry{text: "~/.ssh/id_" + name})
		}
	}
	if v := st.get(kwGlobalKnownHostsFile); !v.set {
		dir := systemDir(l.env)
		fill(v, value{list: []string{dir + "/ssh_known_hosts", dir + "/ssh_known_hosts2"}})
	}
}

// fillDefault gives the keyword of a row its default, if it has one and has not
// been set. A default has no origin.
func (l *loader) fillDefault(i int) {
	r := &l.rows[i]
	if r.def == "" || l.st.values[i].set {
		return
	}
	var words [2]string
	n := 1
	if words[0], words[1], _ = strings.Cut(r.def, " "); words[1] != "" {
		n = 2
	}
	d := &l.defaults
	d.row, d.index, d.args = r, i, append(d.buffer[:0], words[:n]...)
	_ = r.set(l, &d.directive) // a test checks that every default is valid
}

// defaultLine is the line that fillDefault reads, used again for each row.
type defaultLine struct {
	directive
	buffer [2]string // the arguments
}

const defaultKnownHosts = "~/.ssh/known_hosts"

// fillUpdateHostKeys turns the updating on where nothing speaks against it.
func (l *loader) fillUpdateHostKeys() {
	dns, files := l.st.get(kwVerifyHostKeyDNS), l.st.get(kwUserKnownHostsFile).list
	def := "no"
	if (!dns.set || dns.is("no")) && (len(files) == 0 || len(files) == 1 && files[0] == defaultKnownHosts) {
		def = "yes"
	}
	fill(l.st.get(kwUpdateHostKeys), value{text: def})
}

// assembleLists completes the lists of algorithms.
func (l *loader) assembleLists() error {
	for _, id := range [...]keyword{kwCiphers, kwMACs, kwKexAlgorithms, kwHostbasedAcceptedAlgorithms,
		kwPubkeyAcceptedAlgorithms, kwCASignatureAlgorithms} {
		list, err := l.assemble(id)
		if err != nil {
			return err
		}
		l.st.get(id).list = list
	}
	return nil
}

// clearNone makes none the same as unset where it means that.
func (l *loader) clearNone() {
	for i := range l.rows {
		switch v := &l.st.values[i]; {
		case !l.rows[i].none:
		case len(v.list) == 1 && equalFoldASCII(v.list[0], "none"):
			v.list = nil
		case v.list == nil && v.isNone():
			v.set, v.text = false, ""
		}
	}
	if l.st.jump.none {
		l.st.jump = jump{}
	}
	if !l.hasPermittedCNAMEs() {
		l.st.cnames = nil
	}
}

// checkJump refuses a host that is its own jump host.
func (l *loader) checkJump() error {
	j := &l.st.jump
	if !j.set {
		return nil
	}
	jumpPort, jumpUser, user := j.port, j.user, l.st.get(kwUser).text
	if jumpPort <= 0 {
		jumpPort = defaultPort
	}
	if jumpUser == "" {
		jumpUser = user
	}
	if j.host == l.host && int(l.st.get(kwPort).n) == jumpPort && jumpUser == user {
		return l.fatal("", 0, "jumphost loop via %s", j.host)
	}
	if l.st.get(kwProxyCommand).set {
		return l.fatal("", 0, "inconsistent options: ProxyCommand+ProxyJump")
	}
	l.st.get(kwProxyUseFdpass).text = "no"
	return nil
}

// checkTogether refuses values that do not go together.
func (l *loader) checkTogether() error {
	st := &l.st
	if v := st.get(kwHostKeyAlias); v.set {
		v.text = lowerASCII(v.text)
	}
	if st.get(kwProxyCommand).is("-") && st.get(kwProxyUseFdpass).is("yes") {
		return l.fatal("", 0, "ProxyCommand=- and ProxyUseFDPass are incompatible")
	}
	l.checkUpdateHostKeys()
	if st.get(kwConnectionAttempts).n <= 0 {
		return l.fatal("", 0, "Invalid number of ConnectionAttempts")
	}
	command := l.opts.Command != ""
	if command && st.get(kwRemoteCommand).set {
		return l.fatal("", 0, "Cannot execute command-line and remote command.")
	}
	if st.get(kwForkAfterAuthentication).is("yes") && !command && !st.get(kwRemoteCommand).set &&
		!st.get(kwSessionType).is("none") {
		return l.fatal("", 0, "Cannot fork into background without a command to execute.")
	}
	return nil
}

// checkUpdateHostKeys turns asking off where nobody can be asked.
func (l *loader) checkUpdateHostKeys() {
	st := &l.st
	update := st.get(kwUpdateHostKeys)
	if !update.is("ask") {
		return
	}
	switch {
	case st.get(kwControlPersist).is("yes") && st.get(kwControlPath).set:
		l.debug(levelDebug1, "UpdateHostKeys=ask is incompatible with ControlPersist; disabling")
	case l.opts.Command != "", st.get(kwRemoteCommand).set, st.get(kwRequestTTY).is("no"):
		l.debug(levelDebug1, "UpdateHostKeys=ask is incompatible with remote command execution; disabling")
	case LogLevel(st.get(kwLogLevel).n) < LogInfo:
	default:
		return
	}
	update.text = "no"
}

// expandPrinted expands the values that -G prints expanded.
func (l *loader) expandPrinted() error {
	st := &l.st
	var err error
	if v := st.get(kwRemoteCommand); v.set {
		if v.text, err = l.mustExpand(v.text, l.connTokens, false); err != nil {
			return err
		}
	}
	for _, id := range [...]keyword{kwControlPath, kwIdentityAgent, kwRevokedHostKeys, kwForwardAgent} {
		v := st.get(id)
		if v.text != "" {
			if v.text, err = l.expandPath(v.text, l.connTokens); err != nil {
				return err
			}
		}
		for i, file := range v.list {
			if v.list[i], err = l.expandPath(file, l.connTokens); err != nil {
				return err
			}
		}
	}
	if v := st.get(kwForwardAgent); v.text != "" {
		if _, err := os.Stat(v.text); err != nil {
			stop := st.get(kwExitOnForwardFailure).is("yes")
			l.failed = l.failed || stop
			l.say(origin{}, LogError, "Cannot forward agent socket path \"%s\": %s", v.text, errnoText(err))
			if stop {
				return errFatal
			}
		}
	}
	if v := st.get(kwVersionAddendum); v.text != "" {
		if v.text, err = l.mustExpand(v.text, l.connTokens, true); err != nil {
			return err
		}
	}
	for _, id := range [...]keyword{kwGlobalKnownHostsFile, kwUserKnownHostsFile} {
		if v := st.get(id); equalFoldASCII(v.list[0], "none") {
			v.list = nil
		}
	}
	files := st.get(kwUserKnownHostsFile)
	for i, file := range files.list {
		if files.list[i], err = l.expandPath(file, l.connTokens); err != nil {
			return err
		}
	}
	env := st.get(kwSetEnv)
	for i, item := range env.list {
		name, val, _ := strings.Cut(item, "=")
		if val, err = l.mustExpand(val, l.connTokens, true); err != nil {
			return err
		}
		env.list[i] = name + "=" + val
	}
	if err := l.expandSockets(st.local); err != nil {
		return err
	}
	return l.expandSockets(st.remote)
}

// expandSockets expands the tokens in the socket paths of forwardings.
func (l *loader) expandSockets(specs []forward.Spec) error {
	var err error
	for i := range specs {
		for _, path := range [...]*string{&specs[i].Listen.Socket, &specs[i].Connect.Socket} {
			if !strings.Contains(*path, "%") {
				continue
			}
			if *path, err = l.mustExpand(*path, l.connTokens, false); err != nil {
				return err
			}
		}
	}
	return nil
}
