package sshconfig

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/gossh-project/gossh/forward"
)

// Dump prints the configuration as `ssh -G` does: the same keywords in the
// same order and form, one to a line. Our own keywords are printed only where
// they were set. Errors are w's, or [ErrNotLoaded].
func (c *Config) Dump(w io.Writer) error {
	if c.res == nil || c.inCode() {
		return ErrNotLoaded
	}
	d := dumper{bufio.NewWriter(w), c, &c.res.st}
	d.text("host", c.Host)
	d.strings(kwUser)
	d.text("hostname", c.HostName)
	d.numbers(kwPort)

	d.words(kwAddressFamily, kwBatchMode, kwCanonicalizeFallbackLocal, kwCanonicalizeHostname, kwCheckHostIP,
		kwCompression, kwControlMaster, kwEnableSSHKeysign, kwClearAllForwardings, kwExitOnForwardFailure)
	d.strings(kwFingerprintHash)
	d.words(kwForwardX11, kwForwardX11Trusted, kwGatewayPorts,
		kwGSSAPIAuthentication, kwGSSAPIKeyExchange, kwGSSAPIDelegateCredentials, kwGSSAPITrustDNS,
		kwGSSAPIRenewalForcesRekey)
	d.strings(kwGSSAPIClientIdentity, kwGSSAPIServerIdentity, kwGSSAPIKexAlgorithms)
	d.words(kwHashKnownHosts, kwHostbasedAuthentication, kwIdentitiesOnly, kwKbdInteractiveAuthentication,
		kwNoHostAuthenticationForLocalhost, kwPasswordAuthentication, kwPermitLocalCommand, kwProxyUseFdpass,
		kwPubkeyAuthentication, kwRequestTTY, kwSessionType, kwStdinNull, kwForkAfterAuthentication,
		kwStreamLocalBindUnlink, kwStrictHostKeyChecking, kwTCPKeepAlive, kwTunnel, kwVerifyHostKeyDNS,
		kwVisualHostKey, kwUpdateHostKeys, kwEnableEscapeCommandline, kwWarnWeakCrypto)
	d.numbers(kwCanonicalizeMaxDots, kwConnectionAttempts, kwForwardX11Timeout, kwNumberOfPasswordPrompts,
		kwServerAliveCountMax, kwServerAliveInterval, kwRequiredRSASize)
	d.obscure()

	d.strings(kwBindAddress, kwBindInterface)
	d.lists(kwCiphers)
	d.strings(kwControlPath)
	d.lists(kwHostKeyAlgorithms)
	d.strings(kwHostKeyAlias)
	d.lists(kwHostbasedAcceptedAlgorithms)
	d.strings(kwIdentityAgent, kwIgnoreUnknown, kwKbdInteractiveDevices)
	d.lists(kwKexAlgorithms, kwCASignatureAlgorithms)
	d.strings(kwLocalCommand, kwRemoteCommand)
	d.text("loglevel", c.LogLevel.String())
	d.lists(kwMACs)
	d.strings(kwPKCS11Provider, kwSecurityKeyProvider, kwPreferredAuthentications)
	d.lists(kwPubkeyAcceptedAlgorithms)
	d.strings(kwXAuthLocation, kwKnownHostsCommand, kwTag, kwVersionAddendum)

	d.forwards()
	d.files()
	d.special()
	d.proxy()
	d.own()
	return d.w.Flush()
}

type dumper struct {
	w  *bufio.Writer
	c  *Config
	st *state
}

func dumpName(id keyword) string { return lowerASCII(keywordTable[id].name) }

func (d dumper) text(name, value string) { fmt.Fprintf(d.w, "%s %s\n", name, value) }

// words prints flags and words, each by the first of its synonyms.
func (d dumper) words(ids ...keyword) {
	for _, id := range ids {
		d.text(dumpName(id), keywordTable[id].words.printed(d.st.get(id).text))
	}
}

// strings prints values that are set.
func (d dumper) strings(ids ...keyword) {
	for _, id := range ids {
		if v := d.st.get(id); v.set {
			d.text(dumpName(id), v.text)
		}
	}
}

func (d dumper) numbers(ids ...keyword) {
	for _, id := range ids {
		fmt.Fprintf(d.w, "%s %d\n", dumpName(id), d.st.get(id).n)
	}
}

// lists prints lists of algorithms.
func (d dumper) lists(ids ...keyword) {
	for _, id := range ids {
		d.text(dumpName(id), strings.Join(d.st.get(id).list, ","))
	}
}

// lines prints each item on a line of its own.
func (d dumper) lines(id keyword, items []string) {
	for _, item := range items {
		d.text(dumpName(id), item)
	}
}

// oneLine prints all items on one line, or none.
func (d dumper) oneLine(id keyword, items []string) {
	if len(items) == 0 {
		items = []string{"none"}
	}
	d.text(dumpName(id), strings.Join(items, " "))
}

func (d dumper) obscure() {
	v := d.st.get(kwObscureKeystrokeTiming)
	switch {
	case v.n == 0:
		d.text("obscurekeystroketiming", "no")
	case v.n == obscureDefault:
		d.text("obscurekeystroketiming", "yes")
	default:
		d.numbers(kwObscureKeystrokeTiming)
	}
}

// forwards prints the forwardings. OpenSSH tells dynamic ones from others by a
// target named socks; a target that is a socket passes for both.
func (d dumper) forwards() {
	for _, s := range d.st.local {
		if s.Kind == forward.Dynamic || s.Connect.Socket != "" || s.Connect.Host == "socks" {
			s.Kind, s.Connect = forward.Dynamic, forward.Addr{}
			d.text("dynamicforward", s.ConfigArgs())
		}
	}
	for _, s := range d.st.local {
		if s.Kind == forward.Local && (s.Connect.Socket != "" || s.Connect.Host != "socks") {
			d.text("localforward", s.ConfigArgs())
		}
	}
	for _, s := range d.st.remote {
		d.text("remoteforward", s.ConfigArgs())
	}
}

func (d dumper) files() {
	for _, f := range d.st.identity {
		d.text("identityfile", f.text)
	}
	d.oneLine(kwCanonicalDomains, d.st.get(kwCanonicalDomains).list)
	for _, f := range d.st.certificate {
		d.text("certificatefile", f.text)
	}
	d.oneLine(kwGlobalKnownHostsFile, d.st.get(kwGlobalKnownHostsFile).list)
	d.oneLine(kwUserKnownHostsFile, d.st.get(kwUserKnownHostsFile).list)
	d.oneLine(kwRevokedHostKeys, d.st.get(kwRevokedHostKeys).list)
	d.lines(kwSendEnv, d.st.get(kwSendEnv).list)
	d.lines(kwSetEnv, d.st.get(kwSetEnv).list)
	d.oneLine(kwLogVerbose, d.st.get(kwLogVerbose).list)
	d.oneLine(kwChannelTimeout, d.st.get(kwChannelTimeout).list)
}

// special prints the keywords that have a form of their own.
func (d dumper) special() {
	permit := d.st.get(kwPermitRemoteOpen).list
	if len(permit) == 0 {
		permit = []string{"any"}
	}
	d.oneLine(kwPermitRemoteOpen, permit)

	add := d.st.get(kwAddKeysToAgent)
	switch {
	case add.n == 0:
		d.text("addkeystoagent", wordsAgentAdd.printed(add.text))
	case add.text == "confirm":
		fmt.Fprintf(d.w, "addkeystoagent confirm %d\n", add.n)
	default:
		d.numbers(kwAddKeysToAgent)
	}
	agent := d.st.get(kwForwardAgent)
	switch {
	case agent.text != "":
		d.text("forwardagent", agent.text)
	case agent.n > 0:
		d.text("forwardagent", "yes")
	default:
		d.text("forwardagent", "no")
	}
	if d.st.get(kwConnectTimeout).set {
		d.numbers(kwConnectTimeout)
	} else {
		d.text("connecttimeout", "none")
	}
	device := d.st.get(kwTunnelDevice)
	d.text("tunneldevice", tunName(device.n)+":"+tunName(device.m))

	fmt.Fprint(d.w, "canonicalizePermittedcnames") // so it is written
	if len(d.st.cnames) == 0 {
		fmt.Fprint(d.w, " none")
	}
	for _, rule := range d.st.cnames {
		fmt.Fprintf(d.w, " %s:%s", rule.Source, rule.Target)
	}
	fmt.Fprintln(d.w)
	d.rest()
}

func (d dumper) rest() {
	persist := d.st.get(kwControlPersist)
	if persist.n == 0 {
		d.text("controlpersist", persist.text)
	} else {
		d.numbers(kwControlPersist)
	}
	d.text("escapechar", visible(d.st.get(kwEscapeChar).n))
	qos := d.st.get(kwIPQoS)
	d.text("ipqos", qosName(qos.n)+" "+qosName(qos.m))
	rekey := d.st.get(kwRekeyLimit)
	fmt.Fprintf(d.w, "rekeylimit %d %d\n", rekey.n, rekey.m)
	fmt.Fprintf(d.w, "streamlocalbindmask 0%o\n", d.st.get(kwStreamLocalBindMask).n)
	d.text("syslogfacility", d.st.get(kwSyslogFacility).text)
}

func tunName(n int64) string {
	if n == tunAny {
		return "any"
	}
	return fmt.Sprint(n)
}

func qosName(n int64) string {
	for _, q := range qosNames {
		if q.value == n {
			return q.name
		}
	}
	return fmt.Sprintf("0x%02x", n)
}

// visible writes a character as vis(3) does with VIS_WHITE.
func visible(n int64) string {
	c := byte(n)
	switch {
	case n == int64(EscapeNone):
		return "none"
	case c == '\\':
		return `\\`
	case c > ' ' && c < 0x7f:
		return string(rune(c))
	case c&0x7f == ' ':
		return fmt.Sprintf(`\%03o`, c)
	}
	out := `\`
	if c >= 0x80 {
		out += "M"
		c &= 0x7f
	}
	switch {
	case c == 0x7f:
		return out + "^?"
	case c < ' ':
		return out + "^" + string(rune(c+'@'))
	}
	return out + "-" + string(rune(c))
}

// visibleText writes a message as strvis(3) does with VIS_SAFE and VIS_OCTAL,
// which is how ssh keeps odd bytes away from the terminal.
func visibleText(s string) string {
	plain := func(c byte) bool {
		return c >= ' ' && c < 0x7f && c != '\\' || strings.IndexByte("\t\n\b\a\r", c) >= 0
	}
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	var out strings.Builder
	for _, c := range []byte(s) {
		switch {
		case plain(c):
			out.WriteByte(c)
		case c == '\\':
			out.WriteString(`\\`)
		default:
			fmt.Fprintf(&out, `\%03o`, c)
		}
	}
	return out.String()
}

func (d dumper) proxy() {
	j := d.st.jump
	if !j.set {
		d.strings(kwProxyCommand)
		return
	}
	var out strings.Builder
	if j.extra != "" {
		out.WriteString(j.extra + ",")
	}
	if j.user != "" {
		out.WriteString(j.user + "@")
	}
	if strings.Contains(j.host, ":") || strings.Trim(j.host, "1234567890.") == "" {
		out.WriteString("[" + j.host + "]")
	} else {
		out.WriteString(j.host)
	}
	if j.port > 0 {
		fmt.Fprintf(&out, ":%d", j.port)
	}
	d.text("proxyjump", out.String())
}

// own prints our own keywords that were set.
func (d dumper) own() {
	for id := firstOwn; id < numKeywords; id++ {
		if d.st.get(id).at.file != "" {
			d.ownKeyword(id)
		}
	}
}

// DumpOwn prints the keywords that OpenSSH does not have, set or not.
func (c *Config) DumpOwn(w io.Writer) error {
	if c.res == nil || c.inCode() {
		return ErrNotLoaded
	}
	d := dumper{bufio.NewWriter(w), c, &c.res.st}
	for id := firstOwn; id < numKeywords; id++ {
		d.ownKeyword(id)
	}
	return d.w.Flush()
}

func (d dumper) ownKeyword(id keyword) {
	switch keywordTable[id].kind {
	case kindFlag, kindWord:
		d.words(id)
	case kindInt, kindTime:
		d.numbers(id)
	case kindSpecial:
		d.oneLine(id, d.st.get(id).list)
	default:
		if v := d.st.get(id); v.text != "" {
			d.text(dumpName(id), v.text)
		} else {
			d.text(dumpName(id), "none")
		}
	}
}
