package sshconfig

import (
	"time"

	"github.com/gossh-project/gossh/internal/pattern"
)

// The words of ssh_config(5). Synonyms (true for yes, off for no) are folded
// into one constant; none of these is ever empty in a Config that Load returns.
type (
	// AddressFamily restricts the addresses to connect to.
	AddressFamily string
	// CanonicalizeHostname controls whether host names are canonicalised.
	CanonicalizeHostname string
	// ControlMaster controls whether connections are shared.
	ControlMaster string
	// FingerprintHash is the hash of printed fingerprints: "MD5", "SHA1",
	// "SHA256", "SHA384" or "SHA512".
	FingerprintHash string
	// PubkeyAuthentication says whether, and in which form, public keys are tried.
	PubkeyAuthentication string
	// RequestTTY says whether the session gets a pseudo-terminal.
	RequestTTY string
	// SessionType is what the session channel is for.
	SessionType string
	// StrictHostKeyChecking says what becomes of unknown and changed host keys.
	StrictHostKeyChecking string
	// Tunnel is the kind of tun(4) forwarding.
	Tunnel string
	// YesNoAsk is a switch that may also ask.
	YesNoAsk string
	// WarnWeakCrypto says whether weak negotiated algorithms are reported.
	WarnWeakCrypto string
	// Transport is an implementation of the SSH transport (our own keyword).
	Transport string
	// Reconnect says whether a lost connection is made again (our own keyword).
	Reconnect string
	// MuxAgent says whose agent is forwarded over a shared connection (our own
	// keyword).
	MuxAgent string
)

// The values of the types above.
const (
	AddressFamilyAny   AddressFamily = "any"
	AddressFamilyInet  AddressFamily = "inet"
	AddressFamilyInet6 AddressFamily = "inet6"

	CanonicalizeNo     CanonicalizeHostname = "no"
	CanonicalizeYes    CanonicalizeHostname = "yes"
	CanonicalizeAlways CanonicalizeHostname = "always"

	ControlMasterNo      ControlMaster = "no"
	ControlMasterYes     ControlMaster = "yes"
	ControlMasterAuto    ControlMaster = "auto"
	ControlMasterAsk     ControlMaster = "ask"
	ControlMasterAutoAsk ControlMaster = "autoask"

	PubkeyNo        PubkeyAuthentication = "no"
	PubkeyYes       PubkeyAuthentication = "yes"
	PubkeyUnbound   PubkeyAuthentication = "unbound"
	PubkeyHostBound PubkeyAuthentication = "host-bound"

	RequestTTYAuto  RequestTTY = "auto"
	RequestTTYNo    RequestTTY = "no"
	RequestTTYYes   RequestTTY = "yes"
	RequestTTYForce RequestTTY = "force"

	SessionDefault   SessionType = "default"
	SessionNone      SessionType = "none"
	SessionSubsystem SessionType = "subsystem"

	StrictNo        StrictHostKeyChecking = "no"
	StrictYes       StrictHostKeyChecking = "yes"
	StrictAsk       StrictHostKeyChecking = "ask"
	StrictAcceptNew StrictHostKeyChecking = "accept-new"

	TunnelNo           Tunnel = "no"
	TunnelPointToPoint Tunnel = "point-to-point"
	TunnelEthernet     Tunnel = "ethernet"

	No  YesNoAsk = "no"
	Yes YesNoAsk = "yes"
	Ask YesNoAsk = "ask"

	WarnWeakCryptoNo  WarnWeakCrypto = "no" // also no-pq-kex
	WarnWeakCryptoYes WarnWeakCrypto = "yes"

	ReconnectNo     Reconnect = "no"
	ReconnectYes    Reconnect = "yes"
	ReconnectAlways Reconnect = "always"

	TransportXCrypto Transport = "x/crypto"
	TransportGossh   Transport = "gossh"

	MuxAgentMaster MuxAgent = "master"
	MuxAgentClient MuxAgent = "client"
)

// LogLevel controls which messages are printed to standard error. A higher level
// prints more.
type LogLevel int

// The log levels of ssh_config(5). DEBUG is DEBUG1.
const (
	LogQuiet LogLevel = iota
	LogFatal
	LogError
	LogInfo
	LogVerbose
	LogDebug1
	LogDebug2
	LogDebug3
)

// String returns the level's name as `ssh -G` prints it, which is SILENT for
// QUIET.
func (l LogLevel) String() string {
	names := [...]string{"QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG2", "DEBUG3"}
	if l < 0 || int(l) >= len(names) {
		return "UNKNOWN"
	}
	return names[l]
}

// AddKeysToAgent controls whether keys are added to the agent when they are used.
type AddKeysToAgent struct {
	Add      YesNoAsk      // No, Yes or Ask
	Confirm  bool          // the agent asks at each use of the key
	Lifetime time.Duration // the agent forgets the key after this; 0 means never
}

// File is a key or certificate file.
type File struct {
	Path string // as the program opens it: ~, tokens and ${ENV} expanded
	Text string // as it was written
	// UserProvided is true if the command line or the user's configuration
	// names the file, as opposed to the system's configuration or a default:
	// failing to read it deserves a message.
	UserProvided bool
}

// CNAMERule is a rule of CanonicalizePermittedCNAMEs: names that match Source may
// become a CNAME that matches Target. Both are pattern lists.
type CNAMERule struct{ Source, Target string }

// ChannelTimeout closes channels whose type matches a pattern and that are idle
// for Interval. 0 means never. The type "global" is for all channels together:
// traffic over one of them keeps the others open.
type ChannelTimeout struct {
	Type     string
	Interval time.Duration
}

// Matches reports whether the rule applies to a channel type. The rule for
// "global" applies to none.
func (t ChannelTimeout) Matches(channelType string) bool {
	return t.Type != "global" && pattern.Match(channelType, t.Type)
}

// ControlPersist controls whether a master continues after its first session.
type ControlPersist struct {
	Enabled bool
	Timeout time.Duration // without sessions; 0 means for ever
}

// EscapeChar is the escape character of sessions with a terminal, 0 to 255,
// or EscapeNone.
type EscapeChar int

// EscapeNone is the EscapeChar of a session without escapes.
const EscapeNone EscapeChar = -2

// ForwardAgent controls whether an agent is forwarded, and which one.
type ForwardAgent struct {
	Enabled bool
	// Socket is the path of the agent's socket, expanded, or "" for the agent
	// that authentication uses.
	Socket string
}

// QoS is a value of IPQoS: the byte for IP_TOS or IPV6_TCLASS, 0 to 255, or
// QoSNone.
type QoS int

// QoSNone leaves the operating system's value alone.
const QoSNone QoS = 1<<31 - 1

// IPQoS has the service class of sessions with a terminal, and of all other
// traffic.
type IPQoS struct{ Interactive, Bulk QoS }

// RekeyLimit says how much may pass under one set of keys.
type RekeyLimit struct {
	Bytes int64         // 0 means the cipher's own limit
	Time  time.Duration // 0 means no limit in time
}

// JumpHost is a hop of ProxyJump. User is "" and Port is 0 if they were not given.
type JumpHost struct {
	User string
	Host string
	Port int
}

// TunnelAny is the number of a TunnelDevice for the next free device.
const TunnelAny = 1<<31 - 1

// TunnelDevice names the two ends of a tun(4) forwarding.
type TunnelDevice struct{ Local, Remote int }

// EnvVar is a variable of SetEnv.
type EnvVar struct{ Name, Value string }

// PermitRemoteOpen says where a RemoteForward that speaks SOCKS may connect.
type PermitRemoteOpen struct {
	Any   bool
	Hosts []string // "host:port", either part may be "*"; empty with Any false means nowhere
}

// ObscureKeystrokeTiming hides the timing of keystrokes.
type ObscureKeystrokeTiming struct {
	Enabled  bool
	Interval time.Duration // between packets
}
