package hostkey

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Strictness is StrictHostKeyChecking of ssh_config(5).
type Strictness int

const (
	StrictAsk       Strictness = iota // unknown keys are asked for, changed ones refused
	StrictYes                         // unknown and changed keys are refused
	StrictAcceptNew                   // unknown keys are added, changed ones refused
	StrictNo                          // "no" and "off": unknown keys are added, changed ones tolerated with restrictions
)

// UpdateMode is UpdateHostKeys of ssh_config(5).
type UpdateMode int

const (
	UpdateNo  UpdateMode = iota // the server's list of keys is ignored
	UpdateYes                   // proven keys are written without a question
	UpdateAsk                   // Options.Ask is called first
)

// DNSMode is VerifyHostKeyDNS of ssh_config(5).
type DNSMode int

const (
	DNSNo  DNSMode = iota // SSHFP records are not looked up
	DNSYes                // a matching and secure record is enough
	DNSAsk                // the outcome is shown in the question only
)

// DNSResult is the result of a lookup of SSHFP records (RFC 4255).
type DNSResult struct {
	Found    bool // there was a record
	Matching bool // the key agrees with the records, see MatchSSHFP
	Secure   bool // the answer was validated by DNSSEC
}

// Purpose is the reason for which KnownHostsCommand is run: token %I of
// ssh_config(5).
type Purpose string

const (
	PurposeOrder    Purpose = "ORDER"    // the order of the algorithms is prepared; no key yet
	PurposeHostname Purpose = "HOSTNAME" // the host is looked up by its name
	PurposeAddress  Purpose = "ADDRESS"  // and by its address (CheckHostIP)
)

// CommandRequest describes one run of KnownHostsCommand.
type CommandRequest struct {
	Purpose Purpose       // %I
	Host    string        // %H, the name or address in the form of known_hosts; for PurposeOrder as it is
	Key     ssh.PublicKey // the key shown (%t, %f, %K); nil for PurposeOrder
}

// Options are the settings of a Checker. With the zero value there are no files
// and no questions, so every host is refused.
type Options struct {
	// UserFiles are UserKnownHostsFile, already expanded. Keys are added to
	// the first. A missing file is an empty one. Empty ("none"): nothing is
	// read from and nothing written to user files.
	UserFiles []string
	// GlobalFiles are GlobalKnownHostsFile; they are only read.
	GlobalFiles []string

	// Strict is StrictHostKeyChecking; zero is StrictAsk.
	Strict Strictness
	// HashKnownHosts hides the names in the lines that are added.
	HashKnownHosts bool
	// CheckHostIP also looks up, and adds, the peer's address.
	CheckHostIP bool
	// NoHostAuthenticationForLocalhost accepts any key from a loopback address.
	NoHostAuthenticationForLocalhost bool
	// UpdateHostKeys says what becomes of hostkeys-00@openssh.com; zero is UpdateNo.
	UpdateHostKeys UpdateMode

	// CASignatureAlgorithms are those a certificate may be signed with; nil
	// is OpenSSH's default list (everything but SHA-1).
	CASignatureAlgorithms []string
	// AllowEmptyPrincipals takes a host certificate without principals as good
	// for any host, as OpenSSH did before 10.3. Otherwise it is good for none.
	AllowEmptyPrincipals bool
	// RequiredRSASize is the least size of an RSA key in bits; zero, and
	// whatever is below it, is 1024, as in OpenSSH.
	RequiredRSASize int
	// RevokedHostKeys names files, each one of public keys or a KRL. If
	// it is named but cannot be read, every host is refused.
	RevokedHostKeys []string

	// Earlier are keys and certificates that earlier connections to the same
	// host accepted. If there are any, a key that no line, CA or secure DNS
	// record vouches for is refused unless it is one of them: StrictNo,
	// StrictAcceptNew and StrictAsk accept no second new key, StrictNo does
	// not tolerate a second changed one.
	Earlier []ssh.PublicKey

	// KnownHostsCommand returns further lines in the format of known_hosts;
	// nil is none. Its error, which may be a *CommandError, refuses the host.
	KnownHostsCommand func(context.Context, CommandRequest) ([]byte, error)

	// VerifyHostKeyDNS says what LookupSSHFP's result is worth; zero is DNSNo.
	VerifyHostKeyDNS DNSMode
	// LookupSSHFP compares a plain key with the host's SSHFP records; nil
	// means that there is no DNS. Its error is as good as no record.
	LookupSSHFP func(ctx context.Context, host string, addr netip.Addr, key ssh.PublicKey) (DNSResult, error)

	// Ask puts a question to a person and reports a yes. nil answers no,
	// which is what BatchMode wants. Its error refuses the host.
	Ask func(context.Context, Question) (bool, error)
	// Notify hears of what is worth telling, in order, on the goroutine of
	// the call that caused it; nil is silence.
	Notify func(Event)
	// Logger gets debug messages; nil is silence.
	Logger *slog.Logger

	// Time is the clock for the validity of certificates; nil is time.Now.
	Time func() time.Time
	// Rand is where salts of hashed names come from; nil is crypto/rand.
	Rand io.Reader
}

// minRSASize is SSH_RSA_MINIMUM_MODULUS_SIZE: RequiredRSASize may only raise it.
const minRSASize = 1024

// defaultCASignatureAlgorithms is the default of CASignatureAlgorithms in ssh_config(5).
func defaultCASignatureAlgorithms() []string {
	return []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

// withDefaults is the one place where zero values get their meaning. The
// slices are cloned, so that the caller may go on using his.
func (o Options) withDefaults() Options {
	o.UserFiles = slices.Clone(o.UserFiles)
	o.GlobalFiles = slices.Clone(o.GlobalFiles)
	o.Earlier = slices.Clone(o.Earlier)
	if o.CASignatureAlgorithms == nil {
		o.CASignatureAlgorithms = defaultCASignatureAlgorithms()
	} else {
		o.CASignatureAlgorithms = slices.Clone(o.CASignatureAlgorithms)
	}
	o.RequiredRSASize = max(o.RequiredRSASize, minRSASize)
	if o.LookupSSHFP == nil {
		o.VerifyHostKeyDNS = DNSNo
	}
	if o.Notify == nil {
		o.Notify = func(Event) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Time == nil {
		o.Time = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return o
}

// Checker checks host keys with one set of options. It has no other state: every
// call reads the files again.
type Checker struct {
	opts Options
}

// NewChecker returns a Checker. It does not read files.
func NewChecker(opts Options) *Checker {
	return &Checker{opts: opts.withDefaults()}
}

// defaultPort is the port that known_hosts leaves out.
const defaultPort = 22

// Target is the host to connect to.
type Target struct {
	// Host is the name or address that was asked for, after Hostname and
	// canonicalisation; its case does not matter.
	Host string
	// Alias is HostKeyAlias, "" if unset. It takes Host's place and
	// suppresses the port.
	Alias string
	// Port is the TCP port; zero is 22.
	Port int
	// Addr is the peer's address, the zero Addr behind a ProxyCommand or a
	// jump host, where it is not known.
	Addr netip.Addr
}

// Name returns the name of the host in known_hosts: the alias, the bare host for
// port 22, or "[host]:port".
func (t Target) Name() string {
	if t.Alias != "" {
		return strings.ToLower(t.Alias)
	}
	return hostPort(t.Host, t.port())
}

// Address returns the peer's address in the form of known_hosts, or "" if it is
// not known.
func (t Target) Address() string {
	if !t.Addr.IsValid() {
		return ""
	}
	return hostPort(t.Addr.Unmap().String(), t.port())
}

func (t Target) port() int {
	if t.Port == 0 {
		return defaultPort
	}
	return t.Port
}

// certName is the name that a certificate's principals are compared with; it
// never has a port.
func (t Target) certName() string {
	if t.Alias != "" {
		return strings.ToLower(t.Alias)
	}
	return strings.ToLower(t.Host)
}

// withoutPort is the target for the second look-up that OpenSSH makes when
// nothing is known of "[host]:port".
func (t Target) withoutPort() Target {
	t.Port = defaultPort
	return t
}

// isLocal reports a loopback address; behind a proxy nothing is local.
func (t Target) isLocal() bool { return t.Addr.IsValid() && t.Addr.Unmap().IsLoopback() }

// hasAddressOnly reports that the host was named by its address, so that
// CheckHostIP would look up the same thing twice.
func (t Target) hasAddressOnly() bool {
	return strings.EqualFold(t.Host, t.Addr.Unmap().String()) || strings.EqualFold(t.Host, t.Addr.String())
}

// hostPort is put_host_port of OpenSSH's misc.c, lower-cased.
func hostPort(host string, port int) string {
	host = strings.ToLower(host)
	if port == defaultPort {
		return host
	}
	return "[" + host + "]:" + strconv.Itoa(port)
}
