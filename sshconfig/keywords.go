package sshconfig

import "strings"

// Status is what this program makes of a keyword.
type Status int

const (
	// Implemented keywords do what ssh_config(5) says.
	Implemented Status = iota
	// NoEffect keywords are checked and printed by -G but change nothing, for
	// the reason that Keyword gives.
	NoEffect
	// Partial keywords work but for what the reason says.
	Partial
	// Unsupported keywords are reported and passed over, as OpenSSH does.
	Unsupported
	// Deprecated keywords are passed over; -v mentions them.
	Deprecated
)

// Keyword describes one keyword of ssh_config(5) or of our own.
type Keyword struct {
	Name   string // as the manual writes it
	Alias  string // the keyword that this one is another name for, or ""
	Status Status
	Reason string // for a person, unless Status is Implemented
	Own    bool   // OpenSSH does not know it
}

// Keywords lists every keyword that is accepted, sorted by name within
// OpenSSH's and our own.
func Keywords() []Keyword {
	var list []Keyword
	for id := kwBad + 1; id < numKeywords; id++ {
		info := &keywordTable[id]
		list = append(list, Keyword{Name: info.name, Status: info.status, Reason: info.reason, Own: id >= firstOwn})
	}
	for _, a := range keywordAliases {
		list = append(list, Keyword{Name: a.name, Alias: keywordTable[a.id].name, Status: keywordTable[a.id].status,
			Reason: keywordTable[a.id].reason})
	}
	return list
}

// keyword identifies a keyword; it indexes keywordTable and state.values.
type keyword uint8

const (
	kwBad keyword = iota
	kwHost
	kwMatch
	kwInclude

	kwAddKeysToAgent
	kwAddressFamily
	kwBatchMode
	kwBindAddress
	kwBindInterface
	kwCanonicalDomains
	kwCanonicalizeFallbackLocal
	kwCanonicalizeHostname
	kwCanonicalizeMaxDots
	kwCanonicalizePermittedCNAMEs
	kwCASignatureAlgorithms
	kwCertificateFile
	kwChannelTimeout
	kwCheckHostIP
	kwCiphers
	kwClearAllForwardings
	kwCompression
	kwConnectionAttempts
	kwConnectTimeout
	kwControlMaster
	kwControlPath
	kwControlPersist
	kwDynamicForward
	kwEnableEscapeCommandline
	kwEnableSSHKeysign
	kwEscapeChar
	kwExitOnForwardFailure
	kwFingerprintHash
	kwForkAfterAuthentication
	kwForwardAgent
	kwForwardX11
	kwForwardX11Timeout
	kwForwardX11Trusted
	kwGatewayPorts
	kwGlobalKnownHostsFile
	kwGSSAPIAuthentication
	kwGSSAPIClientIdentity
	kwGSSAPIDelegateCredentials
	kwGSSAPIKexAlgorithms
	kwGSSAPIKeyExchange
	kwGSSAPIRenewalForcesRekey
	kwGSSAPIServerIdentity
	kwGSSAPITrustDNS
	kwHashKnownHosts
	kwHostbasedAcceptedAlgorithms
	kwHostbasedAuthentication
	kwHostKeyAlgorithms
	kwHostKeyAlias
	kwHostName
	kwIdentitiesOnly
	kwIdentityAgent
	kwIdentityFile
	kwIgnoreUnknown
	kwIPQoS
	kwKbdInteractiveAuthentication
	kwKbdInteractiveDevices
	kwKexAlgorithms
	kwKnownHostsCommand
	kwLocalCommand
	kwLocalForward
	kwLogLevel
	kwLogVerbose
	kwMACs
	kwNoHostAuthenticationForLocalhost
	kwNumberOfPasswordPrompts
	kwObscureKeystrokeTiming
	kwPasswordAuthentication
	kwPermitLocalCommand
	kwPermitRemoteOpen
	kwPKCS11Provider
	kwPort
	kwPreferredAuthentications
	kwProxyCommand
	kwProxyJump
	kwProxyUseFdpass
	kwPubkeyAcceptedAlgorithms
	kwPubkeyAuthentication
	kwRefuseConnection
	kwRekeyLimit
	kwRemoteCommand
	kwRemoteForward
	kwRequestTTY
	kwRequiredRSASize
	kwRevokedHostKeys
	kwSecurityKeyProvider
	kwSendEnv
	kwServerAliveCountMax
	kwServerAliveInterval
	kwSessionType
	kwSetEnv
	kwStdinNull
	kwStreamLocalBindMask
	kwStreamLocalBindUnlink
	kwStrictHostKeyChecking
	kwSyslogFacility
	kwTag
	kwTCPKeepAlive
	kwTunnel
	kwTunnelDevice
	kwUpdateHostKeys
	kwUser
	kwUserKnownHostsFile
	kwVerifyHostKeyDNS
	kwVersionAddendum
	kwVisualHostKey
	kwWarnWeakCrypto
	kwXAuthLocation

	// Keywords that once did something.
	kwProtocol
	kwCipher
	kwFallBackToRsh
	kwGlobalKnownHostsFile2
	kwRhostsAuthentication
	kwUseBlacklistedKeys
	kwUserKnownHostsFile2
	kwUseRoaming
	kwUseRsh
	kwUsePrivilegedPort
	kwAFSTokenPassing
	kwKerberosAuthentication
	kwKerberosTGTPassing
	kwRSAAuthentication
	kwRhostsRSAAuthentication
	kwCompressionLevel

	kwReconnect
	kwReconnectMinDelay
	kwReconnectMaxDelay
	kwReconnectAttempts
	kwForwardAgentKeys
	kwForwardAgentConfirm
	kwForwardAgentLog
	kwMuxAgent

	numKeywords
	firstOwn = kwReconnect

	// kwIgnored is what a keyword that IgnoreUnknown names is taken for.
	kwIgnored keyword = 255
)

// kind is the form of a keyword's argument, and so the function that reads it.
type kind uint8

const (
	kindSpecial    kind = iota // a form of its own: see process
	kindFlag                   // yes or no
	kindWord                   // one of a few words
	kindInt                    // 0 to 2147483647
	kindTime                   // a time format, or none
	kindString                 // one argument
	kindCommand                // the rest of the line as it stands
	kindFiles                  // file names, or none alone
	kindAlgs                   // a list of algorithms with +, - or ^
	kindIgnore                 // silently ignored
	kindDeprecated             // ignored with a debug line
	kindUnsupported
)

type keywordInfo struct {
	name   string
	kind   kind
	words  wordSet
	status Status
	reason string
}

const (
	noGSSAPI    = "x/crypto's GSSAPI needs a Kerberos library, and there is none here"
	noHostbased = "x/crypto has no hostbased authentication"
	noTunnel    = "tun devices are not forwarded"
	gone        = "it has no meaning in SSH protocol 2 any more"
	notBuilt    = "OpenSSH is built without it"
)

// keywordTable is read only.
var keywordTable = [numKeywords]keywordInfo{
	kwHost:    {name: "Host"},
	kwMatch:   {name: "Match"},
	kwInclude: {name: "Include"},

	kwAddKeysToAgent:              {name: "AddKeysToAgent"},
	kwAddressFamily:               {name: "AddressFamily", kind: kindWord, words: wordsAddressFamily},
	kwBatchMode:                   {name: "BatchMode", kind: kindFlag},
	kwBindAddress:                 {name: "BindAddress", kind: kindString},
	kwBindInterface:               {name: "BindInterface", kind: kindString},
	kwCanonicalDomains:            {name: "CanonicalDomains"},
	kwCanonicalizeFallbackLocal:   {name: "CanonicalizeFallbackLocal", kind: kindFlag},
	kwCanonicalizeHostname:        {name: "CanonicalizeHostname", kind: kindWord, words: wordsCanonicalize},
	kwCanonicalizeMaxDots:         {name: "CanonicalizeMaxDots", kind: kindInt},
	kwCanonicalizePermittedCNAMEs: {name: "CanonicalizePermittedCNAMEs"},
	kwCASignatureAlgorithms:       {name: "CASignatureAlgorithms", kind: kindAlgs},
	kwCertificateFile:             {name: "CertificateFile"},
	kwChannelTimeout:              {name: "ChannelTimeout"},
	kwCheckHostIP:                 {name: "CheckHostIP", kind: kindFlag},
	kwCiphers:                     {name: "Ciphers", kind: kindAlgs},
	kwClearAllForwardings:         {name: "ClearAllForwardings", kind: kindFlag},
	kwCompression: {name: "Compression", kind: kindWord, words: wordsCompression, status: NoEffect,
		reason: "x/crypto has no compression; the connection goes on without, as with a server that has none"},
	kwConnectionAttempts:      {name: "ConnectionAttempts", kind: kindInt},
	kwConnectTimeout:          {name: "ConnectTimeout", kind: kindTime},
	kwControlMaster:           {name: "ControlMaster", kind: kindWord, words: wordsControlMaster},
	kwControlPath:             {name: "ControlPath", kind: kindString},
	kwControlPersist:          {name: "ControlPersist"},
	kwDynamicForward:          {name: "DynamicForward"},
	kwEnableEscapeCommandline: {name: "EnableEscapeCommandline", kind: kindFlag},
	kwEnableSSHKeysign:        {name: "EnableSSHKeysign", kind: kindFlag, status: NoEffect, reason: noHostbased},
	kwEscapeChar:              {name: "EscapeChar"},
	kwExitOnForwardFailure:    {name: "ExitOnForwardFailure", kind: kindFlag},
	kwFingerprintHash:         {name: "FingerprintHash"},
	kwForkAfterAuthentication: {name: "ForkAfterAuthentication", kind: kindFlag},
	kwForwardAgent:            {name: "ForwardAgent"},
	kwForwardX11:              {name: "ForwardX11", kind: kindFlag},
	kwForwardX11Timeout:       {name: "ForwardX11Timeout", kind: kindTime},
	kwForwardX11Trusted:       {name: "ForwardX11Trusted", kind: kindFlag},
	kwGatewayPorts:            {name: "GatewayPorts", kind: kindFlag},
	kwGlobalKnownHostsFile:    {name: "GlobalKnownHostsFile", kind: kindFiles},

	kwGSSAPIAuthentication:      {name: "GSSAPIAuthentication", kind: kindFlag, status: NoEffect, reason: noGSSAPI},
	kwGSSAPIClientIdentity:      {name: "GSSAPIClientIdentity", kind: kindString, status: NoEffect, reason: noGSSAPI},
	kwGSSAPIDelegateCredentials: {name: "GSSAPIDelegateCredentials", kind: kindFlag, status: NoEffect, reason: noGSSAPI},
	kwGSSAPIKexAlgorithms:       {name: "GSSAPIKexAlgorithms", status: NoEffect, reason: noGSSAPI},
	kwGSSAPIKeyExchange:         {name: "GSSAPIKeyExchange", kind: kindFlag, status: NoEffect, reason: noGSSAPI},
	kwGSSAPIRenewalForcesRekey:  {name: "GSSAPIRenewalForcesRekey", kind: kindFlag, status: NoEffect, reason: noGSSAPI},
	kwGSSAPIServerIdentity:      {name: "GSSAPIServerIdentity", kind: kindString, status: NoEffect, reason: noGSSAPI},
	kwGSSAPITrustDNS:            {name: "GSSAPITrustDNS", kind: kindFlag, status: NoEffect, reason: noGSSAPI},

	kwHashKnownHosts:               {name: "HashKnownHosts", kind: kindFlag},
	kwHostbasedAcceptedAlgorithms:  {name: "HostbasedAcceptedAlgorithms", kind: kindAlgs, status: NoEffect, reason: noHostbased},
	kwHostbasedAuthentication:      {name: "HostbasedAuthentication", kind: kindFlag, status: NoEffect, reason: noHostbased},
	kwHostKeyAlgorithms:            {name: "HostKeyAlgorithms", kind: kindAlgs},
	kwHostKeyAlias:                 {name: "HostKeyAlias", kind: kindString},
	kwHostName:                     {name: "HostName", kind: kindString},
	kwIdentitiesOnly:               {name: "IdentitiesOnly", kind: kindFlag},
	kwIdentityAgent:                {name: "IdentityAgent"},
	kwIdentityFile:                 {name: "IdentityFile"},
	kwIgnoreUnknown:                {name: "IgnoreUnknown", kind: kindString},
	kwIPQoS:                        {name: "IPQoS"},
	kwKbdInteractiveAuthentication: {name: "KbdInteractiveAuthentication", kind: kindFlag},
	kwKbdInteractiveDevices: {name: "KbdInteractiveDevices", kind: kindString, status: NoEffect,
		reason: "x/crypto leaves the choice of devices to the server"},
	kwKexAlgorithms:     {name: "KexAlgorithms", kind: kindAlgs},
	kwKnownHostsCommand: {name: "KnownHostsCommand", kind: kindCommand},
	kwLocalCommand:      {name: "LocalCommand", kind: kindCommand},
	kwLocalForward:      {name: "LocalForward"},
	kwLogLevel:          {name: "LogLevel"},
	kwLogVerbose: {name: "LogVerbose", status: NoEffect,
		reason: "it selects lines by OpenSSH's source files"},
	kwMACs:                             {name: "MACs", kind: kindAlgs},
	kwNoHostAuthenticationForLocalhost: {name: "NoHostAuthenticationForLocalhost", kind: kindFlag},
	kwNumberOfPasswordPrompts:          {name: "NumberOfPasswordPrompts", kind: kindInt},
	kwObscureKeystrokeTiming: {name: "ObscureKeystrokeTiming", status: NoEffect,
		reason: "x/crypto cannot send the packets that it needs"},
	kwPasswordAuthentication:   {name: "PasswordAuthentication", kind: kindFlag},
	kwPermitLocalCommand:       {name: "PermitLocalCommand", kind: kindFlag},
	kwPermitRemoteOpen:         {name: "PermitRemoteOpen"},
	kwPKCS11Provider:           {name: "PKCS11Provider", kind: kindString},
	kwPort:                     {name: "Port"},
	kwPreferredAuthentications: {name: "PreferredAuthentications", kind: kindString},
	kwProxyCommand:             {name: "ProxyCommand", kind: kindCommand},
	kwProxyJump:                {name: "ProxyJump"},
	kwProxyUseFdpass:           {name: "ProxyUseFdpass", kind: kindFlag},
	kwPubkeyAcceptedAlgorithms: {name: "PubkeyAcceptedAlgorithms", kind: kindAlgs},
	kwPubkeyAuthentication: {name: "PubkeyAuthentication", kind: kindWord, words: wordsPubkey, status: Partial,
		reason: "x/crypto has no host-bound form; yes, unbound and host-bound are the same"},
	kwRefuseConnection: {name: "RefuseConnection"},
	kwRekeyLimit: {name: "RekeyLimit", status: Partial,
		reason: "x/crypto exchanges keys by the amount of data only, not by time"},
	kwRemoteCommand:         {name: "RemoteCommand", kind: kindCommand},
	kwRemoteForward:         {name: "RemoteForward"},
	kwRequestTTY:            {name: "RequestTTY", kind: kindWord, words: wordsRequestTTY},
	kwRequiredRSASize:       {name: "RequiredRSASize", kind: kindInt},
	kwRevokedHostKeys:       {name: "RevokedHostKeys", kind: kindFiles},
	kwSecurityKeyProvider:   {name: "SecurityKeyProvider", kind: kindString},
	kwSendEnv:               {name: "SendEnv"},
	kwServerAliveCountMax:   {name: "ServerAliveCountMax", kind: kindInt},
	kwServerAliveInterval:   {name: "ServerAliveInterval", kind: kindTime},
	kwSessionType:           {name: "SessionType", kind: kindWord, words: wordsSessionType},
	kwSetEnv:                {name: "SetEnv"},
	kwStdinNull:             {name: "StdinNull", kind: kindFlag},
	kwStreamLocalBindMask:   {name: "StreamLocalBindMask"},
	kwStreamLocalBindUnlink: {name: "StreamLocalBindUnlink", kind: kindFlag},
	kwStrictHostKeyChecking: {name: "StrictHostKeyChecking", kind: kindWord, words: wordsStrict},
	kwSyslogFacility:        {name: "SyslogFacility"},
	kwTag:                   {name: "Tag", kind: kindString},
	kwTCPKeepAlive:          {name: "TCPKeepAlive", kind: kindFlag},
	kwTunnel:                {name: "Tunnel", kind: kindWord, words: wordsTunnel, status: NoEffect, reason: noTunnel},
	kwTunnelDevice:          {name: "TunnelDevice", status: NoEffect, reason: noTunnel},
	kwUpdateHostKeys:        {name: "UpdateHostKeys", kind: kindWord, words: wordsYesNoAsk},
	kwUser:                  {name: "User", kind: kindString},
	kwUserKnownHostsFile:    {name: "UserKnownHostsFile", kind: kindFiles},
	kwVerifyHostKeyDNS: {name: "VerifyHostKeyDNS", kind: kindWord, words: wordsYesNoAsk, status: NoEffect,
		reason: "Go's resolver tells nothing about DNSSEC"},
	kwVersionAddendum: {name: "VersionAddendum"},
	kwVisualHostKey:   {name: "VisualHostKey", kind: kindFlag},
	kwWarnWeakCrypto:  {name: "WarnWeakCrypto", kind: kindWord, words: wordsWarnWeak},
	kwXAuthLocation:   {name: "XAuthLocation", kind: kindString},

	kwProtocol:                {name: "Protocol", kind: kindIgnore, status: Deprecated, reason: gone},
	kwCipher:                  {name: "Cipher", kind: kindDeprecated, status: Deprecated, reason: gone},
	kwFallBackToRsh:           {name: "FallBackToRsh", kind: kindDeprecated, status: Deprecated, reason: gone},
	kwGlobalKnownHostsFile2:   {name: "GlobalKnownHostsFile2", kind: kindDeprecated, status: Deprecated, reason: gone},
	kwRhostsAuthentication:    {name: "RhostsAuthentication", kind: kindDeprecated, status: Deprecated, reason: gone},
	kwUseBlacklistedKeys:      {name: "UseBlacklistedKeys", kind: kindDeprecated, status: Deprecated, reason: gone},
	kwUserKnownHostsFile2:     {name: "UserKnownHostsFile2", kind: kindDeprecated, status: Deprecated, reason: gone},
	kwUseRoaming:              {name: "UseRoaming", kind: kindDeprecated, status: Deprecated, reason: gone},
	kwUseRsh:                  {name: "UseRsh", kind: kindDeprecated, status: Deprecated, reason: gone},
	kwUsePrivilegedPort:       {name: "UsePrivilegedPort", kind: kindDeprecated, status: Deprecated, reason: gone},
	kwAFSTokenPassing:         {name: "AFSTokenPassing", kind: kindUnsupported, status: Unsupported, reason: notBuilt},
	kwKerberosAuthentication:  {name: "KerberosAuthentication", kind: kindUnsupported, status: Unsupported, reason: notBuilt},
	kwKerberosTGTPassing:      {name: "KerberosTGTPassing", kind: kindUnsupported, status: Unsupported, reason: notBuilt},
	kwRSAAuthentication:       {name: "RSAAuthentication", kind: kindUnsupported, status: Unsupported, reason: gone},
	kwRhostsRSAAuthentication: {name: "RhostsRSAAuthentication", kind: kindUnsupported, status: Unsupported, reason: gone},
	kwCompressionLevel:        {name: "CompressionLevel", kind: kindUnsupported, status: Unsupported, reason: gone},

	kwReconnect:           {name: "Reconnect", kind: kindWord, words: wordsReconnect},
	kwReconnectMinDelay:   {name: "ReconnectMinDelay", kind: kindTime},
	kwReconnectMaxDelay:   {name: "ReconnectMaxDelay", kind: kindTime},
	kwReconnectAttempts:   {name: "ReconnectAttempts", kind: kindInt},
	kwForwardAgentKeys:    {name: "ForwardAgentKeys"},
	kwForwardAgentConfirm: {name: "ForwardAgentConfirm", kind: kindFlag},
	kwForwardAgentLog:     {name: "ForwardAgentLog", kind: kindString},
	kwMuxAgent:            {name: "MuxAgent", kind: kindWord, words: wordsMuxAgent},
}

type keywordAlias struct {
	name string
	id   keyword
}

// keywordAliases are other names, most of them older. The last two are
// Debian's. It is read only.
var keywordAliases = [...]keywordAlias{
	{"SmartcardDevice", kwPKCS11Provider},
	{"ChallengeResponseAuthentication", kwKbdInteractiveAuthentication},
	{"SkeyAuthentication", kwKbdInteractiveAuthentication},
	{"TISAuthentication", kwKbdInteractiveAuthentication},
	{"DSAAuthentication", kwPubkeyAuthentication},
	{"IdentityFile2", kwIdentityFile},
	{"KeepAlive", kwTCPKeepAlive},
	{"HostbasedKeyTypes", kwHostbasedAcceptedAlgorithms},
	{"PubkeyAcceptedKeyTypes", kwPubkeyAcceptedAlgorithms},
	{"ProtocolKeepAlives", kwServerAliveInterval},
	{"SetupTimeOut", kwServerAliveInterval},
}

// lookupKeyword finds a keyword by its name in lower case; kwBad is none. It
// compares lengths first, so that a linear search is as quick as a map that
// would have to be built at each start.
func lookupKeyword(name string) keyword {
	for id := kwBad + 1; id < numKeywords; id++ {
		if t := keywordTable[id].name; len(t) == len(name) && strings.EqualFold(t, name) {
			return id
		}
	}
	for i := range keywordAliases {
		if a := &keywordAliases[i]; len(a.name) == len(name) && strings.EqualFold(a.name, name) {
			return a.id
		}
	}
	return kwBad
}
