package message

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gossh-project/gossh/sshconfig"
)

func TestConsoleLevels(t *testing.T) {
	for _, test := range []struct {
		level sshconfig.LogLevel
		want  string
	}{
		{sshconfig.LogQuiet, "W"}, // its moment had another level
		{sshconfig.LogFatal, "FW"},
		{sshconfig.LogError, "FEW"},
		{sshconfig.LogInfo, "FEWI"},
		{sshconfig.LogVerbose, "FEWIV"},
		{sshconfig.LogDebug1, "FEWIVd"},
		{sshconfig.LogDebug3, "FEWIVd"},
	} {
		var b bytes.Buffer
		c := NewConsole(&b)
		c.SetLevel(test.level)
		c.Fatalf("F")
		c.Errorf("E")
		c.ConfigLine(sshconfig.Problem{Text: "W", Level: sshconfig.LogError})
		c.Infof("I")
		c.Printf(sshconfig.LogVerbose, "V")
		c.Printf(sshconfig.LogDebug1, "d")
		if got := strings.ReplaceAll(b.String(), "\r\n", ""); got != test.want {
			t.Errorf("%v: %q, want %q", test.level, got, test.want)
		}
		if want := 2*len(test.want) + len(test.want); b.Len() != want {
			t.Errorf("%v: lines do not end in \\r\\n: %q", test.level, b.String())
		}
	}
}

func TestConsoleLogger(t *testing.T) {
	log := func(level sshconfig.LogLevel) string {
		var b bytes.Buffer
		c := NewConsole(&b)
		c.SetLevel(level)
		l := c.Logger()
		l.Error("e")
		l.Warn("w")
		l.Info("i", "k", "v")
		l.Debug("one", "n", 1)
		l.Log(context.Background(), slog.LevelDebug-1, "two")
		l.Log(context.Background(), slog.LevelDebug-2, "three")
		return strings.ReplaceAll(b.String(), "\r\n", "|")
	}
	for level, want := range map[sshconfig.LogLevel]string{
		sshconfig.LogQuiet:  "",
		sshconfig.LogError:  "e|",
		sshconfig.LogInfo:   "e|w|i k=v|",
		sshconfig.LogDebug1: "e|w|i k=v|debug1: one n=1|",
		sshconfig.LogDebug2: "e|w|i k=v|debug1: one n=1|debug2: two|",
		sshconfig.LogDebug3: "e|w|i k=v|debug1: one n=1|debug2: two|debug3: three|",
	} {
		if got := log(level); got != want {
			t.Errorf("%v: %q, want %q", level, got, want)
		}
	}
}

// TestPrintable checks that text from others cannot control the terminal.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain text":              "plain text",
		"tab\tand\nlines\r\nkept": "tab\tand\nlines\r\nkept",
		"\x1b[2Jgone":             `\033[2Jgone`,
		"\a\b\x7f\x00":            `\007\010\177\000`,
		"\u009b2J":                `\302\2332J`, // CSI in UTF-8
		"naïve":                   `na\303\257ve`,
		"\xff":                    `\377`,
		`back\slash`:              `back\slash`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzPrintable checks that neither control characters nor other bytes than ASCII
// pass.
func FuzzPrintable(f *testing.F) {
	f.Add("\x1b]0;title\a")
	f.Add("\u009b\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		for i, ch := range []byte(Printable(s)) {
			if ch >= 0x7f || ch < 0x20 && ch != '\n' && ch != '\t' && ch != '\r' {
				t.Fatalf("%q: byte %d is %#x", s, i, ch)
			}
		}
	})
}

// TestLogText checks that backslashes are doubled as in ssh's log.
func TestLogText(t *testing.T) {
	var b bytes.Buffer
	NewConsole(&b).Errorf("Could not resolve hostname %s", "a\\b\x1b")
	if got, want := b.String(), `Could not resolve hostname a\\b\033`+"\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBannerText(t *testing.T) {
	for text, want := range map[string]string{
		"Welcome\r\n\tübung\n":    "Welcome\r\n\tübung\n",
		"\x1b[31mred\x1b[0m":      `\033[31mred\033[0m`,
		"\u009b31mred \x7f\a":     `\302\23331mred \177\007`,
		"not UTF-8: \xff\xfe end": `not UTF-8: \377\376 end`,
		"\x9b31m in ISO 8859-1":   `\23331m in ISO 8859-1`,
		"":                        "",
	} {
		if got := Banner(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestConsoleFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	c := NewConsole(&stderr)
	if err := c.ToFile(name); err != nil {
		t.Fatal(err)
	}
	c.Infof("after")
	c.Raw("a server's banner\n")
	c.w.(*os.File).Close()
	text, _ := os.ReadFile(name)
	if string(text) != "before\nafter\r\n" || stderr.String() != "a server's banner\n" {
		t.Errorf("%q, and on stderr %q", text, stderr.String())
	}
	err := NewConsole(&stderr).ToFile(filepath.Join(name, "no"))
	if err == nil || !strings.HasPrefix(err.Error(), "Couldn't open logfile "+name+"/no: ") {
		t.Errorf("got %v", err)
	}
}

// TestConsoleTogether prints while the level changes (~v), for the race detector.
func TestConsoleTogether(t *testing.T) {
	var b bytes.Buffer
	c := NewConsole(&b)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 50 {
				c.SetLevel(sshconfig.LogInfo + sshconfig.LogLevel(i%2))
				c.Infof("line %d", i)
				c.Raw("raw\r\n")
				c.Level()
			}
		})
	}
	all.Wait()
	for line := range strings.Lines(b.String()) {
		if len(line) != len("line 0\r\n") && line != "raw\r\n" {
			t.Errorf("%q", line)
		}
	}
}
