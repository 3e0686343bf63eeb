package sshtest

import (
	"context"
	"log/slog"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Options configure a server. With the zero value it listens on a free port of
// 127.0.0.1, has one new ed25519 host key, lets in user "test" with
// [Server.ClientKey], runs commands as processes, and permits all forwardings.
//
// Functions in Options are called from goroutines of the server, several at a
// time.
type Options struct {
	// Listen is the TCP address to listen on. Empty means 127.0.0.1:0. With
	// NoListen the server does not listen, and is reached by Server.Pipe and
	// Server.ServeConn.
	Listen   string
	NoListen bool

	// HostKeys are the server's keys, at most one of each format, and
	// certificates for them (ssh.NewCertSigner). Empty means one new ed25519
	// key.
	HostKeys []ssh.Signer

	// AnnounceHostKeys sends hostkeys-00@openssh.com after authentication, with
	// HostKeys (but no certificates) and NextHostKeys, and answers
	// hostkeys-prove-00@openssh.com. With BadHostKeyProof the signatures are
	// wrong.
	AnnounceHostKeys bool
	NextHostKeys     []ssh.Signer
	BadHostKeyProof  bool

	// Users are the users who may log in. Empty means "test" with
	// Server.ClientKey.
	Users []User

	// Methods limits the authentication methods that are offered, by their names
	// in RFC 4252. Empty means those that some user can use.
	Methods []string

	// MaxAuthTries is the number of failures after which the server disconnects.
	// Zero means 6, a negative number no limit.
	MaxAuthTries int

	// Banner is sent before the first answer to an authentication request.
	Banner string

	// PreVersion is sent before the identification string. RFC 4253, section 4.2
	// permits lines that end in \r\n and do not begin with SSH-.
	PreVersion string

	// Version is the identification string, without its line end. Empty means
	// one that begins with SSH-2.0-OpenSSH_, for which OpenSSH's clients use
	// OpenSSH's extensions.
	Version string

	// Config has the algorithms and RekeyThreshold (in bytes, at least 256).
	Config ssh.Config

	// PublicKeyAlgorithms limits the signature algorithms of users
	// (server-sig-algs). Empty means x/crypto's default.
	PublicKeyAlgorithms []string

	// Handler runs exec and shell requests. Nil runs processes; see Process.
	// They have a pseudo-terminal on systems that provide one.
	Handler Handler

	// Subsystems are handlers by name. "sftp" is the system's sftp-server, if it
	// is installed, unless the map has it.
	Subsystems map[string]Handler

	// Process says how real processes are run.
	Process Process

	// MaxSessions is the number of session channels that may be open on one
	// connection. Zero means 10, as in sshd; a negative number means none.
	MaxSessions int

	// NoForwarding refuses direct-tcpip, tcpip-forward and the same for Unix
	// sockets. NoAgent refuses auth-agent-req.
	NoForwarding bool
	NoAgent      bool

	// GatewayPorts permits remote forwards on other addresses than loopback, as
	// sshd's GatewayPorts=clientspecified.
	GatewayPorts bool

	// Dial connects to the targets of forwards; network is "tcp" or "unix". Nil
	// uses a net.Dialer. ListenForward listens for remote forwards. Nil means
	// net.Listen.
	Dial          func(ctx context.Context, network, addr string) (net.Conn, error)
	ListenForward func(network, addr string) (net.Listener, error)

	// AliveInterval is the interval of keepalive requests to the client, as
	// sshd's ClientAliveInterval. After AliveCountMax requests (zero means 3)
	// without an answer the connection is closed. Zero sends none.
	AliveInterval time.Duration
	AliveCountMax int

	// HoldReplies holds back the answers to requests on a session channel until
	// that many requests that want an answer have come. A client that waits for
	// each answer is stuck; one that sends requests without waiting is not.
	HoldReplies int

	// OnRequest is called for each global and channel request before the server
	// handles it, and OnOpen for each channel that the client opens. If they are
	// nil, or return the zero value, the server does what it would do without
	// them.
	OnRequest func(Record) Reaction
	OnOpen    func(Record) OpenReaction

	// Faults make connections fail.
	Faults Faults

	// Takeover, if set, is called with each accepted connection in place of the
	// server. The connection is closed when it returns. ctx ends when the server
	// is closed.
	Takeover func(ctx context.Context, nc net.Conn)

	// Log receives debug messages. Nil discards them.
	Log *slog.Logger
}

// User may log in by each method for which a field is set.
type User struct {
	Name     string
	Password string          // for password
	Keys     []ssh.PublicKey // publickey
	CAs      []ssh.PublicKey // for publickey with a certificate for Name, signed by one of these
	Rounds   []Round         // for keyboard-interactive
	None     bool            // none succeeds

	// Sequence, if not empty, lists the methods that must all succeed, in this
	// order, as one list of sshd's AuthenticationMethods. If this is the only
	// user, the server offers only the first method at the start.
	Sequence []string
}

// Round is one request of keyboard-interactive authentication (RFC 4256).
// Without prompts it only shows its text.
type Round struct {
	Name        string
	Instruction string
	Prompts     []Prompt
}

// Prompt is one prompt of a Round, and the right answer.
type Prompt struct {
	Text   string
	Echo   bool
	Answer string
}

// Process configures the processes that run commands.
type Process struct {
	// Shell runs a command as `Shell -c command`, and a shell as Shell without
	// arguments (with -l if Login is set). Empty means /bin/sh, on Windows
	// cmd.exe.
	Shell string
	Login bool

	// Dir is the working directory. Empty means that of this process.
	Dir string

	// Env is the environment, to which the client's variables are added. Nil
	// means that of this process.
	Env []string
}

// Reaction says what happens to a request.
type Reaction struct {
	// Verdict is the answer. After is waited before; later requests of the same
	// channel (or later global ones) wait, too.
	Verdict Verdict
	After   time.Duration
}

// Verdict says how a request is answered.
type Verdict int

// The verdicts about a request.
const (
	Act    Verdict = iota // what the server does without OnRequest
	Refuse                // answer failure and do nothing
	Accept                // answer success and do nothing
	Ignore                // do not answer and do nothing
)

// OpenReaction says what happens to a channel that the client opens.
type OpenReaction struct {
	Reason  ssh.RejectionReason // if not zero, refuse with this reason and Message
	Message string
	Ignore  bool // do not answer
	After   time.Duration
}

// React returns an OnRequest function for a table by request type.
func React(byType map[string]Reaction) func(Record) Reaction {
	return func(r Record) Reaction { return byType[r.Type] }
}

// RefuseOpen returns an OnOpen function that refuses channels of one type.
func RefuseOpen(channelType string, reason ssh.RejectionReason, message string) func(Record) OpenReaction {
	return func(r Record) OpenReaction {
		if r.Type != channelType {
			return OpenReaction{}
		}
		return OpenReaction{Reason: reason, Message: message}
	}
}
