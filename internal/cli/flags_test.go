package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
)

func TestParseFlags(t *testing.T) {
	for _, test := range []struct {
		args string // separated by |
		want string
	}{
		{"host", "host"},
		{"host|uname|-a", "host cmd=uname -a"},
		{"host|a  b||c", "host cmd=a  b  c"},
		{"-v|host", "host -v"},
		{"-vvv|host", "host -v -v -v"},
		{"-qv|host", "host -q -v"},
		{"-4Cp2222|host", "host -4 -C -p=2222"},
		{"-p|2222|host", "host -p=2222"},
		{"-4Cp|2222|host", "host -4 -C -p=2222"},
		{"-p|-1|host", "host -p=-1"},
		{"-l|--|host", "host -l=--"},
		{"-ofoo=bar|host", "host -o=foo=bar"},
		{"-o|foo bar|host", "host -o=foo bar"},
		{"host|-p|22|-v", "host -p=22 -v"},
		{"host|-p|22|cmd|-v", "host -p=22 cmd=cmd -v"},
		{"-v|host|-v|-q|cmd", "host -v -v -q cmd=cmd"},
		{"host|--|-v|x", "host cmd=-v x"},
		{"--|host|-v|x", "host cmd=-v x"},
		{"--|-v", "-v"},
		{"-v|--|host|--|x", "host -v cmd=-- x"},
		{"host|-", "host cmd=-"},
		{"-|x", "- cmd=x"},
		{"host||", "host cmd= "},
		{"-F|cfg|-Elog|-O|check|-Gy|host", "host F=cfg E=log O=check G y"},
		{"-V|-Z|host", "V"}, // nothing behind it is looked at
		{"-Zv|host", "host -v Z"},
		{"-Gv|host|-vVp", "host -v -v G V"},
		{"-Q|cipher|-Q|x", "Q=cipher"},
		{"-E||-F||", "F= E="},
		{"-O|check|-O|exit|host", "Multiplexing command already specified"},
		{"-W|a:1|-O|exit|host", "Cannot specify multiplexing command with -W"},
		{"-O|exit|-W|a:1|host", "Cannot specify stdio forward with -O"},
		{"-2|host", "host"},
		{"", ""},
		{"--demo", "demo"},
		{"host|--demo", "unknown option -- -"},
		{"-U|host", "unknown option -- U"},
		{"-vU|host", "unknown option -- U"},
		{"host|-U", "unknown option -- U"},
		{"-p", "option requires an argument -- p"},
		{"host|-vp", "option requires an argument -- p"},
		{"me@host|-l|you", "me@host -l=me -l=you"},
		{"-p|1|ssh://me@host:22|-p|3", "ssh://me@host:22 -p=1 -l=me -p=22 -p=3"},
		{"-O|bogus|host", "Invalid multiplex command."},
		{"-1|host", "SSH protocol v.1 is no longer supported"},
	} {
		t.Run(test.args, func(t *testing.T) {
			var args []string
			if test.args != "" {
				args = strings.Split(test.args, "|")
			}
			f, err := parseFlags(args)
			if err != nil {
				if err.Error() != test.want {
					t.Errorf("got %q, want %q", err, test.want)
				}
				return
			}
			if got := flagsText(f); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// flagsText returns flags as text.
func flagsText(f *flags) string {
	text := f.host
	for _, d := range f.directives {
		text += " -" + directiveText(d)
	}
	if f.command != "" {
		text += " cmd=" + f.command
	}
	for _, v := range []struct {
		name  string
		value *string
	}{{"F", f.configFile}, {"E", f.logFile}, {"Q", f.query}} {
		if v.value != nil {
			text += " " + v.name + "=" + *v.value
		}
	}
	if f.control != "" {
		text += " O=" + f.control
	}
	for _, v := range []struct {
		name string
		set  bool
	}{{"G", f.dump}, {"Z", f.listKeys}, {"V", f.version}, {"y", f.syslog}, {"demo", f.demo}} {
		if v.set {
			text += " " + v.name
		}
	}
	return strings.TrimPrefix(text, " ")
}

func directiveText(d sshconfig.Directive) string {
	if d.Value == "" {
		return string(d.Flag)
	}
	return string(d.Flag) + "=" + d.Value
}

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{{"-U"}, {"-p"}} {
		if _, err := parseFlags(args); !errors.Is(err, message.ErrUsage) {
			t.Errorf("%q: %v is not about the usage", args, err)
		}
	}
}

// TestFlagsLikeSSH compares the configuration of a command line with the real
// ssh's.
func TestFlagsLikeSSH(t *testing.T) {
	none := []string{"-F", "none", "-G"}
	for _, args := range []string{
		"host", "user@host", "a@b@host", "ssh://u@host:99", "-p 2 ssh://host:99", "ssh://host:99 -p 2",
		"-4CTp2222 host", "-p 2222 host", "host -p 2222", "-p 1 host -p 2", "-l me you@host", "you@host -l me",
		"-oPort=7 host", "-o Port=7 -p 8 host", "-p 8 -o Port=7 host", "-ocompression=yes host -4", "-o user=x host cmd -4",
		"-vv host", "-q host", "-qv host", "-vq host", "-vvvvv host", "host -v -v", "-v -o LogLevel=ERROR host",
		"-A -a host", "-a -A host", "-X host", "-Y host", "-x -X host", "-t host", "-tt host", "-T host", "-Tt host",
		"-N host", "-s host sub", "-n host", "-f host x", "-g host", "-k host", "-K host", "-M host", "-MM host", "-MMM host",
		"-i /a -i /b host", "-J a,b:3,c@d host", "-J none host", "-L 1:a:2 -R 3:b:4 -D 5 host", "-W a:1 host",
		"-e none host", "-e ^B host", "-e x host", "-c aes128-ctr host", "-m hmac-sha2-256 host", "-S /tmp/x host", "-S none host",
		"-b 127.0.0.1 host", "-B lo host", "-I x host", "-w any host", "-w 1:2 host", "-E /dev/null host", "-y host", "-2 host",
		"-- host", "-4 -- host -6", "host -- cmd -4", "-O check host",
		// Wrong ones.
		"", "-U host", "host -U", "-p", "host -p", "-p 0 host", "-p x host", "-p 65536 host", "-1 host", "-c none host", "-m x host",
		"-o Bogus=1 host", "-o Bogus host", "-e xy host", "-L x host", "-R x host", "-D x host", "-W x host", "-w x host", "-J @ host", "@host",
		"-- -host", "-l -x host", "-O bogus host", "-s host", "-Q bogus", "-b",
	} {
		t.Run(args, func(t *testing.T) {
			all := append(append([]string{}, none...), strings.Fields(args)...)
			got, want := runMain(t, "ssh", all...), runSSH(t, all...)
			if got.status != want.status {
				t.Errorf("status %d, want %d", got.status, want.status)
			}
			if lines := difference(got.stdout, want.stdout); len(lines) > 0 {
				t.Errorf("different: %q", lines)
			}
			if got, want := comparableText(got.stderr), comparableText(want.stderr); got != want {
				t.Errorf("said %q, want %q", got, want)
			}
		})
	}
}

// difference returns the lines that only one of two dumps has. It ignores what the
// programs differ in on purpose: their algorithms, and defaults.
func difference(got, want string) (lines []string) {
	has := map[string]int{}
	for l := range strings.Lines(got) {
		has[l]++
	}
	for l := range strings.Lines(want) {
		has[l]--
	}
	for l, n := range has {
		keyword, _, _ := strings.Cut(l, " ")
		switch keyword {
		case "ciphers", "kexalgorithms", "macs", "serveraliveinterval", "serveralivecountmax":
			continue
		}
		switch strings.TrimSuffix(l, "\n") {
		case "warnweakcrypto yes", "obscurekeystroketiming yes", "channeltimeout none", "revokedhostkeys none",
			"ipqos ef cs0", "ipqos lowdelay throughput", "loglevel SILENT", "loglevel QUIET",
			"identityfile ~/.ssh/id_mldsa44_ed25519", "identityfile ~/.ssh/id_xmss", "identityfile ~/.ssh/id_dsa":
			continue // defaults and names of OpenSSH 10 and of those before it
		}
		if n != 0 {
			lines = append(lines, fmt.Sprintf("%+d %s", n, strings.TrimSuffix(l, "\n")))
		}
	}
	return lines
}

// comparableText returns the output without what the programs print about themselves:
// the usage, the version, and the lines of -v.
func comparableText(text string) string {
	text, usage, found := strings.Cut(text, "usage: ")
	if found && strings.Contains(usage, "[command") {
		text += "usage"
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "OpenSSH_") && !strings.HasPrefix(line, "gossh_") && !strings.HasPrefix(line, "debug") {
			b.WriteString(line)
		}
	}
	return b.String()
}
