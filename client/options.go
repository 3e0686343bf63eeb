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

// Options configure a Dial in code. With the zero value Dial does what `ssh -o
// BatchMode=yes` does: it reads the user's files and asks no questions.
type Options struct {
	// Config is the complete configuration. The argument of Dial then only names
	// the target. Nil loads the configuration from files.
	Config *sshconfig.Config
	// ConfigOptions say which files are loaded, for the target if Config is nil,
	// and for jump hosts. Nil means the user's files.
	ConfigOptions *sshconfig.Options

	// NoFiles makes Dial depend on nothing but these Options: it reads and writes
	// no configuration, key and known_hosts file, and uses no agent, for jump
	// hosts too. A Config that is not set is that of sshconfig.Default, Signers
	// are the only keys, and without HostKeys or HostKeyCallback every host key is
	// refused. JumpOptions configures jump hosts. Host names are looked up as
	// usual.
	NoFiles bool

	// OwnConnection makes a new connection even if ControlPath names a running
	// master. Jump hosts still use their masters.
	OwnConnection bool

	// Signers are offered before the keys of the configuration, also to jump
	// hosts.
	Signers []ssh.Signer
	// OnlySigners disables the keys of the configuration and of the agent.
	OnlySigners bool
	// Password, if set, is called once, before Prompter, for the target's
	// password. It is not used for jump hosts. If it fails, so does Dial, with a
	// [*CallbackError].
	Password func(ctx context.Context) (string, error)
	// HostKeys, if set, are the host keys that the target may have. They replace
	// known_hosts and HostKeyCallback, and the server is asked for keys of their
	// types first. They are not used for jump hosts.
	HostKeys []ssh.PublicKey
	// HostKeyCallback, if set, replaces known_hosts, also for jump hosts. It is
	// called again at each further key exchange. Its error is returned in a
	// [*CallbackError]. If it is [ssh.FixedHostKey] and the server has shown a
	// key of another type, Dial connects once more and asks for the other types;
	// HostKeys needs no second connection.
	HostKeyCallback ssh.HostKeyCallback

	// Prompter answers questions, in most programs by asking a person. Nil
	// answers none.
	Prompter Prompter
	// Notify, if set, is called for each Event. It is called from several
	// goroutines, one call at a time. It must not wait for the Client, nor close
	// it.
	Notify func(Event)
	// Logger receives the messages of ssh -v: debug1 at slog.LevelDebug, debug2
	// and debug3 one and two levels below, and those of LogLevel VERBOSE one
	// level above. Nil discards them.
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

	// JumpProgram is a program, with its first arguments, that is run with ssh's
	// -W for a jump host that has no master yet, but whose configuration asks
	// for one (ControlMaster and ControlPath). It becomes the master, which the
	// next connection finds. If JumpProgram is empty, this process connects to
	// the jump host, and that connection ends with the one to the target.
	JumpProgram []string

	// Transport is the implementation of the SSH transport, for jump hosts, too.
	// Empty means the one of the configuration, which is TransportXCrypto by default.
	Transport Transport

	// NetDial, if set, connects to an address. Nil uses a net.Dialer that
	// follows BindAddress, TCPKeepAlive and so on.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)
	// ProxyStderr is the standard error of a ProxyCommand. Nil discards it.
	ProxyStderr *os.File
	// ProxyApart protects a ProxyCommand, which may ask questions on the
	// terminal until the server answers, from the terminal's signals (^C, ^\,
	// its end). It is for a process that outlives the terminal. It works on
	// Linux only. The process must not catch SIGTSTP or SIGTTIN.
	ProxyApart bool
	// Stdio is the connection for a ProxyCommand of "-": standard input and
	// output. Its Close must unblock Read and Write. If it is nil, Dial fails.
	Stdio io.ReadWriteCloser
	// Rand is the source of randomness. Nil means crypto/rand.
	Rand io.Reader
	// ClientVersion is the identification string (RFC 4253, section 4.2). Empty
	// means DefaultClientVersion.
	ClientVersion string
	// NoKeepalive disables ServerAliveInterval.
	NoKeepalive bool
}

// DefaultClientVersion is the identification string of this client.
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
