package cli

import (
	"fmt"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/sshconfig"
)

// plan is what an invocation does. String describes it.
type plan interface{ String() string }

// answerPlan prints something without a connection.
type answerPlan struct{ what answer }

// answer is what an answerPlan prints.
type answer string

const (
	answerVersion answer = "version"       // -V
	answerQuery   answer = "algorithms"    // -Q
	answerConfig  answer = "configuration" // -G
	answerKeys    answer = "keys"          // -Z
)

// demoPlan connects to a server in this process (--demo).
type demoPlan struct{}

// controlPlan sends a command to the master (-O).
type controlPlan struct {
	command string
	proxy   foregroundPlan // over the master, with -O proxy
}

// backgroundPlan runs the same arguments in a child, and exits when the child is
// ready (-f).
type backgroundPlan struct{}

// attachPlan runs its task over the connection of a master, if there is one that
// can be used, and otherwise follows another plan.
type attachPlan struct {
	task      task.Task
	otherwise plan
}

// spawnPlan starts a master in the background and runs its task over the master's
// connection (ControlPersist). If something is at ControlPath already, or the
// master cannot be used, it follows another plan.
type spawnPlan struct {
	task      task.Task
	otherwise foregroundPlan
}

// foregroundPlan makes a connection for its task.
type foregroundPlan struct {
	task      task.Task
	shares    bool // the connection with other processes (ControlMaster)
	reconnect bool // a lost connection is made again
}

// masterPlan makes a connection for clients, in a process that a spawnPlan has
// started.
type masterPlan struct{ reconnect bool }

func (p answerPlan) String() string   { return "print " + string(p.what) }
func (demoPlan) String() string       { return "demonstrate" }
func (backgroundPlan) String() string { return "start a child in the background" }

func (p controlPlan) String() string {
	if p.command == "proxy" {
		return "over the master in proxy mode: " + p.proxy.String()
	}
	return "ask the master to " + p.command
}

func (p attachPlan) String() string {
	return fmt.Sprintf("attach to the master: %v; otherwise %v", p.task, p.otherwise)
}

func (p spawnPlan) String() string {
	return fmt.Sprintf("start a master and attach to it: %v; otherwise %v", p.task, p.otherwise)
}

func (p foregroundPlan) String() string {
	text := "connect"
	if p.shares {
		text += ", share"
	}
	return text + reconnectText(p.reconnect) + ": " + p.task.String()
}

func (p masterPlan) String() string {
	return "connect, share" + reconnectText(p.reconnect) + " for clients only"
}

func reconnectText(reconnect bool) string {
	if reconnect {
		return ", reconnect"
	}
	return ""
}

// choosePlan chooses what an invocation does. It returns an error if the
// configuration cannot work.
func choosePlan(inv *invocation) (plan, error) {
	f := inv.flags
	switch {
	case f.version:
		return answerPlan{answerVersion}, nil
	case f.query != nil:
		return answerPlan{answerQuery}, nil
	case f.demo:
		return demoPlan{}, nil
	case f.dump:
		return answerPlan{answerConfig}, nil
	case f.control != "":
		return chooseControl(inv)
	case f.listKeys:
		return answerPlan{answerKeys}, nil
	}
	if err := checkConfig(inv); err != nil {
		return nil, err
	}
	return chooseConnection(inv), nil
}

// connects reports whether a plan needs a connection to the destination.
func connects(p plan) bool {
	switch p.(type) {
	case answerPlan, demoPlan, controlPlan:
		return false
	}
	return true
}

// chooseControl returns the plan of -O.
func chooseControl(inv *invocation) (plan, error) {
	if inv.cfg.ControlPath == "" {
		return nil, message.Errorf("No ControlPath specified for \"-O\" command")
	}
	return controlPlan{inv.flags.control, foregroundPlan{task: inv.ownTask()}}, nil
}

// chooseConnection returns the plan of an invocation that needs a connection.
func chooseConnection(inv *invocation) plan {
	cfg := inv.cfg
	switch {
	case cfg.ForkAfterAuthentication && inv.ready == nil:
		return backgroundPlan{}
	case inv.master:
		return masterPlan{reconnect: inv.reconnects()}
	}
	connect := foregroundPlan{
		task:      inv.ownTask(),
		shares:    cfg.ControlPath != "" && cfg.ControlMaster != sshconfig.ControlMasterNo,
		reconnect: inv.reconnects(),
	}
	over := task.New(cfg, inv.flags.command, inv.terminal) // a master
	var p plan = connect
	if connect.shares && cfg.ControlPersist.Enabled && !connect.reconnect {
		p = spawnPlan{over, connect}
	}
	switch {
	case cfg.ControlPath == "":
	case cfg.ControlMaster == sshconfig.ControlMasterYes, cfg.ControlMaster == sshconfig.ControlMasterAsk:
		// This process is to be the master.
	default:
		p = attachPlan{over, p}
	}
	return p
}

// ownTask returns the task over a connection of this process. With ProxyCommand
// "-" standard input belongs to the connection.
func (inv *invocation) ownTask() task.Task {
	return task.New(inv.cfg, inv.flags.command, inv.terminal && inv.cfg.ProxyCommand != "-")
}

// checkConfig returns an error for a configuration that cannot work.
func checkConfig(inv *invocation) error {
	cfg, command := inv.cfg, inv.flags.command
	switch {
	case cfg.RemoteCommand != "" && command != "":
		return message.Errorf("Cannot execute command-line and remote command.")
	case cfg.ForkAfterAuthentication && cfg.RemoteCommand == "" && command == "" && inv.ownTask().Kind == task.Session:
		return message.Errorf("Cannot fork into background without a command to execute.")
	case cfg.Tunnel != sshconfig.TunnelNo:
		return message.Errorf("Tunnel device forwarding (-w) is not supported.")
	}
	return nil
}

// reconnects reports whether a lost connection is made again: Reconnect asks for
// it, and what runs over the connection can be repeated.
func (inv *invocation) reconnects() bool {
	cfg := inv.cfg
	switch reconnect := cfg.Own.Reconnect; {
	case reconnect != sshconfig.ReconnectYes && reconnect != sshconfig.ReconnectAlways:
		return false
	case cfg.ProxyCommand == "-":
		return false // there is only one such stream
	case inv.master:
		return true // for later clients: the first client's session is not the master's
	case !cfg.StdioForward.IsZero(), cfg.SessionType == sshconfig.SessionSubsystem:
		return false // the program at the other end of the stream has lost its place in it
	case cfg.SessionType == sshconfig.SessionNone:
		return true
	case cfg.ForkAfterAuthentication:
		return false // the output of the command is closed once the command runs
	case reconnect == sshconfig.ReconnectAlways:
		return true
	case inv.flags.command != "":
		return false // it may have run already, and must perhaps not run twice
	}
	// A shell that reads its commands from a file is like a command.
	return cfg.RemoteCommand != "" || inv.ownTask().TTY
}

// printWithoutEffect prints, at -v, the keywords that are set and have no effect.
func (inv *invocation) printWithoutEffect() {
	if inv.print.Level() < sshconfig.LogDebug1 {
		return
	}
	for _, k := range sshconfig.Keywords() {
		if k.Status == sshconfig.NoEffect && inv.cfg.IsSet(k.Name) {
			inv.print.Debugf("%s has no effect: %s", k.Name, k.Reason)
		}
	}
}
