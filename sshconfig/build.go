package sshconfig

import (
	"io/fs"
	"reflect"
	"strings"
	"time"

	"github.com/gossh-project/gossh/forward"
)

// resolved is what a Config keeps of its making.
type resolved struct {
	st     state
	env    func(string) (string, bool)
	tokens Tokens
	base   *Config // as Default returned it; nil for a Config from Load
}

// build makes the Config. What -G prints as it was written is expanded here.
func (l *loader) build() (*Config, error) {
	hostKeys, err := l.assemble(kwHostKeyAlgorithms)
	if err != nil {
		return nil, err
	}
	l.st.get(kwHostKeyAlgorithms).list = hostKeys
	if err := l.refuseUnusable(); err != nil {
		return nil, err
	}
	c := &Config{Host: l.original, res: &resolved{env: l.env, tokens: l.connTokens}}
	for i := range l.rows {
		r, v := &l.rows[i], &l.st.values[i]
		switch {
		case r.build != nil:
			r.build(l, c, v)
		case r.field != nil:
			store(r.field(c), v)
		}
	}
	if l.st.stdio != nil {
		c.StdioForward = l.st.stdio.Connect
	}
	c.res.st = l.st
	if err := l.expandRest(c); err != nil {
		return nil, err
	}
	return c, nil
}

// store sets a field of Config to the part of a value that its type asks for:
// a number for integers, seconds for durations, and the list or text otherwise.
func store(field any, v *value) {
	switch p := field.(type) {
	case *bool:
		*p = v.is("yes")
	case *string:
		*p = v.text
	case *int:
		*p = int(v.n)
	case *time.Duration:
		*p = seconds(v.n)
	case *fs.FileMode:
		*p = fs.FileMode(v.n)
	case *[]string:
		*p = v.list
	case *LogLevel:
		*p = LogLevel(v.n)
	case *EscapeChar:
		*p = EscapeChar(v.n)
	default:
		if f := reflect.ValueOf(field).Elem(); f.Kind() == reflect.String { // one of the words
			f.SetString(v.text)
		}
	}
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// commaList splits a value that is a list with commas; unset is nil.
func commaList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func (l *loader) buildAddKeysToAgent(c *Config, v *value) {
	c.AddKeysToAgent = AddKeysToAgent{Add: YesNoAsk(v.text), Lifetime: seconds(v.n)}
	if v.text == "confirm" {
		c.AddKeysToAgent.Add, c.AddKeysToAgent.Confirm = Yes, true
	}
}

func (l *loader) buildCanonicalizePermittedCNAMEs(c *Config, _ *value) {
	c.CanonicalizePermittedCNAMEs = l.st.cnames
}

func (l *loader) buildChannelTimeout(c *Config, v *value) {
	for _, item := range v.list {
		name, interval, _ := strings.Cut(item, "=")
		n, _ := parseTime(interval) // it was checked when it was read
		c.ChannelTimeout = append(c.ChannelTimeout, ChannelTimeout{name, seconds(n)})
	}
}

func (l *loader) buildControlPersist(c *Config, v *value) {
	c.ControlPersist = ControlPersist{Enabled: v.is("yes"), Timeout: seconds(v.n)}
}

func (l *loader) buildDynamicForward(c *Config, _ *value) {
	c.DynamicForward = l.listeners(true)
}

func (l *loader) buildLocalForward(c *Config, _ *value) {
	c.LocalForward = l.listeners(false)
}

// listeners returns the local listeners that are dynamic, or those that are not.
func (l *loader) listeners(dynamic bool) []forward.Spec {
	var specs []forward.Spec
	for _, spec := range l.st.local {
		if dynamic == (spec.Kind == forward.Dynamic) {
			specs = append(specs, spec)
		}
	}
	return specs
}

func (l *loader) buildRemoteForward(c *Config, _ *value) { c.RemoteForward = l.st.remote }

func (l *loader) buildForwardAgent(c *Config, v *value) {
	c.ForwardAgent = ForwardAgent{Enabled: v.n > 0, Socket: v.text}
	if strings.HasPrefix(v.text, "$") {
		var ok bool
		c.ForwardAgent.Socket, ok = l.env(v.text[1:])
		c.ForwardAgent.Enabled = c.ForwardAgent.Enabled && ok
	}
}

func (l *loader) buildGSSAPIKexAlgorithms(c *Config, v *value) {
	c.GSSAPIKexAlgorithms = commaList(v.text)
}

func (l *loader) buildPreferredAuthentications(c *Config, v *value) {
	c.PreferredAuthentications = commaList(v.text)
}

func (l *loader) buildHostKeyAlgorithms(c *Config, v *value) {
	c.HostKeyAlgorithms = v.list
	c.HostKeyAlgorithmsByFile = !fixesOrder(v.text)
}

// buildHostName uses the name that canonicalization has found.
func (l *loader) buildHostName(c *Config, _ *value) { c.HostName = l.host }

// buildIdentityAgent resolves the older forms: the name of the usual variable,
// and $NAME. A variable that is not set leaves no agent.
func (l *loader) buildIdentityAgent(c *Config, v *value) {
	c.IdentityAgent = v.text
	switch {
	case v.text == "SSH_AUTH_SOCK":
		c.IdentityAgent = ""
	case len(v.text) > 1 && v.text[0] == '$' && v.text[1] != '{':
		path, ok := l.env(v.text[1:])
		if c.IdentityAgent = path; !ok {
			c.IdentityAgent = "none"
		}
	}
}

func (l *loader) buildIPQoS(c *Config, v *value) {
	c.IPQoS = IPQoS{Interactive: QoS(v.n), Bulk: QoS(v.m)}
}

func (l *loader) buildLogVerbose(c *Config, v *value) {
	if len(v.list) > 0 && !equalFoldASCII(v.list[0], "none") {
		c.LogVerbose = v.list
	}
}

func (l *loader) buildObscureKeystrokeTiming(c *Config, v *value) {
	interval := time.Duration(v.n) * time.Millisecond
	c.ObscureKeystrokeTiming = ObscureKeystrokeTiming{Enabled: interval > 0, Interval: interval}
}

func (l *loader) buildPermitRemoteOpen(c *Config, v *value) {
	switch {
	case len(v.list) == 0, equalFoldASCII(v.list[0], "any"):
		c.PermitRemoteOpen.Any = true
	case !equalFoldASCII(v.list[0], "none"):
		c.PermitRemoteOpen.Hosts = v.list
	}
}

// buildProxyJump lists the hops in the order in which they are passed.
func (l *loader) buildProxyJump(c *Config, _ *value) {
	j := l.st.jump
	if !j.set {
		return
	}
	if j.extra != "" {
		for hop := range strings.SplitSeq(j.extra, ",") {
			parsed, _ := parseHop(hop) // it was checked when it was read
			c.ProxyJump = append(c.ProxyJump, parsed)
		}
	}
	c.ProxyJump = append(c.ProxyJump, JumpHost{User: j.user, Host: j.host, Port: j.port})
}

func (l *loader) buildRekeyLimit(c *Config, v *value) {
	c.RekeyLimit = RekeyLimit{Bytes: v.n, Time: seconds(v.m)}
}

func (l *loader) buildSecurityKeyProvider(c *Config, v *value) {
	c.SecurityKeyProvider = v.text
	if len(v.text) > 1 && v.text[0] == '$' {
		path, ok := l.env(v.text[1:])
		if !ok {
			l.debug(levelDebug1, "Authenticator provider %s did not resolve; disabling", v.text)
		}
		c.SecurityKeyProvider = path
	}
}

func (l *loader) buildSetEnv(c *Config, v *value) {
	for _, item := range v.list {
		name, val, _ := strings.Cut(item, "=")
		c.SetEnv = append(c.SetEnv, EnvVar{name, val})
	}
}

func (l *loader) buildTunnelDevice(c *Config, v *value) {
	c.TunnelDevice = TunnelDevice{Local: int(v.n), Remote: int(v.m)}
}

// expandRest expands what -G prints as it was written. With DumpOnly, what
// does not expand stays as it is.
func (l *loader) expandRest(c *Config) error {
	var err error
	if c.IdentityFile, err = l.keyFiles(l.st.identity); err != nil {
		return err
	}
	if c.CertificateFile, err = l.keyFiles(l.st.certificate); err != nil {
		return err
	}
	global := make([]string, 0, len(c.GlobalKnownHostsFile))
	for _, file := range c.GlobalKnownHostsFile {
		if file, err = l.lateExpand(file, l.expandTilde); err != nil {
			return err
		}
		global = append(global, file)
	}
	c.GlobalKnownHostsFile = global
	if c.Own.ForwardAgentLog, err = l.lateExpand(c.Own.ForwardAgentLog, l.expandCommon); err != nil {
		return err
	}
	return l.expandProxy(c)
}

// lateExpand expands one value, or leaves it if that fails and only -G wants
// it.
func (l *loader) lateExpand(text string, expand func(string) (string, error)) (string, error) {
	if l.opts.DumpOnly {
		defer l.quiet()()
	}
	out, err := expand(text)
	if err != nil && l.opts.DumpOnly {
		return text, nil
	}
	if err != nil {
		return "", errFatal
	}
	return out, nil
}

// quiet drops what is said until the function it returns is called.
func (l *loader) quiet() func() {
	failed, problems, warn := l.failed, l.problems, l.opts.Warn
	l.opts.Warn = nil
	return func() { l.failed, l.problems, l.opts.Warn = failed, problems, warn }
}

func (l *loader) expandCommon(text string) (string, error) { return l.expandPath(text, l.connTokens) }

func (l *loader) keyFiles(entries []fileEntry) ([]File, error) {
	var files []File
	for _, e := range entries {
		if equalFoldASCII(e.text, "none") {
			continue
		}
		path, err := l.lateExpand(e.text, l.expandCommon)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Path: path, Text: e.text, UserProvided: e.by != byDefault})
	}
	return files, nil
}

// expandProxy expands the tokens of ProxyCommand and ProxyJump, which are few.
func (l *loader) expandProxy(c *Config) error {
	tokens := Tokens{}
	for _, k := range []byte("hknpr") {
		tokens[k] = l.connTokens[k]
	}
	if l.st.jump.set {
		for i := range c.ProxyJump {
			for _, text := range [...]*string{&c.ProxyJump[i].User, &c.ProxyJump[i].Host} {
				// The zone of an IPv6 address looks like a token.
				if out, err := Expand(*text, tokens); err == nil {
					*text = out
				}
			}
		}
		return nil
	}
	var err error
	c.ProxyCommand, err = l.lateExpand(l.st.get(kwProxyCommand).text, func(text string) (string, error) {
		return l.mustExpand(text, tokens, false)
	})
	return err
}

// fixesOrder says whether an algorithm list, as it was written, has an order
// of its own: + and - change the default without giving it one.
func fixesOrder(text string) bool { return text != "" && text[0] != '+' && text[0] != '-' }
