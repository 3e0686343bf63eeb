package sshtest

import (
	"context"
	"log/slog"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Options describes a server. The zero value listens on a free port of
// 127.0.0.1 with one new ed25519 host key and lets in user "test" with
// [Server.ClientKey]; it runs commands as real processes, forwards whatever
// is asked, and behaves.
//
// Functions in Options are called from the server's goroutines, several at a
// time.
type Options struct {
	// Listen is the TCP address to listen on. Empty: 127.0.0.1:0.
	// NoListen leaves the listener out, for servers that are reached by
	// Server.Pipe and Server.ServeConn only.
	Listen   string
	NoListen bool

	// HostKeys are the server's keys, at most one a format; certificates
	// (ssh.NewCertSigner) may stand beside their plain keys.
	// Empty: one new ed25519 key.
	HostKeys []ssh.Signer

	// AnnounceHostKeys sends hostkeys-00@openssh.com after authentication,
	// with HostKeys (certificates left out) and NextHostKeys, and answers
	// hostkeys-prove-00@openssh.com. BadHostKeyProof makes those proofs
	// signatures over something else.
	AnnounceHostKeys bool
	NextHostKeys     []ssh.Signer
	BadHostKeyProof  bool

	// Users may log in. Empty: "test" with Server.ClientKey.
	Users []User

	// Methods limits the authentication methods offered, by their names in
	// RFC 4252. Empty: those that some user has the means for.
	Methods []string

	// MaxAuthTries is the number of failures after which the server
	// disconnects. Zero: 6. Negative: no limit.
	MaxAuthTries int

	// Banner is sent before the first answer to an authentication request.
	Banner string

	// PreVersion is sent before the version line: text that RFC 4253,
	// section 4.2 allows, if its lines end in \r\n and do not begin with SSH-.
	PreVersion string

	// Version is the version line without its line end. Empty: one that
	// begins with SSH-2.0-OpenSSH_, which is what makes OpenSSH's clients
	// use OpenSSH's extensions.
	Version string

	// Config holds algorithms and RekeyThreshold (bytes; at least 256).
	Config ssh.Config

	// PublicKeyAlgorithms limits the signature algorithms accepted from
	// users (server-sig-algs). Empty: x/crypto's default.
	PublicKeyAlgorithms []string

	// Handler runs exec and shell requests. Nil: real processes by Shell,
	// on a real pty where the platform has one.
	Handler Handler

	// Subsystems are run by name. "sftp" is the system's sftp-server, where
	// one is installed, unless the map has it.
	Subsystems map[string]Handler

	// Process says how real processes are run.
	Process Process

	// MaxSessions is the number of session channels open at a time on one
	// connection. Zero: 10, as sshd's default. Negative: none at all.
	MaxSessions int

	// NoForwarding refuses direct-tcpip, tcpip-forward and their Unix socket
	// kin. NoAgent refuses auth-agent-req.
	NoForwarding bool
	NoAgent      bool

	// GatewayPorts lets remote forwards bind other addresses than loopback,
	// as sshd's GatewayPorts=clientspecified.
	GatewayPorts bool

	// Dial connects forwards to their targets; network is "tcp" or "unix".
	// Nil: a net.Dialer. ListenForward opens remote forwards. Nil: net.Listen.
	Dial          func(ctx context.Context, network, addr string) (net.Conn, error)
	ListenForward func(network, addr string) (net.Listener, error)

	// AliveInterval makes the server probe the client as sshd's
	// ClientAliveInterval does; after AliveCountMax probes (zero: 3) without
	// an answer it closes the connection. Zero: off.
	AliveInterval time.Duration
	AliveCountMax int

	// HoldReplies holds back every answer to the requests on a session
	// channel until that many requests that want one have come in. A client
	// that waits for each answer hangs; one that pipelines does not notice.
	HoldReplies int

	// OnRequest is asked about each global and channel request before the
	// server acts on it, OnOpen about each channel that the client opens.
	// Nil, or a zero answer: the server does what it would do.
	OnRequest func(Record) Reaction
	OnOpen    func(Record) OpenReaction

	// Faults are the ways in which a connection goes wrong.
	Faults Faults

	// Takeover, if set, gets each accepted connection instead of the
	// server. When it returns the connection is closed; ctx ends when the
	// server is closed.
	Takeover func(ctx context.Context, nc net.Conn)

	// Log gets what the server does, at debug level. Nil: nothing.
	Log *slog.Logger
}

// User may log in by any method for which there is something below.
type User struct {
	Name     string
	Password string          // password; empty: not possible
	Keys     []ssh.PublicKey // publickey
	CAs      []ssh.PublicKey // publickey, with a certificate for Name signed by one of these
	Rounds   []Round         // keyboard-interactive
	None     bool            // none

	// Sequence, if not empty, is the methods that must all succeed, in this
	// order, as one list of sshd's AuthenticationMethods. The server then
	// offers only its first one at the start if this is the only user.
	Sequence []string
}

// Round is one request of keyboard-interactive authentication (RFC 4256).
// One without prompts only shows its text.
type Round struct {
	Name        string
	Instruction string
	Prompts     []Prompt
}

// Prompt is one question of a Round and its right answer.
type Prompt struct {
	Text   string
	Echo   bool
	Answer string
}

// Process says how commands become processes.
type Process struct {
	// Shell runs commands as `Shell -c command`, and shells as Shell alone
	// (with -l where Login is set). Empty: /bin/sh, on Windows cmd.exe.
	Shell string
	Login bool

	// Dir is the working directory. Empty: this process's.
	Dir string

	// Env is the environment below the client's variables.
	// Nil: this process's.
	Env []string
}

// Faults are ways for a connection to go wrong. The zero value has none.
type Faults struct {
	// StallAt stops everything at that point of a connection's life, with
	// the connection left open. CloseAt closes it there.
	StallAt Stage
	CloseAt Stage

	// DropAfterSent and DropAfterReceived cut the connection once that many
	// bytes have gone by, version lines and key exchange included.
	DropAfterSent     int64
	DropAfterReceived int64

	// Disconnect, if its At is StageVersion, StageAuth or StageSession, says
	// goodbye there with SSH_MSG_DISCONNECT and closes. As with Raw, anybody
	// is let in.
	Disconnect Disconnect
}

// Disconnect is a message that ends a connection (RFC 4253, section 11.1).
type Disconnect struct {
	At      Stage
	Reason  uint32 // such as 2, protocol error, or 12, too many connections
	Message string
}

// Stage is a point in the life of a connection.
type Stage int

// The stages, in their order.
const (
	StageNone    Stage = iota
	StageAccept        // TCP accepted, no version sent
	StageVersion       // version sent, no key exchange begun
	StageKex           // client's key exchange message read, no reply sent
	StageAuth          // user authentication begun, first request not answered
	StageSession       // authenticated, nothing answered any more
)

// Reaction is what becomes of a request.
type Reaction struct {
	// Verdict says what to do. After is waited first, with all later
	// requests of the same channel (or all later global ones) behind it.
	Verdict Verdict
	After   time.Duration
}

// Verdict overrules the server about a request.
type Verdict int

// The verdicts.
const (
	Act    Verdict = iota // do what the server does
	Refuse                // answer failure, do nothing
	Accept                // answer success, do nothing
	Ignore                // never answer, do nothing
)

// OpenReaction is what becomes of a channel that the client opens.
type OpenReaction struct {
	Reason  ssh.RejectionReason // not zero: refuse with this and Message
	Message string
	Ignore  bool // never answer
	After   time.Duration
}

// React makes an OnRequest function of a table by request type.
func React(byType map[string]Reaction) func(Record) Reaction {
	return func(r Record) Reaction { return byType[r.Type] }
}

// RefuseOpen makes an OnOpen function that refuses channels of one type.
func RefuseOpen(channelType string, reason ssh.RejectionReason, message string) func(Record) OpenReaction {
	return func(r Record) OpenReaction {
		if r.Type != channelType {
			return OpenReaction{}
		}
		return OpenReaction{Reason: reason, Message: message}
	}
}
