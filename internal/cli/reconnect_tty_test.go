package cli

import (
	"os"
	"testing"

	"github.com/gossh-project/gossh/sshconfig"
)

// TestFitted: as much as fits on a line, and what can be done last of all.
func TestFitted(t *testing.T) {
	for columns, want := range map[int]string{
		100: "Connection to web-1 lost (closed): attempt 1 in 9 s [~.: end]",
		61:  "web-1 lost (closed): attempt 1 in 9 s [~.: end]",
		45:  "Lost (closed): attempt 1 in 9 s [~.: end]",
		40:  "web-1 lost: attempt 1 in 9 s [~.: end]",
		20:  "Lost: attempt 1 in ",
		1:   "",
		0:   "",
	} {
		if got := fitted(columns, "web-1", "closed", "attempt 1 in 9 s", "~.: end"); got != want {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}

func TestRepeats(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*program)
		yes     bool
		forever bool // with always
	}{
		"-N": {func(p *program) { p.cfg.SessionType = sshconfig.SessionNone }, true, true},
		"-f -N": {func(p *program) {
			p.cfg.SessionType = sshconfig.SessionNone
			p.cfg.ForkAfterAuthentication = true
		}, true, true},
		"RemoteCommand":  {func(p *program) { p.cfg.RemoteCommand = "tmux" }, true, true},
		"shell, no tty":  {func(p *program) {}, false, true},
		"shell, -tt":     {func(p *program) { p.cfg.RequestTTY = sshconfig.RequestTTYForce }, true, true},
		"command":        {func(p *program) { p.flags.command = "deploy" }, false, true},
		"command -tt":    {func(p *program) { p.flags.command = "deploy"; p.cfg.RequestTTY = sshconfig.RequestTTYForce }, false, true},
		"-f":             {func(p *program) { p.cfg.RemoteCommand = "tmux"; p.cfg.ForkAfterAuthentication = true }, false, false},
		"-s":             {func(p *program) { p.flags.command = "sftp"; p.cfg.SessionType = sshconfig.SessionSubsystem }, false, false},
		"-W":             {func(p *program) { p.cfg.StdioForward.Host = "db" }, false, false},
		"ProxyCommand -": {func(p *program) { p.cfg.ProxyCommand = "-"; p.cfg.RemoteCommand = "tmux" }, false, false},
		"master":         {func(p *program) { p.master = true; p.flags.command = "deploy" }, true, true},
		"master of -W":   {func(p *program) { p.master = true; p.cfg.StdioForward.Host = "db" }, true, true},
		"master over -":  {func(p *program) { p.master = true; p.cfg.ProxyCommand = "-" }, false, false},
	} {
		for mode, want := range map[sshconfig.Reconnect]bool{
			sshconfig.ReconnectNo: false, sshconfig.ReconnectYes: test.yes, sshconfig.ReconnectAlways: test.forever,
		} {
			null, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			p := &program{flags: new(flags), cfg: new(sshconfig.Config), std: Std{Stdin: null}}
			p.cfg.Own.Reconnect = mode
			test.change(p)
			if got := p.repeats(); got != want {
				t.Errorf("%s, Reconnect %s: %v", name, mode, got)
			}
			null.Close()
		}
	}
}
