package sshconfig

import (
	"io/fs"
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
	c := &Config{Host: l.original, HostName: l.host, res: &resolved{env: l.env, tokens: l.connTokens}}
	l.buildAuthentication(c)
	l.buildConnection(c)
	l.buildForwarding(c)
	l.buildSession(c)
	l.buildOwn(c)
	c.res.st = l.st
	if err := l.expandRest(c); err != nil {
		return nil, err
	}
	return c, nil
}

func (l *loader) flagOf(id keyword) bool    { return l.st.get(id).is("yes") }
func (l *loader) text(id keyword) string    { return l.st.get(id).text }
func (l *loader) number(id keyword) int     { return int(l.st.get(id).n) }
func (l *loader) names(id keyword) []string { return l.st.get(id).list }
func (l *loader) seconds(id keyword) time.Duration {
	return time.Duration(l.st.get(id).n) * time.Second
}

// commaList splits a value that is a list with commas; unset is nil.
func commaList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func (l *loader) buildAuthentication(c *Config) {
	add := l.st.get(kwAddKeysToAgent)
	c.AddKeysToAgent = AddKeysToAgent{Add: YesNoAsk(add.text), Lifetime: time.Duration(add.n) * time.Second}
	if add.text == "confirm" {
		c.AddKeysToAgent.Add, c.AddKeysToAgent.Confirm = Yes, true
	}
	c.BatchMode = l.flagOf(kwBatchMode)
	c.CASignatureAlgorithms = l.names(kwCASignatureAlgorithms)
	c.CheckHostIP = l.flagOf(kwCheckHostIP)
	c.EnableSSHKeysign = l.flagOf(kwEnableSSHKeysign)
	c.FingerprintHash = FingerprintHash(l.text(kwFingerprintHash))
	c.GlobalKnownHostsFile = l.names(kwGlobalKnownHostsFile)
	c.GSSAPIAuthentication = l.flagOf(kwGSSAPIAuthentication)
	c.GSSAPIClientIdentity = l.text(kwGSSAPIClientIdentity)
	c.GSSAPIDelegateCredentials = l.flagOf(kwGSSAPIDelegateCredentials)
	c.GSSAPIKexAlgorithms = commaList(l.text(kwGSSAPIKexAlgorithms))
	c.GSSAPIKeyExchange = l.flagOf(kwGSSAPIKeyExchange)
	c.GSSAPIRenewalForcesRekey = l.flagOf(kwGSSAPIRenewalForcesRekey)
	c.GSSAPIServerIdentity = l.text(kwGSSAPIServerIdentity)
	c.GSSAPITrustDNS = l.flagOf(kwGSSAPITrustDNS)
	c.HashKnownHosts = l.flagOf(kwHashKnownHosts)
	c.HostbasedAcceptedAlgorithms = l.names(kwHostbasedAcceptedAlgorithms)
	c.HostbasedAuthentication = l.flagOf(kwHostbasedAuthentication)
	c.HostKeyAlgorithms = l.names(kwHostKeyAlgorithms)
	c.HostKeyAlgorithmsByFile = !fixesOrder(l.st.get(kwHostKeyAlgorithms).text)
	c.HostKeyAlias = l.text(kwHostKeyAlias)
	c.IdentitiesOnly = l.flagOf(kwIdentitiesOnly)
	c.IdentityAgent = l.identityAgent()
	c.KbdInteractiveAuthentication = l.flagOf(kwKbdInteractiveAuthentication)
	c.KbdInteractiveDevices = l.text(kwKbdInteractiveDevices)
	c.KnownHostsCommand = l.text(kwKnownHostsCommand)
	c.NoHostAuthenticationForLocalhost = l.flagOf(kwNoHostAuthenticationForLocalhost)
	c.NumberOfPasswordPrompts = l.number(kwNumberOfPasswordPrompts)
	c.PasswordAuthentication = l.flagOf(kwPasswordAuthentication)
	c.PKCS11Provider = l.text(kwPKCS11Provider)
	c.PreferredAuthentications = commaList(l.text(kwPreferredAuthentications))
	c.PubkeyAcceptedAlgorithms = l.names(kwPubkeyAcceptedAlgorithms)
	c.PubkeyAuthentication = PubkeyAuthentication(l.text(kwPubkeyAuthentication))
	c.RequiredRSASize = l.number(kwRequiredRSASize)
	c.RevokedHostKeys = l.names(kwRevokedHostKeys)
	c.SecurityKeyProvider = l.securityKeyProvider()
	c.StrictHostKeyChecking = StrictHostKeyChecking(l.text(kwStrictHostKeyChecking))
	c.UpdateHostKeys = YesNoAsk(l.text(kwUpdateHostKeys))
	c.UserKnownHostsFile = l.names(kwUserKnownHostsFile)
	c.VerifyHostKeyDNS = YesNoAsk(l.text(kwVerifyHostKeyDNS))
	c.VisualHostKey = l.flagOf(kwVisualHostKey)
}

// identityAgent resolves the older forms: the name of the usual variable, and
// $NAME. A variable that is not set leaves no agent.
func (l *loader) identityAgent() string {
	text := l.text(kwIdentityAgent)
	switch {
	case text == "SSH_AUTH_SOCK":
		return ""
	case len(text) < 2 || text[0] != '$' || text[1] == '{':
		return text
	}
	if path, ok := l.env(text[1:]); ok {
		return path
	}
	return "none"
}

func (l *loader) securityKeyProvider() string {
	text := l.text(kwSecurityKeyProvider)
	if len(text) < 2 || text[0] != '$' {
		return text
	}
	path, ok := l.env(text[1:])
	if !ok {
		l.debug(levelDebug1, "Authenticator provider %s did not resolve; disabling", text)
	}
	return path
}

func (l *loader) buildConnection(c *Config) {
	c.AddressFamily = AddressFamily(l.text(kwAddressFamily))
	c.BindAddress = l.text(kwBindAddress)
	c.BindInterface = l.text(kwBindInterface)
	c.CanonicalDomains = l.names(kwCanonicalDomains)
	c.CanonicalizeFallbackLocal = l.flagOf(kwCanonicalizeFallbackLocal)
	c.CanonicalizeHostname = CanonicalizeHostname(l.text(kwCanonicalizeHostname))
	c.CanonicalizeMaxDots = l.number(kwCanonicalizeMaxDots)
	c.CanonicalizePermittedCNAMEs = l.st.cnames
	c.Ciphers = l.names(kwCiphers)
	c.Compression = l.flagOf(kwCompression)
	c.ConnectionAttempts = l.number(kwConnectionAttempts)
	c.ConnectTimeout = l.seconds(kwConnectTimeout)
	c.IgnoreUnknown = l.text(kwIgnoreUnknown)
	qos := l.st.get(kwIPQoS)
	c.IPQoS = IPQoS{Interactive: QoS(qos.n), Bulk: QoS(qos.m)}
	c.KexAlgorithms = l.names(kwKexAlgorithms)
	c.LogLevel = LogLevel(l.number(kwLogLevel))
	c.LogVerbose = l.names(kwLogVerbose)
	if len(c.LogVerbose) > 0 && equalFoldASCII(c.LogVerbose[0], "none") {
		c.LogVerbose = nil
	}
	c.MACs = l.names(kwMACs)
	c.Port = l.number(kwPort)
	c.ProxyUseFdpass = l.flagOf(kwProxyUseFdpass)
	rekey := l.st.get(kwRekeyLimit)
	c.RekeyLimit = RekeyLimit{Bytes: rekey.n, Time: time.Duration(rekey.m) * time.Second}
	c.ServerAliveCountMax = l.number(kwServerAliveCountMax)
	c.ServerAliveInterval = l.seconds(kwServerAliveInterval)
	c.SyslogFacility = l.text(kwSyslogFacility)
	c.Tag = l.text(kwTag)
	c.TCPKeepAlive = l.flagOf(kwTCPKeepAlive)
	c.User = l.text(kwUser)
	c.VersionAddendum = l.text(kwVersionAddendum)
	c.WarnWeakCrypto = WarnWeakCrypto(l.text(kwWarnWeakCrypto))
	c.ProxyJump = l.proxyJump()
}

// proxyJump lists the hops in the order in which they are passed.
func (l *loader) proxyJump() []JumpHost {
	j := l.st.jump
	if !j.set {
		return nil
	}
	var hops []JumpHost
	if j.extra != "" {
		for hop := range strings.SplitSeq(j.extra, ",") {
			parsed, _ := parseHop(hop) // it was checked when it was read
			hops = append(hops, parsed)
		}
	}
	return append(hops, JumpHost{User: j.user, Host: j.host, Port: j.port})
}

func (l *loader) buildForwarding(c *Config) {
	c.ClearAllForwardings = l.flagOf(kwClearAllForwardings)
	c.ExitOnForwardFailure = l.flagOf(kwExitOnForwardFailure)
	agent := l.st.get(kwForwardAgent)
	c.ForwardAgent = ForwardAgent{Enabled: agent.n > 0, Socket: agent.text}
	if strings.HasPrefix(agent.text, "$") {
		var ok bool
		c.ForwardAgent.Socket, ok = l.env(agent.text[1:])
		c.ForwardAgent.Enabled = c.ForwardAgent.Enabled && ok
	}
	c.ForwardX11 = l.flagOf(kwForwardX11)
	c.ForwardX11Timeout = l.seconds(kwForwardX11Timeout)
	c.ForwardX11Trusted = l.flagOf(kwForwardX11Trusted)
	c.GatewayPorts = l.flagOf(kwGatewayPorts)
	for _, spec := range l.st.local {
		if spec.Kind == forward.Dynamic {
			c.DynamicForward = append(c.DynamicForward, spec)
		} else {
			c.LocalForward = append(c.LocalForward, spec)
		}
	}
	c.RemoteForward = l.st.remote
	permit := l.names(kwPermitRemoteOpen)
	switch {
	case len(permit) == 0, equalFoldASCII(permit[0], "any"):
		c.PermitRemoteOpen.Any = true
	case !equalFoldASCII(permit[0], "none"):
		c.PermitRemoteOpen.Hosts = permit
	}
	c.StreamLocalBindMask = fs.FileMode(l.number(kwStreamLocalBindMask))
	c.StreamLocalBindUnlink = l.flagOf(kwStreamLocalBindUnlink)
	c.Tunnel = Tunnel(l.text(kwTunnel))
	device := l.st.get(kwTunnelDevice)
	c.TunnelDevice = TunnelDevice{Local: int(device.n), Remote: int(device.m)}
	c.XAuthLocation = l.text(kwXAuthLocation)
	if l.st.stdio != nil {
		c.StdioForward = l.st.stdio.Connect
	}
}

func (l *loader) buildSession(c *Config) {
	for _, item := range l.names(kwChannelTimeout) {
		name, interval, _ := strings.Cut(item, "=")
		seconds, _ := parseTime(interval) // it was checked when it was read
		c.ChannelTimeout = append(c.ChannelTimeout, ChannelTimeout{name, time.Duration(seconds) * time.Second})
	}
	c.ControlMaster = ControlMaster(l.text(kwControlMaster))
	c.ControlPath = l.text(kwControlPath)
	c.ControlPersist = ControlPersist{Enabled: l.flagOf(kwControlPersist), Timeout: l.seconds(kwControlPersist)}
	c.EnableEscapeCommandline = l.flagOf(kwEnableEscapeCommandline)
	c.EscapeChar = EscapeChar(l.number(kwEscapeChar))
	c.ForkAfterAuthentication = l.flagOf(kwForkAfterAuthentication)
	c.LocalCommand = l.text(kwLocalCommand)
	obscure := time.Duration(l.number(kwObscureKeystrokeTiming)) * time.Millisecond
	c.ObscureKeystrokeTiming = ObscureKeystrokeTiming{Enabled: obscure > 0, Interval: obscure}
	c.PermitLocalCommand = l.flagOf(kwPermitLocalCommand)
	c.RemoteCommand = l.text(kwRemoteCommand)
	c.RequestTTY = RequestTTY(l.text(kwRequestTTY))
	c.SendEnv = l.names(kwSendEnv)
	for _, item := range l.names(kwSetEnv) {
		name, val, _ := strings.Cut(item, "=")
		c.SetEnv = append(c.SetEnv, EnvVar{name, val})
	}
	c.SessionType = SessionType(l.text(kwSessionType))
	c.StdinNull = l.flagOf(kwStdinNull)
}

func (l *loader) buildOwn(c *Config) {
	c.Own = Own{
		Reconnect:           Reconnect(l.text(kwReconnect)),
		ReconnectMinDelay:   l.seconds(kwReconnectMinDelay),
		ReconnectMaxDelay:   l.seconds(kwReconnectMaxDelay),
		ReconnectAttempts:   l.number(kwReconnectAttempts),
		ForwardAgentKeys:    l.names(kwForwardAgentKeys),
		ForwardAgentConfirm: l.flagOf(kwForwardAgentConfirm),
		ForwardAgentLog:     l.text(kwForwardAgentLog),
		MuxAgent:            MuxAgent(l.text(kwMuxAgent)),
	}
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
	c.ProxyCommand, err = l.lateExpand(l.text(kwProxyCommand), func(text string) (string, error) {
		return l.mustExpand(text, tokens, false)
	})
	return err
}

// fixesOrder says whether an algorithm list, as it was written, has an order
// of its own: + and - change the default without giving it one.
func fixesOrder(text string) bool { return text != "" && text[0] != '+' && text[0] != '-' }
