package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/sshconfig"
)

// testInvocation returns the invocation of a command line without configuration
// files.
func testInvocation(t *testing.T, line string) (*invocation, error) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	args := append([]string{"ssh", "-F", "none"}, strings.Fields(line)...)
	return newInvocation(t.Context(), newEnvironment("ssh", Std{Stdin: null, Stdout: null, Stderr: null}), args)
}

// TestChoosePlan prints the plan of each kind of command line.
func TestChoosePlan(t *testing.T) {
	const (
		atTerminal = 1 << iota // standard input is a terminal
		inChild                // started in the background by a parent
		asMaster               // by a parent that wants a master
	)
	for _, test := range []struct {
		line string
		how  int
		want string
	}{
		{"-V", 0, "print version"},
		{"-V host", 0, "print version"},
		{"-Q cipher", 0, "print algorithms"},
		{"-G host", 0, "print configuration"},
		{"-G -O check -S /s host", 0, "print configuration"},
		{"-G -f host ls", 0, "print configuration"},
		{"-Z host", 0, "print keys"},

		{"host", 0, `connect: shell`},
		{"host", atTerminal, `connect: shell with a terminal`},
		{"-n host", atTerminal, `connect: shell without input`},
		{"-T host", atTerminal, `connect: shell`},
		{"-t host", 0, `connect: shell`},
		{"-t host ls", atTerminal, `connect: command "ls" with a terminal`},
		{"-tt host ls", 0, `connect: command "ls" with a terminal`},
		{"-tt -n host ls", 0, `connect: command "ls" with a terminal without input`},
		{"host ls -l", atTerminal, `connect: command "ls -l"`},
		{"-oRemoteCommand=tmux host", atTerminal, `connect: command "tmux"`},
		{"-s host sftp", atTerminal, `connect: subsystem "sftp"`},
		{"-N host", atTerminal, "connect: no session"},
		{"-W db:5432 host", atTerminal, "connect: forward standard input and output to db:5432"},
		{"-g -L 1:a:2 host", 0, "connect: shell"},
		{"-L 1:a:2 -N host", 0, "connect: no session"},
		{"-oProxyCommand=- host", atTerminal, "connect: shell"},

		{"-f host ls", 0, "start a child in the background"},
		{"-f -N host", 0, "start a child in the background"},
		{"-f -N -M -S /s -oControlPersist=yes host", 0, "start a child in the background"},
		{"-f host ls", inChild, `connect: command "ls" without input`},
		{"-f -N host", inChild, "connect: no session"},

		{"-O check -S /s host", 0, "ask the master to check"},
		{"-O exit -S /s host", 0, "ask the master to exit"},
		{"-O forward -L 1:a:2 -S /s host", 0, "ask the master to forward"},
		{"-O proxy -S /s host ls", 0, `over the master in proxy mode: connect: command "ls"`},
		{"-f -O stop -S /s host ls", 0, "ask the master to stop"},

		{"-S /s host ls", 0, `attach to the master: command "ls"; otherwise connect: command "ls"`},
		{"-S /s host", atTerminal, "attach to the master: shell with a terminal; otherwise connect: shell with a terminal"},
		{"-S /s -N host", 0, "attach to the master: no session; otherwise connect: no session"},
		{"-S /s -W db:1 host", 0, "attach to the master: forward standard input and output to db:1; " +
			"otherwise connect: forward standard input and output to db:1"},
		{"-S none host", 0, "connect: shell"},
		{"-S /s -oProxyCommand=- host", atTerminal, "attach to the master: shell with a terminal; otherwise connect: shell"},
		{"-f -S /s host ls", inChild, `attach to the master: command "ls" without input; otherwise connect: command "ls" without input`},

		{"-M -S /s host", 0, "connect, share: shell"},
		{"-M host", 0, "connect: shell"},
		{"-oControlMaster=ask -S /s host", 0, "connect, share: shell"},
		{"-oControlMaster=auto -S /s host", 0, "attach to the master: shell; otherwise connect, share: shell"},
		{"-oControlMaster=autoask -S /s host", 0, "attach to the master: shell; otherwise connect, share: shell"},
		{"-oControlMaster=no -oControlPersist=yes -S /s host", 0, "attach to the master: shell; otherwise connect: shell"},
		{"-M -oControlPersist=yes -S /s host ls", 0, `start a master and attach to it: command "ls"; otherwise connect, share: command "ls"`},
		{"-oControlMaster=auto -oControlPersist=60 -S /s host", 0,
			"attach to the master: shell; otherwise start a master and attach to it: shell; otherwise connect, share: shell"},
		{"-oControlMaster=auto -oControlPersist=60 -S /s -N host", 0,
			"attach to the master: no session; otherwise start a master and attach to it: no session; otherwise connect, share: no session"},
		{"-oControlMaster=auto -oControlPersist=60 -S /s host ls", inChild | asMaster, "connect, share for clients only"},

		{"-oReconnect=yes host", atTerminal, "connect, reconnect: shell with a terminal"},
		{"-oReconnect=yes host", 0, "connect: shell"},
		{"-oReconnect=yes host ls", 0, `connect: command "ls"`},
		{"-oReconnect=always host ls", 0, `connect, reconnect: command "ls"`},
		{"-oReconnect=yes -N host", 0, "connect, reconnect: no session"},
		{"-oReconnect=yes -f -N host", inChild, "connect, reconnect: no session"},
		{"-oReconnect=yes -M -S /s -N host", 0, "connect, share, reconnect: no session"},
		{"-oReconnect=yes -oControlMaster=auto -S /s -N host", 0, "attach to the master: no session; otherwise connect, share, reconnect: no session"},
		{"-oReconnect=yes -oControlMaster=auto -oControlPersist=60 -S /s -N host", 0,
			"attach to the master: no session; otherwise connect, share, reconnect: no session"},
		{"-oReconnect=yes -oControlMaster=auto -oControlPersist=60 -S /s host ls", 0,
			`attach to the master: command "ls"; otherwise start a master and attach to it: command "ls"; otherwise connect, share: command "ls"`},
		{"-oReconnect=yes -oControlMaster=auto -oControlPersist=60 -S /s host ls", inChild | asMaster, "connect, share, reconnect for clients only"},
	} {
		inv, err := testInvocation(t, test.line)
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		inv.terminal = test.how&atTerminal != 0
		inv.master = test.how&asMaster != 0
		if test.how&inChild != 0 {
			inv.ready = new(process.Readiness)
		}
		p, err := choosePlan(inv)
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
		} else if p.String() != test.want {
			t.Errorf("%s:\n got %v\nwant %s", test.line, p, test.want)
		} else if newRunner(inv, p) == nil {
			t.Errorf("%s: no runner for %v", test.line, p)
		}
	}
}

// TestNoPlan checks which command lines are refused when the plan is chosen.
func TestNoPlan(t *testing.T) {
	for line, want := range map[string]string{
		"-O check host": `No ControlPath specified for "-O" command`,
		"-w any host":   "Tunnel device forwarding (-w) is not supported.",
	} {
		inv, err := testInvocation(t, line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if p, err := choosePlan(inv); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v", line, p, err)
		}
	}
}

// TestRefusedLikeSSH checks that what cannot work is refused before a connection is
// made, in ssh's words.
func TestRefusedLikeSSH(t *testing.T) {
	// There is no server: an invocation that is not refused fails otherwise. The
	// first line is read, so that the client does not write to a closed pipe.
	base := []string{"-F", "none", "-o", "ProxyCommand=sh -c 'head -n 1 >/dev/null'", "-o", "LogLevel=ERROR"}
	for _, args := range []string{
		"-oRemoteCommand=a host b", "-s -oRemoteCommand=a host", "-s host", "-f host", "-oForkAfterAuthentication=yes host",
		"-oSessionType=subsystem host", "-N -s host", "bad;user@host", "bad|user@host", "-l bad`user host", "bad;host", "-oUser=-x host",
		"user@", "@host", "ssh://host:0", "ssh://host:x", "ssh://", "-J a;b host", "-J ;@b host",
	} {
		all := append(append([]string{}, base...), strings.Fields(args)...)
		got, want := runMain(t, "ssh", all...), runSSH(t, all...)
		if got.status != want.status || comparableText(got.stderr) != comparableText(want.stderr) {
			t.Errorf("%s: status %d, %q; want %d, %q", args, got.status, got.stderr, want.status, want.stderr)
		}
	}
}

// TestDemoTouchesNothing checks that the demonstration works without a terminal and
// leaves no files.
func TestDemoTouchesNothing(t *testing.T) {
	home, tmp := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("TMPDIR", tmp)
	t.Setenv("SHELL", "/bin/sh")
	if _, err := exec.LookPath("/bin/sh"); err != nil {
		t.Skip("there is no /bin/sh")
	}
	o := runMain(t, "gossh", "--demo")
	if o.status != 0 || !strings.Contains(o.stdout, "hello from the other side\n") ||
		!strings.Contains(o.stdout, "what is typed here comes back\n") || !strings.Contains(o.stdout, "exit status 3") {
		t.Errorf("%+v", o)
	}
	for _, dir := range []string{home, tmp} {
		err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
			if name != dir {
				t.Errorf("left behind: %s", name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestReconnects checks what Reconnect applies to.
func TestReconnects(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*invocation)
		yes     bool
		forever bool // with always
	}{
		"-N": {func(p *invocation) { p.cfg.SessionType = sshconfig.SessionNone }, true, true},
		"-f -N": {func(p *invocation) {
			p.cfg.SessionType = sshconfig.SessionNone
			p.cfg.ForkAfterAuthentication = true
		}, true, true},
		"RemoteCommand":  {func(p *invocation) { p.cfg.RemoteCommand = "tmux" }, true, true},
		"shell, no tty":  {func(p *invocation) {}, false, true},
		"shell, -tt":     {func(p *invocation) { p.cfg.RequestTTY = sshconfig.RequestTTYForce }, true, true},
		"command":        {func(p *invocation) { p.flags.command = "deploy" }, false, true},
		"command -tt":    {func(p *invocation) { p.flags.command = "deploy"; p.cfg.RequestTTY = sshconfig.RequestTTYForce }, false, true},
		"-f":             {func(p *invocation) { p.cfg.RemoteCommand = "tmux"; p.cfg.ForkAfterAuthentication = true }, false, false},
		"-s":             {func(p *invocation) { p.flags.command = "sftp"; p.cfg.SessionType = sshconfig.SessionSubsystem }, false, false},
		"-W":             {func(p *invocation) { p.cfg.StdioForward.Host = "db" }, false, false},
		"ProxyCommand -": {func(p *invocation) { p.cfg.ProxyCommand = "-"; p.cfg.RemoteCommand = "tmux" }, false, false},
		"master":         {func(p *invocation) { p.master = true; p.flags.command = "deploy" }, true, true},
		"master of -W":   {func(p *invocation) { p.master = true; p.cfg.StdioForward.Host = "db" }, true, true},
		"master over -":  {func(p *invocation) { p.master = true; p.cfg.ProxyCommand = "-" }, false, false},
	} {
		for mode, want := range map[sshconfig.Reconnect]bool{
			sshconfig.ReconnectNo: false, sshconfig.ReconnectYes: test.yes, sshconfig.ReconnectAlways: test.forever,
		} {
			p := &invocation{environment: environment{cfg: new(sshconfig.Config)}, flags: new(flags)}
			p.cfg.Own.Reconnect = mode
			test.change(p)
			if got := p.reconnects(); got != want {
				t.Errorf("%s, Reconnect %s: %v", name, mode, got)
			}
		}
	}
}
