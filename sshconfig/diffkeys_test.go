package sshconfig_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// keywordForms says of each keyword what kind of arguments it takes, in the
// generator's terms.
var keywordForms = map[string]string{
	"AddKeysToAgent": "agentadd", "AddressFamily": "w:any inet inet6", "BatchMode": "flag", "BindAddress": "string",
	"BindInterface": "string", "CanonicalDomains": "domains", "CanonicalizeFallbackLocal": "flag",
	"CanonicalizeHostname": "w:yes no always", "CanonicalizeMaxDots": "int", "CanonicalizePermittedCNAMEs": "cnames",
	"CASignatureAlgorithms": "algs", "CertificateFile": "file", "CheckHostIP": "flag", "Ciphers": "algs",
	"ClearAllForwardings": "flag", "Compression": "w:yes no", "ConnectionAttempts": "int", "ConnectTimeout": "time",
	"ControlMaster": "w:yes no ask auto autoask", "ControlPath": "path", "ControlPersist": "persist", "DynamicForward": "dynamic",
	"EnableEscapeCommandline": "flag", "EnableSSHKeysign": "flag", "EscapeChar": "escape", "ExitOnForwardFailure": "flag",
	"FingerprintHash": "w:md5 sha256 SHA512 sha1 sha384", "ForkAfterAuthentication": "w:no no yes", "ForwardAgent": "agent",
	"ForwardX11": "flag", "ForwardX11Timeout": "time", "ForwardX11Trusted": "flag", "GatewayPorts": "flag",
	"GlobalKnownHostsFile": "files", "GSSAPIAuthentication": "flag", "GSSAPIClientIdentity": "string",
	"GSSAPIDelegateCredentials": "flag", "GSSAPIKexAlgorithms": "gsskex", "GSSAPIKeyExchange": "flag",
	"GSSAPIRenewalForcesRekey": "flag", "GSSAPIServerIdentity": "string", "GSSAPITrustDns": "flag", "HashKnownHosts": "flag",
	"HostbasedAcceptedAlgorithms": "algs", "HostbasedAuthentication": "flag", "HostKeyAlgorithms": "algs",
	"HostKeyAlias": "string", "HostName": "hostname", "IdentitiesOnly": "flag", "IdentityAgent": "identityagent",
	"IdentityFile": "file", "IgnoreUnknown": "unknown", "IPQoS": "qos", "KbdInteractiveAuthentication": "flag",
	"KbdInteractiveDevices": "string", "KexAlgorithms": "algs", "KnownHostsCommand": "command", "LocalCommand": "command",
	"LocalForward": "local", "LogLevel": "loglevel", "LogVerbose": "logverbose", "MACs": "algs",
	"NoHostAuthenticationForLocalhost": "flag", "NumberOfPasswordPrompts": "int", "PasswordAuthentication": "flag",
	"PermitLocalCommand": "flag", "PermitRemoteOpen": "permit", "PKCS11Provider": "string", "Port": "port",
	"PreferredAuthentications": "string", "ProxyCommand": "command", "ProxyJump": "jump", "ProxyUseFdpass": "flag",
	"PubkeyAcceptedAlgorithms": "algs", "PubkeyAuthentication": "w:yes no unbound host-bound", "RekeyLimit": "rekey",
	"RemoteCommand": "remotecommand", "RemoteForward": "remote", "RequestTTY": "w:yes no force auto", "RequiredRSASize": "int",
	"RevokedHostKeys": "revoked", "SecurityKeyProvider": "string", "SendEnv": "sendenv", "ServerAliveCountMax": "int",
	"ServerAliveInterval": "time", "SessionType": "w:none subsystem default", "SetEnv": "setenv", "StdinNull": "flag",
	"StreamLocalBindMask": "mask", "StreamLocalBindUnlink": "flag", "StrictHostKeyChecking": "w:yes no ask off accept-new",
	"SyslogFacility": "w:DAEMON user auth AuthPriv local0 LOCAL7", "TCPKeepAlive": "flag",
	"Tunnel": "w:yes no point-to-point ethernet", "TunnelDevice": "tun", "UpdateHostKeys": "w:yes no ask", "User": "user",
	"UserKnownHostsFile": "knownhosts", "VerifyHostKeyDNS": "w:yes no ask", "VisualHostKey": "flag", "XAuthLocation": "string",

	"Protocol": "string", "Cipher": "string", "UseRoaming": "flag", "UsePrivilegedPort": "flag", "RSAAuthentication": "flag",
	"CompressionLevel": "int", "KerberosAuthentication": "flag", "SmartcardDevice": "string",
	"ChallengeResponseAuthentication": "flag", "DSAAuthentication": "flag", "IdentityFile2": "file", "KeepAlive": "flag",
	"HostbasedKeyTypes": "algs", "PubkeyAcceptedKeyTypes": "algs", "ProtocolKeepAlives": "time", "SetupTimeOut": "time",
	"GlobalKnownHostsFile2": "string", "AFSTokenPassing": "flag",
}

// keywordsOfTen are those that 9.2 lacks.
var keywordsOfTen = map[string]string{
	"ChannelTimeout": "channeltimeout", "ObscureKeystrokeTiming": "obscure", "RefuseConnection": "refuse", "Tag": "string",
	"VersionAddendum": "addendum", "WarnWeakCrypto": "w:yes no no-pq-kex",
}

// keywordNames are the keys of keywordForms in an order that does not change.
var keywordNames = sortedNames()

func sortedNames() []string {
	var names []string
	for name := range allForms() {
		at := len(names)
		for at > 0 && names[at-1] > name {
			at--
		}
		names = append(names[:at], append([]string{name}, names[at:]...)...)
	}
	return names
}

func allForms() map[string]string {
	all := maps.Clone(keywordForms)
	maps.Copy(all, keywordsOfTen)
	return all
}

// keyword picks one, the interesting ones more often.
func (g *generator) keyword() string {
	if g.chance(25) {
		return g.pick("HostName", "User", "Port", "IdentityFile", "LocalForward", "RemoteForward", "ProxyJump", "ProxyCommand",
			"SendEnv", "SetEnv", "ControlPath", "UserKnownHostsFile", "Ciphers", "HostKeyAlgorithms", "IgnoreUnknown", "ForwardAgent")
	}
	if g.bad(2) {
		return g.pick("Foo", "FooBar", "Hostname2", "x-y", "Useer")
	}
	for {
		name := keywordNames[g.r.IntN(len(keywordNames))]
		switch _, only := keywordsOfTen[name]; {
		case g.ten && (strings.HasPrefix(name, "GSSAPI") || name == "ProtocolKeepAlives" || name == "SetupTimeOut" || name == "Compression"):
			// Debian's own, or left out where ssh is built without it.
		case (only || name == "RevokedHostKeys") && !g.ten:
		default:
			return name
		}
	}
}

// arguments makes the arguments of a keyword.
func (g *generator) arguments(keyword string) string {
	form := keywordForms[keyword]
	if form == "" {
		form = keywordsOfTen[keyword]
	}
	if g.bad(3) {
		return g.pick("", "bogus", "-1", "99999999999", `""`, "none", "yes", g.onlyTen("# x", "yes"), "a b c", "%Z", "${NOPE}", "\"", "=", "= x", "NaN")
	}
	if words, ok := strings.CutPrefix(form, "w:"); ok {
		w := g.pick(strings.Fields(words)...)
		if g.chance(10) {
			w = strings.ToUpper(w)
		}
		if w == "yes" && g.chance(20) {
			w = "true"
		}
		return g.quote(w)
	}
	return g.argumentsOf(keyword, form)
}

func (g *generator) argumentsOf(keyword, form string) string {
	var one func() string
	switch form {
	case "flag":
		one = func() string { return g.pick("yes", "no", "true", "false", "YES", "No") }
	case "int":
		one = func() string { return g.pick("0", "1", "3", "17", "1024", "2147483647", "007", " 5", "+5") }
		if g.bad(10) {
			return g.pick("-1", "2147483648", "0x10", "1.5", "5s", "")
		}
	case "time":
		one = g.time
	case "string":
		one = func() string {
			return g.pick("value", "a b", "~/x", "%h", "with#hash", "none", "Näme", `b\s`, "it's", "x=y", "NONE", "$VAR")
		}
	case "port":
		one = g.port
	case "algs":
		one = func() string { return g.algorithms(keyword) }
	case "gsskex":
		one = func() string {
			return g.pick("gss-gex-sha1-", "gss-group14-sha256-,gss-group1-sha1-", "gss-nistp256-sha256-x", g.oneBad("gss-foo", "gss-gex-sha1-"))
		}
	case "command":
		return g.pick("/bin/cmd %h %p", "cmd \"quoted arg\" # not a comment", "none", "NONE", "= cmd", "cmd %%", "nc -x 'a b' %n", "-", g.oneBad("cmd 'unclosed", "cmd"))
	case "remotecommand":
		return g.pick("uptime %h", "none", "none", "echo %% %C %L %d %i %k %l %n %p %r %u", "echo ${ENVA}", g.oneBad("echo %Z", "echo"), g.oneBad("echo %", "echo"))
	case "jump":
		return g.jump()
	case "hostname":
		one = func() string {
			return g.pick("realname", "%h.example.com", "REALNAME", "127.1", "10.1.2.3", "fe80::1", "%%x", "web", "2001:DB8:0:0::1", "localhost", "%h", "[::1]", "1.2.3.4.5", "192.168.257", "0x0a000001", "::ffff:1.2.3.4", g.onlyTen("fe80::1%nope", "fe80::1"), g.oneBad(g.onlyTen("%n", "x"), "x"))
		}
	case "user":
		one = func() string {
			return g.pick("joe", "ann", "a b", "a;b", "-x", "50off", "bob", g.onlyTen("%u", "joe"), g.onlyTen("%h-%n", "joe"), g.onlyTen("${ENVA}", "joe"),
				g.onlyTen(g.oneBad("%r", "%%x"), "joe"), g.onlyTen(g.oneBad("${NOPE}", "%L"), "joe"))
		}
		if g.uri {
			return g.pick("joe", "ann", "bob")
		}
	case "file":
		one = func() string {
			return g.pick("~/.ssh/id_x", "/keys/%h", "none", "id_rel", "a b", "~root/x", "${ENVA}/k", "%d/%r", "%Z", "~/.ssh/id_rsa")
		}
	case "path":
		one = func() string {
			return g.pick("~/.ssh/cm-%C", "/run/%h-%p-%r", "none", "~root/x", "%d/%i/%u/%L/%l/%k/%n", "${ENVA}/c", "%%", "None", "/tmp/a b", "~", "~//x", "x~y", g.oneBad("%Z", "x"), g.oneBad("${NOPE}", "x"), g.oneBad("${}", "x"), g.oneBad("${X", "x"), g.oneBad("~nobodyatall", "x"), g.oneBad("%", "x"))
		}
	case "files", "knownhosts":
		if form == "files" {
			return g.words(3, func() string { return g.pick("/etc/known", "~/kh", "%h", "a b", g.oneBad("none", "x")) })
		}
		return g.words(3, func() string {
			return g.pick("~/.ssh/known_hosts", "/kh/%k", "${ENVP}", "~/.ssh/kh.d/%h", "%C", g.oneBad("none", "x"), g.oneBad("${NOPE}", "y"), g.oneBad("%H", "z"))
		})
	default:
		return g.moreArguments(form)
	}
	return g.words(1, one)
}

// onlyTen is what OpenSSH 10 takes, or what 9.2 takes in the same way.
func (g *generator) onlyTen(ten, other string) string {
	if g.ten {
		return ten
	}
	return other
}

// oneBad is a mistake now and then, or what is written otherwise.
func (g *generator) oneBad(wrong, right string) string {
	if g.bad(30) {
		return wrong
	}
	return right
}

func (g *generator) moreArguments(form string) string {
	var one func() string
	max := 1
	switch form {
	case "agentadd":
		return g.pick("yes", "no", "ask", "confirm", "confirm 5m", "1h30m", "true", "CONFIRM 90", "0", "confirm 0", g.oneBad("ask 5m", "ask"), g.oneBad("5x", "5"), g.oneBad("yes no", "yes"), g.oneBad("confirm x", "no"))
	case "persist":
		one = func() string {
			return g.pick("yes", "no", "0", "10m", "1h1s", "true", "90", g.oneBad("YES", "yes"), g.oneBad("5y", "5"))
		}
	case "escape":
		one = g.escape
	case "agent":
		one = func() string {
			return g.pick("yes", "no", "TRUE", "/nowhere/sock", "$ENVP", "${ENVP}", "~/nowhere", "/tmp", g.oneBad("${NOPE}", "/tmp"), g.oneBad("$a-b", "/tmp"), g.oneBad("%Z", "/tmp"))
		}
	case "identityagent":
		one = func() string {
			return g.pick("none", "SSH_AUTH_SOCK", "$ENVP", "${ENVP}", "~/agent.%h", "/run/%u", g.oneBad("${NOPE}", "x"), g.oneBad("$a-b", "x"), g.oneBad("$", "x"), g.oneBad("${", "x"))
		}
	case "qos":
		max = 2
		one = func() string {
			return g.pick("af21", "AF11", "ef", "cs0", "CS7", "le", g.onlyTen("va", "ef"), g.onlyTen("lowdelay", "ef"), g.onlyTen("throughput", "ef"), g.onlyTen("reliability", "ef"), "none", "0", g.onlyTen("4", "1"), g.onlyTen("0x10", "3"), g.onlyTen("010", "9"), "255", g.onlyTen("0xfe", "254"), g.oneBad("256", "1"), g.oneBad("x", "1"))
		}
	case "rekey":
		return g.pick("default", "1G", "default none", "512M 1h", "16", "1.5k 90", "0", "0 0", "1e", "100 none", "4K 1d2h", "1.25M", "17B", "2T 5", g.oneBad("15", "16"), g.oneBad("5x", "1G"), g.oneBad("1G 5x", "1G"), g.oneBad("9999999999G", "1G"), g.oneBad("-1", "1G"), g.oneBad("1.2.3K", "1G"), g.oneBad("1KB", "1G"), g.oneBad("99999999999999999999999", "1G"), g.oneBad("--5", "1G"), g.oneBad("1G 1h x", "1G"))
	case "mask":
		one = func() string {
			return g.pick("0177", "077", "0", "777", "0600x", g.oneBad("1000", "1"), g.oneBad("8", "7"), g.oneBad("-1", "1"))
		}
	case "tun":
		one = g.tun
	case "loglevel":
		one = func() string {
			return g.pick("INFO", "verbose", "Error", "FATAL", "QUIET", g.onlyTen("silent", "quiet"), g.oneBad("LOUD", "INFO"))
		}
	case "logverbose":
		max = 3
		one = func() string {
			return g.pick("kex.c:*:1000", "*:kex_*():*", "x", g.oneBad("none", "y"), g.oneBad(`""`, "z"))
		}
	case "sendenv":
		max = 3
		one = func() string {
			return g.pick("LANG", "LC_*", "-LC_*", "-*", "FOO", "-FOO", "-L?NG", g.oneBad("A=B", "A"), g.oneBad(`""`, "B"))
		}
	case "setenv":
		max = 3
		one = func() string {
			return g.pick("A=1", "A=2", "B=x y", "C=", "=x", "D=a=b", g.onlyTen("E=%h", "E=1"), g.onlyTen("F=${ENVA}", "F=1"), g.oneBad("NOVALUE", "G=1"))
		}
	case "domains":
		max = 2
		one = func() string {
			return g.pick("invalid", "a.invalid", "INVALID.", g.oneBad("none", "invalid"), g.oneBad("-x", "x.invalid"), g.oneBad("a..b", "x.invalid"), g.oneBad("a b", "x.invalid"), g.oneBad(strings.Repeat("é", 3), "x.invalid"))
		}
	case "cnames":
		max = 2
		one = func() string {
			return g.pick("*.a:*.b", "x.invalid:Y.invalid", "*:*", g.oneBad("none", "a:b"), g.oneBad("abc", "a:b"), g.oneBad("a:", "a:b"), g.oneBad("*", "a:b"))
		}
		if g.clean {
			return g.pick("none", "*.a:*.b", "x:y z:w")
		}
	case "unknown":
		one = func() string { return g.pick("foo", "foo*", "*", "foobar,x-y", "!foo,*", "Foo", "useer") }
	case "local":
		return g.quote(g.listen()) + " " + g.quote(g.target())
	case "remote":
		if g.chance(30) {
			return g.quote(g.listen())
		}
		return g.quote(g.listen()) + " " + g.quote(g.target())
	case "dynamic":
		return g.quote(g.listen())
	case "permit":
		max = 3
		if g.chance(20) {
			return g.pick("any", "none", "ANY")
		}
		one = func() string {
			return g.pick("web:80", "*:443", "[::1]:22", "web:*", "10.0.0.1:http", g.oneBad("web", "w:1"), g.oneBad("any", "w:1"), g.oneBad("web:x y", "w:1"), g.oneBad("[::1", "w:1"), g.oneBad("a/b:1", "w:1"), g.oneBad(`""`, "w:1"))
		}
	case "channeltimeout":
		max = 3
		one = func() string {
			return g.pick("session=5", "*=1m", "direct-tcpip=1h5s", "agent=none", "none", "NONE", g.oneBad("session", "x11=1"), g.oneBad("=5", "x=5"), g.oneBad("x=", "x=5"), g.oneBad("a=1=2", "a=1"))
		}
	case "obscure":
		return g.pick("yes", "no", "interval:20", "interval:1000", "YES", g.oneBad("interval:0", "no"), g.oneBad("interval:1001", "no"), g.oneBad("interval:x", "no"), g.oneBad("20", "no"), g.oneBad("INTERVAL:5", "no"))
	case "refuse":
		one = func() string { return g.pick("not this one", "none", "NONE", `it's over`) }
	case "addendum":
		return g.pick("none", "a b", "%h", "${ENVA}", "x # y", `"quoted"`, g.oneBad("%Z", "x"), g.oneBad("${NOPE}", "x"))
	case "revoked":
		return g.words(3, func() string {
			return g.pick("/r/krl", "~/.ssh/revoked", "%d/%h", "${ENVA}/r", "a b", g.oneBad("none", "x"), g.oneBad("%Z", "x"), g.oneBad("${NOPE}", "y"))
		})
	default: // a keyword that does not exist
		one = func() string { return "x" }
	}
	return g.words(max, one)
}

func (g *generator) time() string {
	if g.bad(8) {
		return g.pick("5x", "", "-1", "1h-1", "99999999999w", "m", "1 h", "1.5h", "2147483648")
	}
	return g.pick("0", "5", "90", "1h30m", "2W", "1d1h1m1s", "none", "10S", "1m1m", "2147483647", g.onlyTen("1h 5", "1h5"), g.onlyTen("+7", "7"), g.onlyTen("1.5", "1"), g.onlyTen("5s5", "5s"))
}

func (g *generator) port() string {
	if g.bad(8) {
		return g.pick("0", "65536", "-1", "x", "22x", "no-such-service", "", "2 2")
	}
	return g.pick("22", "2222", "65535", "ssh", "http", "022", "+80", " 80")
}

func (g *generator) escape() string {
	if g.bad(10) {
		return g.pick("ab", "^", "^é", "^^^", "None", "")
	}
	return g.pick("~", "none", "^A", "^[", "^?", "^@", "#x"[1:], "%", "^`", "^~", "!")
}

func (g *generator) tun() string {
	if g.bad(10) {
		return g.pick("x", "1:x", "-1", "1:2:3", ":", "", "2147483646")
	}
	return g.pick("any", "0", "3:4", "any:any", "ANY:5", "2147483645", "7:any")
}

func (g *generator) listen() string {
	if g.bad(5) {
		return g.pick("x", "0", "70000", "[::1:80", "a:b:c", "", "${NOPE}", "-5")
	}
	return g.pick("8080", "localhost:8080", "[::1]:8080", "*:8080", ":8080", "/run/x.sock", "/run/%h.sock", "http", "${ENVP}", "127.0.0.1:9"+strconv.Itoa(g.r.IntN(3)), `a\:b:81`, "8080", "8081")
}

func (g *generator) target() string {
	if g.bad(5) {
		return g.pick("x", "web:", "web:0", "web:99999", ":80", "[::1]", "web:80:90", "")
	}
	return g.pick("web:80", "[::1]:443", "db:http", "/run/y.sock", "/run/%r-%C.sock", "socks:80", "10.0.0.1:22", "[web]:80", "${ENVA}:80", "web:80")
}

func (g *generator) jump() string {
	if g.bad(10) {
		return g.pick("", "a,,b", "user@", "@a", "a:0", "a:x", "ssh://a/b", "a b", "[::1", "a;b", "-x", "u;x@h", "a/b", ",", "ssh://")
	}
	hop := func() string {
		return g.pick("", "", "joe@", "a@b@") + g.pick("gate", "gate2.example.com", "[::1]", "10.0.0.9", "GATE", "alpha") + g.pick("", "", ":2200", ":ssh")
	}
	s := g.pick("none", "NONE", hop(), hop(), hop()+","+hop(), hop()+","+hop()+","+hop(), "ssh://u@h:22", "ssh://h,"+hop(), "::1")
	if s == "::1" && g.clean {
		return hop()
	}
	return s
}

// algorithms makes a list for a keyword.
func (g *generator) algorithms(keyword string) string {
	names := []string{"ssh-ed25519", "ssh-rsa", "rsa-sha2-512", "rsa-sha2-*", "ecdsa-*", "*-cert-v01@openssh.com", "sk-*", "ssh-dss", "ssh-ed25519*", "*", "webauthn-*", "ED25519", "rsa"}
	if !g.ten {
		ten := []string{"ssh-dss", "ED25519", "rsa"} // taken by 9.2 alone
		names = slices.DeleteFunc(names, func(s string) bool { return slices.Contains(ten, s) })
	}
	switch keyword {
	case "Ciphers":
		names = []string{"aes128-ctr", "aes256-ctr", "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "3des-cbc", "aes128-cbc", "aes256-cbc", "aes192-cbc"}
	case "MACs":
		names = []string{"hmac-sha2-256", "hmac-sha1", "umac-64@openssh.com", "hmac-md5", "hmac-sha2-512-etm@openssh.com", "hmac-sha1-96"}
	case "KexAlgorithms":
		names = []string{"curve25519-sha256", "diffie-hellman-group14-sha1", "ecdh-sha2-nistp256", "sntrup761x25519-sha512@openssh.com", "diffie-hellman-group18-sha512", "diffie-hellman-group1-sha1", "curve25519-sha256@libssh.org"}
	}
	op := g.pick("", "", "+", "-", "^")
	if op == "-" {
		names = append(names, "*", "aes*", "hmac-*", "*nistp*", "nothing", "!ssh-rsa,*", "ssh-*")
	}
	if g.bad(8) {
		names = append(names, "bogus", g.onlyTen("", "bogus"), "!ssh-rsa", "*", "none", g.onlyTen("null", "none"))
	}
	var list []string
	for range 1 + g.r.IntN(4) {
		list = append(list, g.pick(names...))
	}
	return op + strings.Join(list, ",")
}
