package sshconfig

import (
	"io/fs"
	"slices"
	"time"

	"github.com/gossh-project/gossh/forward"
)

// Config is the configuration for one host: a field for each keyword of
// ssh_config(5), named as the manual writes it. Defaults are filled in, and
// values are as the program uses them: tokens, ~ and ${ENV} are expanded and
// "none" has become the zero value, except where a field says otherwise.
//
// A Config from [Load] is shared and must not be changed, nor its slices. One
// from [Default] is made to be changed before its first use.
type Config struct {
	// Host is the host as it was given to Load, before HostName and
	// canonicalisation: %n, and what Host and Match originalhost look at.
	Host string
	// HostName is what to connect to: the given host, or what HostName and
	// canonicalisation made of it.
	HostName string

	AddKeysToAgent                   AddKeysToAgent
	AddressFamily                    AddressFamily
	BatchMode                        bool
	BindAddress                      string
	BindInterface                    string
	CanonicalDomains                 []string
	CanonicalizeFallbackLocal        bool
	CanonicalizeHostname             CanonicalizeHostname
	CanonicalizeMaxDots              int
	CanonicalizePermittedCNAMEs      []CNAMERule
	CASignatureAlgorithms            []string
	CertificateFile                  []File
	ChannelTimeout                   []ChannelTimeout
	CheckHostIP                      bool
	Ciphers                          []string // that x/crypto has; empty means none is left, not a default
	ClearAllForwardings              bool
	Compression                      bool
	ConnectionAttempts               int
	ConnectTimeout                   time.Duration // 0 means the system's
	ControlMaster                    ControlMaster
	ControlPath                      string
	ControlPersist                   ControlPersist
	DynamicForward                   []forward.Spec
	EnableEscapeCommandline          bool
	EnableSSHKeysign                 bool
	EscapeChar                       EscapeChar
	ExitOnForwardFailure             bool
	FingerprintHash                  FingerprintHash
	ForkAfterAuthentication          bool
	ForwardAgent                     ForwardAgent
	ForwardX11                       bool
	ForwardX11Timeout                time.Duration
	ForwardX11Trusted                bool
	GatewayPorts                     bool
	GlobalKnownHostsFile             []string
	GSSAPIAuthentication             bool
	GSSAPIClientIdentity             string
	GSSAPIDelegateCredentials        bool
	GSSAPIKexAlgorithms              []string
	GSSAPIKeyExchange                bool
	GSSAPIRenewalForcesRekey         bool
	GSSAPIServerIdentity             string
	GSSAPITrustDNS                   bool
	HashKnownHosts                   bool
	HostbasedAcceptedAlgorithms      []string
	HostbasedAuthentication          bool
	HostKeyAlgorithms                []string
	HostKeyAlgorithmsByFile          bool   // known_hosts may choose their order: no list was set that has one
	HostKeyAlias                     string // in lower case
	IdentitiesOnly                   bool
	IdentityAgent                    string // "" means $SSH_AUTH_SOCK, "none" no agent
	IdentityFile                     []File
	IgnoreUnknown                    string
	IPQoS                            IPQoS
	KbdInteractiveAuthentication     bool
	KbdInteractiveDevices            string
	KexAlgorithms                    []string
	KnownHostsCommand                string // not expanded: see ExpandKnownHostsCommand
	LocalCommand                     string // not expanded: see ExpandLocalCommand
	LocalForward                     []forward.Spec
	LogLevel                         LogLevel
	LogVerbose                       []string
	MACs                             []string
	NoHostAuthenticationForLocalhost bool
	NumberOfPasswordPrompts          int
	ObscureKeystrokeTiming           ObscureKeystrokeTiming
	PasswordAuthentication           bool
	PermitLocalCommand               bool
	PermitRemoteOpen                 PermitRemoteOpen
	PKCS11Provider                   string
	Port                             int
	PreferredAuthentications         []string // empty means the client's own order
	ProxyCommand                     string   // expanded, without a leading "exec"; "" if ProxyJump is set
	ProxyJump                        []JumpHost
	ProxyUseFdpass                   bool
	PubkeyAcceptedAlgorithms         []string
	PubkeyAuthentication             PubkeyAuthentication
	RekeyLimit                       RekeyLimit
	RemoteCommand                    string
	RemoteForward                    []forward.Spec
	RequestTTY                       RequestTTY
	RequiredRSASize                  int // bits
	RevokedHostKeys                  []string
	SecurityKeyProvider              string
	SendEnv                          []string // patterns
	ServerAliveCountMax              int
	ServerAliveInterval              time.Duration // 0 means off
	SessionType                      SessionType
	SetEnv                           []EnvVar
	StdinNull                        bool
	StreamLocalBindMask              fs.FileMode
	StreamLocalBindUnlink            bool
	StrictHostKeyChecking            StrictHostKeyChecking
	SyslogFacility                   string
	Tag                              string
	TCPKeepAlive                     bool
	Tunnel                           Tunnel
	TunnelDevice                     TunnelDevice
	UpdateHostKeys                   YesNoAsk
	User                             string
	UserKnownHostsFile               []string
	VerifyHostKeyDNS                 YesNoAsk
	VersionAddendum                  string
	VisualHostKey                    bool
	WarnWeakCrypto                   WarnWeakCrypto
	XAuthLocation                    string

	// StdioForward is -W; zero if it was not given.
	StdioForward forward.Addr

	// Own holds the keywords that OpenSSH does not have.
	Own Own

	res *resolved // what Dump, Origin and the Expand methods need besides
}

// Own is the configuration that only this program knows: the keywords of
// ~/.ssh/gossh_config, which -o takes as well.
type Own struct {
	// Transport chooses the implementation of the SSH transport: that of
	// golang.org/x/crypto, the default, or package transport of this module.
	Transport Transport
	// Reconnect: "yes" makes a lost connection again, with its forwards and
	// RemoteCommand or a new shell; "always" also repeats a command that may
	// not be run twice, that of the command line. Default no.
	Reconnect Reconnect
	// ReconnectMinDelay and ReconnectMaxDelay bound the waiting between
	// attempts. Defaults 1 second and 1 minute.
	ReconnectMinDelay, ReconnectMaxDelay time.Duration
	// ReconnectAttempts bounds the attempts in a row; 0, the default, does not.
	ReconnectAttempts int
	// ForwardAgentKeys are the keys that a forwarded agent shows, as
	// fingerprints, whole comments or .pub files; empty means all.
	ForwardAgentKeys []string
	// ForwardAgentConfirm asks at each use of a forwarded agent. Default no.
	ForwardAgentConfirm bool
	// ForwardAgentLog is a file to which each use of a forwarded agent is
	// appended, expanded; "" means none.
	ForwardAgentLog string
	// MuxAgent chooses the agent that is forwarded over a shared connection.
	// OpenSSH does not have this keyword.
	MuxAgent MuxAgent
}

// LocalListeners returns LocalForward and DynamicForward together, in the order in
// which they were given, which is the order in which ssh opens them.
func (c *Config) LocalListeners() []forward.Spec {
	if c.res == nil || c.inCode() {
		return slices.Concat(c.LocalForward, c.DynamicForward)
	}
	return slices.Clone(c.res.st.local)
}

// IsSet reports whether the command line or a file has set keyword, in any case of
// letters. For a Config from Default it reports whether the program has changed
// the field.
func (c *Config) IsSet(keyword string) bool {
	if c.inCode() {
		i := lookupKeyword(keywordTable[:], lowerASCII(keyword))
		if i < 0 {
			return false
		}
		r := &keywordTable[i]
		return c.changed(r)
	}
	_, _, ok := c.Origin(keyword)
	return ok
}

// Origin returns where the value of keyword was set. file is "command-line" and
// line is 0 for the command line. ok is false if the value is a default or the
// keyword does not exist. For keywords that may be given several times, such as
// IdentityFile, it is the first place.
func (c *Config) Origin(keyword string) (file string, line int, ok bool) {
	i := lookupKeyword(keywordTable[:], lowerASCII(keyword))
	if i < 0 || c.res == nil {
		return "", 0, false
	}
	at := c.res.st.values[i].at
	return at.file, at.line, at.file != ""
}

// WithoutEffect returns the keywords that were set, to another value than no, and
// that do less in this program than ssh_config(5) says.
func (c *Config) WithoutEffect() []Keyword {
	var list []Keyword
	if c.res == nil {
		return nil
	}
	for _, k := range Keywords() {
		i := lookupKeyword(keywordTable[:], lowerASCII(k.Name))
		v := c.res.st.values[i]
		if k.Alias == "" && v.at.file != "" && v.text != "no" && (k.Status == NoEffect || k.Status == Partial) {
			list = append(list, k)
		}
	}
	return list
}
