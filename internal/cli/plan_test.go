package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// TestPlanLikeSSH: what cannot work is refused before anything is connected,
// in ssh's words.
func TestPlanLikeSSH(t *testing.T) {
	// Nobody answers there: an invocation that is not refused shows it. The
	// first line is taken, lest a client meet a pipe that is closed already.
	base := []string{"-F", "none", "-o", "ProxyCommand=sh -c 'head -n 1 >/dev/null'", "-o", "LogLevel=ERROR"}
	for _, args := range []string{
		"-oRemoteCommand=a host b", "-s -oRemoteCommand=a host", "-s host", "-f host", "-oForkAfterAuthentication=yes host",
		"-oSessionType=subsystem host", "-N -s host", "bad;user@host", "bad|user@host", "-l bad`user host", "bad;host", "-oUser=-x host",
		"user@", "@host", "ssh://host:0", "ssh://host:x", "ssh://", "-J a;b host", "-J ;@b host",
	} {
		all := append(append([]string{}, base...), strings.Fields(args)...)
		got, want := runMain(t, "ssh", all...), runSSH(t, all...)
		if got.status != want.status || saidAlike(got.stderr) != saidAlike(want.stderr) {
			t.Errorf("%s: status %d, %q; want %d, %q", args, got.status, got.stderr, want.status, want.stderr)
		}
	}
}

// TestMatchesAny holds SendEnv to the patterns of ssh_config(5), in which * and
// ? alone mean something.
func TestMatchesAny(t *testing.T) {
	for _, test := range []struct {
		pattern string
		yes, no []string
	}{
		{"LANG", []string{"LANG"}, []string{"LANGUAGE", "lang", "XLANG", ""}},
		{"LC_*", []string{"LC_", "LC_ALL", "LC_A_B"}, []string{"LC", "XLC_ALL"}},
		{"*", []string{"", "A", "a b"}, nil},
		{"A?C", []string{"ABC", "A?C"}, []string{"AC", "ABBC"}},
		{"*_X", []string{"_X", "A_X", "_X_X"}, []string{"_XY"}},
		{"A*B*C", []string{"ABC", "AxBxC"}, []string{"AxC"}},
		{"[AB]", []string{"[AB]"}, []string{"A", "B"}},
		{"A-Z", []string{"A-Z"}, []string{"B"}},
		{`A\*`, []string{`A\`, `A\x`}, []string{"A*"}},
		{"a/b*", []string{"a/b/c"}, nil},
		{"?", []string{"A"}, []string{"", "AB"}},
	} {
		for _, name := range test.yes {
			if !matchesAny([]string{"none", test.pattern}, name) {
				t.Errorf("%q does not match %q", test.pattern, name)
			}
		}
		for _, name := range test.no {
			if matchesAny([]string{test.pattern}, name) {
				t.Errorf("%q matches %q", test.pattern, name)
			}
		}
	}
}

// TestMatchesAnyLong: no pattern takes longer than its length times the name's.
func TestMatchesAnyLong(t *testing.T) {
	if matchesAny([]string{strings.Repeat("a*", 40) + "b"}, strings.Repeat("a", 4000)) {
		t.Error("matches")
	}
}

func TestSentEnvironment(t *testing.T) {
	p, _ := newProgram(sshconfig.LogInfo)
	p.cfg.SendEnv = []string{"LC_*", "LANG"}
	p.cfg.SetEnv = []sshconfig.EnvVar{{Name: "LANG", Value: "C"}, {Name: "X", Value: ""}}
	got := p.sentEnvironment([]string{"LANG=de", "LC_ALL=a=b", "HOME=/x", "LC_EMPTY=", "=LC_C:=x", "LC_NONE"})
	want := []session.EnvVar{{Name: "LANG", Value: "de"}, {Name: "LC_ALL", Value: "a=b"}, {Name: "LC_EMPTY"}, {Name: "LANG", Value: "C"}, {Name: "X"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestDemoTouchesNothing: the demonstration works without a terminal, and leaves nothing.
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
