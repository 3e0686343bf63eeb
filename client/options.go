package client

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/sshconfig"
)

// Options are for programs that bring their own configuration. The zero value
// does what `ssh -o BatchMode=yes` would: it reads the user's files and asks
// nobody.
type Options struct {
	// Config is a configuration that is already resolved; the target of Dial
	// then only names it. Nil loads the target's from the user's files.
	Config *sshconfig.Config
	// ConfigOptions say where configuration is loaded from, for the target
	// when Config is nil, and for jump hosts. Nil means the user's files.
	ConfigOptions *sshconfig.Options

	// NoFiles makes Dial depend on nothing but these Options: it reads and writes
	// no configuration, key and known_hosts file, and uses no agent, for jump
	// hosts too. A Config that is not set is that of sshconfig.Default, Signers
	// are the only keys, and without HostKeys or HostKeyCallback every host key is
	// refused. JumpOptions configures jump hosts. Host names are looked up as
	// usual.
	NoFiles bool

	// OwnConnection makes a connection of its own even if ControlPath names
	// a master that lives. Jump hosts still use theirs.
	OwnConnection bool

	// Signers are offered before the keys of the configuration, to jump hosts
	// too.
	Signers []ssh.Signer
	// OnlySigners leaves out the keys of the configuration and of the agent.
	OnlySigners bool
	// Password, if set, answers the target's password question, once, before
	// Prompter. No jump host gets it.
	Password func(ctx context.Context) (string, error)
	// HostKeys, if set, are the keys of which the target must show one. They
	// take the place of known_hosts and HostKeyCallback, and the server is asked
	// for keys of their types first. Jump hosts are verified as without it.
	HostKeys []ssh.PublicKey
	// HostKeyCallback, if set, takes the place of known_hosts, for jump hosts
	// too. It is called again at each new key exchange. Its error is found in a
	// [*CallbackError]. If it is [ssh.FixedHostKey] and the server shows a key of
	// another type, Dial connects again to ask for the other types; HostKeys
	// needs no second connection.
	HostKeyCallback ssh.HostKeyCallback

	// Prompter asks the person. Nil asks nobody.
	Prompter Prompter
	// Notify hears of what is worth telling. Nil is silence. It is called on
	// several goroutines, one at a time, and must not wait for the Client, nor
	// close it.
	Notify func(Event)
	// Logger gets the lines of ssh -v: slog.LevelDebug is debug1, one below it
	// debug2, two below debug3, and one above it LogLevel VERBOSE. Nil is
	// silence.
	Logger *slog.Logger

	// JumpOptions, if set, is called for each jump host with its name, as
	// ProxyJump has it, and the Options that Dial is about to use for it, which it
	// may change. These are the Options of the target, but with its Config,
	// Password, HostKeys and AgentForward cleared. A Config that it sets is used
	// in place of the configuration files.
	JumpOptions func(host string, o *Options)

	// AgentForward, if set, is the agent that sessions with ForwardAgent get, and
	// what they may do with it, in place of ForwardAgent and the other keywords
	// of the configuration. The Client sets Binding and Host.
	AgentForward *agentfwd.ForwarderConfig

	// JumpProgram is the program and the first arguments that are run, with ssh's
	// -W, for a jump host whose configuration makes it a master (ControlMaster and
	// ControlPath) and that has none yet. The next connection then finds the
	// master. Empty: the connection to the jump host is made in this process, is
	// no master, and ends with the one to the target.
	JumpProgram []string

	// Transport is the implementation of the SSH transport, for jump hosts, too.
	// Empty means TransportXCrypto.
	Transport Transport

	// NetDial connects to an address in place of a net.Dialer. Nil means that
	// BindAddress, TCPKeepAlive and so on of the configuration are obeyed.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)
	// ProxyStderr is where a ProxyCommand's messages go. Nil discards them.
	ProxyStderr *os.File
	// ProxyApart keeps the signals of the terminal (^C, ^\, its end) from a
	// ProxyCommand, which may ask on the terminal until the server answers. It
	// is for a process that outlives the terminal, and has an effect on Linux
	// alone. The process must not catch SIGTSTP or SIGTTIN.
	ProxyApart bool
	// Stdio is what a ProxyCommand of "-" connects over: standard input and
	// output, of which Close ends a blocked Read and Write. Nil refuses it.
	Stdio io.ReadWriteCloser
	// Rand is the source of randomness; nil is crypto/rand.
	Rand io.Reader
	// ClientVersion is the identification string of RFC 4253, section 4.2.
	// Empty means DefaultClientVersion.
	ClientVersion string
	// NoKeepalive leaves the connection to itself: ServerAliveInterval is not
	// obeyed.
	NoKeepalive bool
}

// DefaultClientVersion identifies this client to servers.
const DefaultClientVersion = "SSH-2.0-gossh_0.1"

// withDefaults returns a copy of opts, which may be nil, in which each zero
// value is replaced by what it means.
func (opts *Options) withDefaults() Options {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.ConfigOptions == nil {
		o.ConfigOptions = new(sshconfig.Options)
	}
	if o.Notify == nil {
		o.Notify = func(Event) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ClientVersion == "" {
		o.ClientVersion = DefaultClientVersion
	}
	return o
}
