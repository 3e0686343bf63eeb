package sshconfig

import (
	"cmp"
	"slices"
	"strings"
)

// Status says how far this program supports a keyword.
type Status int

const (
	// Implemented keywords do what ssh_config(5) says.
	Implemented Status = iota
	// NoEffect keywords are checked and printed by -G but change nothing.
	// Keyword.Reason says why.
	NoEffect
	// Partial keywords work except for what Keyword.Reason says.
	Partial
	// Unsupported keywords are reported and ignored, as OpenSSH does.
	Unsupported
	// Deprecated keywords are ignored; -v mentions them.
	Deprecated
)

// Keyword describes one keyword of ssh_config(5) or of this program.
type Keyword struct {
	Name   string // as the manual writes it
	Alias  string // the keyword that this one is another name for, or ""
	Status Status
	Reason string // for a person, unless Status is Implemented
	Own    bool   // OpenSSH does not know it
	// Default is the value without any configuration, as a configuration file
	// has it. It is "" if there is none or if it depends on the system or on
	// other keywords.
	Default string
}

// Keywords returns every accepted keyword: those of OpenSSH, then the
// program's own, then aliases, each group sorted by name.
func Keywords() []Keyword {
	list := make([]Keyword, 0, len(keywordTable)+16)
	for i := range keywordTable {
		r := &keywordTable[i]
		k := r.keyword()
		list = append(list, k)
		for _, alias := range r.aliases {
			k.Name, k.Alias = alias, r.name
			list = append(list, k)
		}
	}
	group := func(k Keyword) int {
		switch {
		case k.Alias != "":
			return 2
		case k.Own:
			return 1
		}
		return 0
	}
	slices.SortFunc(list, func(a, b Keyword) int {
		return cmp.Or(cmp.Compare(group(a), group(b)), strings.Compare(lowerASCII(a.Name), lowerASCII(b.Name)))
	})
	return list
}

// keyword identifies a row of keywordTable to code outside of it. Only
// keywords that such code refers to have one.
type keyword uint8

const (
	kwNone keyword = iota
	kwAddressFamily
	kwBindAddress
	kwBindInterface
	kwCanonicalDomains
	kwCanonicalizeFallbackLocal
	kwCanonicalizeHostname
	kwCanonicalizeMaxDots
	kwCASignatureAlgorithms
	kwCertificateFile
	kwCiphers
	kwClearAllForwardings
	kwCompression
	kwConnectionAttempts
	kwControlMaster
	kwControlPath
	kwControlPersist
	kwDynamicForward
	kwEscapeChar
	kwExitOnForwardFailure
	kwForkAfterAuthentication
	kwForwardAgent
	kwForwardX11
	kwForwardX11Trusted
	kwGatewayPorts
	kwGlobalKnownHostsFile
	kwGSSAPIAuthentication
	kwGSSAPIDelegateCredentials
	kwHostbasedAcceptedAlgorithms
	kwHostKeyAlgorithms
	kwHostKeyAlias
	kwHostName
	kwIdentityAgent
	kwIdentityFile
	kwIgnoreUnknown
	kwKexAlgorithms
	kwLocalForward
	kwLogLevel
	kwMACs
	kwPKCS11Provider
	kwPort
	kwProxyCommand
	kwProxyJump
	kwProxyUseFdpass
	kwPubkeyAcceptedAlgorithms
	kwRemoteCommand
	kwRemoteForward
	kwRequestTTY
	kwRevokedHostKeys
	kwSessionType
	kwSetEnv
	kwStdinNull
	kwTag
	kwTunnel
	kwTunnelDevice
	kwUpdateHostKeys
	kwUser
	kwUserKnownHostsFile
	kwVerifyHostKeyDNS
	kwVersionAddendum
	numKeywords
)

// row is everything about one keyword. Its place in keywordTable is its place
// in the output of -G.
type row struct {
	name    string // as the manual writes it
	id      keyword
	aliases []string // other names, most of them older
	own     bool     // OpenSSH does not know it

	set   func(*loader, *directive) error // reads the arguments of a line
	words wordSet                         // for setWord and dumpWord
	algs  algorithmSet                    // for setAlgorithms
	items bool                            // a line without arguments ends the resolution
	none  bool                            // "none" means unset
	def   string                          // the default, in the form that set reads

	dump  func(dumper, *row, *value)     // prints the keyword for -G; nil prints nothing
	field func(*Config) any              // returns a pointer to the field of Config
	build func(*loader, *Config, *value) // sets the field; nil does what store does

	status Status
	reason string
}

func (r *row) keyword() Keyword {
	def := r.def
	if r.algs != noAlgorithms {
		def = algorithmLists[r.algs].defaults
	}
	return Keyword{Name: r.name, Status: r.status, Reason: r.reason, Own: r.own, Default: def}
}

// lower returns the keyword's name in lower case.
func (r *row) lower() string { return lowerASCII(r.name) }

// lookupKeyword returns the index of the row with a name or alias in lower
// case, or -1. It compares lengths first, so that a linear search is as quick
// as a map that would have to be built at each start.
func lookupKeyword(rows []row, name string) int {
	for i := range rows {
		if t := rows[i].name; len(t) == len(name) && strings.EqualFold(t, name) {
			return i
		}
	}
	for i := range rows {
		for _, t := range rows[i].aliases {
			if len(t) == len(name) && strings.EqualFold(t, name) {
				return i
			}
		}
	}
	return -1
}
