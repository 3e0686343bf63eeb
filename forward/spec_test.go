package forward

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// specCase is one argument of -L, -R, -D or -W. want "" means that it does not
// parse. differs means that `ssh -G` must not be asked, because gossh is
// stricter there on purpose.
type specCase struct {
	kind    Kind
	in      string
	want    Spec
	config  string // ConfigArgs
	differs bool
}

func tcp(host string, port int) Addr { return Addr{Host: host, Port: port} }
func port(n int) Addr                { return Addr{Port: n} }
func empty(n int) Addr               { return Addr{EmptyHost: true, Port: n} }
func sock(path string) Addr          { return Addr{Socket: path} }

var specCases = []specCase{
	// The forms of the manual page.
	{kind: Local, in: "8080:h:80", want: Spec{Local, port(8080), tcp("h", 80)}, config: "8080 [h]:80"},
	{kind: Local, in: "b:8080:h:80", want: Spec{Local, tcp("b", 8080), tcp("h", 80)}, config: "[b]:8080 [h]:80"},
	{kind: Local, in: "[::1]:8080:[fe80::1]:80", want: Spec{Local, tcp("::1", 8080), tcp("fe80::1", 80)}, config: "[::1]:8080 [fe80::1]:80"},
	{kind: Local, in: "*:8080:h:80", want: Spec{Local, tcp("*", 8080), tcp("h", 80)}, config: "[*]:8080 [h]:80"},
	{kind: Local, in: ":8080:h:80", want: Spec{Local, empty(8080), tcp("h", 80)}, config: "[]:8080 [h]:80"},
	{kind: Local, in: "localhost:8080:h:80", want: Spec{Local, tcp("localhost", 8080), tcp("h", 80)}, config: "[localhost]:8080 [h]:80"},
	{kind: Local, in: "/l:h:80", want: Spec{Local, sock("/l"), tcp("h", 80)}, config: "/l [h]:80"},
	{kind: Local, in: "8080:/r", want: Spec{Local, port(8080), sock("/r")}, config: "8080 /r"},
	{kind: Local, in: "/l:/r", want: Spec{Local, sock("/l"), sock("/r")}, config: "/l /r"},
	{kind: Local, in: "b:8080:/r", want: Spec{Local, tcp("b", 8080), sock("/r")}, config: "[b]:8080 /r"},
	{kind: Local, in: ":8080:/r", want: Spec{Local, empty(8080), sock("/r")}, config: "[]:8080 /r"},
	{kind: Remote, in: "8080:h:80", want: Spec{Remote, port(8080), tcp("h", 80)}, config: "8080 [h]:80"},
	{kind: Remote, in: "0:h:80", want: Spec{Remote, port(0), tcp("h", 80)}, config: "0 [h]:80"},
	{kind: Remote, in: ":0:h:80", want: Spec{Remote, empty(0), tcp("h", 80)}, config: "[]:0 [h]:80"},
	{kind: Remote, in: "b:0:/r", want: Spec{Remote, tcp("b", 0), sock("/r")}, config: "[b]:0 /r"},
	{kind: Remote, in: "/l:/r", want: Spec{Remote, sock("/l"), sock("/r")}, config: "/l /r"},
	{kind: Remote, in: "/l:h:80", want: Spec{Remote, sock("/l"), tcp("h", 80)}, config: "/l [h]:80"},
	{kind: Remote, in: "8080:/r", want: Spec{Remote, port(8080), sock("/r")}, config: "8080 /r"},
	{kind: Remote, in: "8080", want: Spec{Kind: Remote, Listen: port(8080)}, config: "8080 [socks]:0"},
	{kind: Remote, in: "0", want: Spec{Kind: Remote}, config: "0 [socks]:0"},
	{kind: Remote, in: "b:8080", want: Spec{Kind: Remote, Listen: tcp("b", 8080)}, config: "[b]:8080 [socks]:0"},
	{kind: Remote, in: "*:8080", want: Spec{Kind: Remote, Listen: tcp("*", 8080)}, config: "[*]:8080 [socks]:0"},
	{kind: Remote, in: "/l", want: Spec{Kind: Remote, Listen: sock("/l")}, config: "/l [socks]:0"},
	{kind: Dynamic, in: "8080", want: Spec{Kind: Dynamic, Listen: port(8080)}, config: "8080"},
	{kind: Dynamic, in: "b:8080", want: Spec{Kind: Dynamic, Listen: tcp("b", 8080)}, config: "[b]:8080"},
	{kind: Dynamic, in: ":8080", want: Spec{Kind: Dynamic, Listen: empty(8080)}, config: "[]:8080"},
	{kind: Dynamic, in: "[::1]:8080", want: Spec{Kind: Dynamic, Listen: tcp("::1", 8080)}, config: "[::1]:8080"},
	{kind: Dynamic, in: "/l", want: Spec{Kind: Dynamic, Listen: sock("/l")}, config: "/l"},

	// Brackets, backslashes, blanks.
	{kind: Local, in: "[/l]:[/r]", want: Spec{Local, sock("/l"), sock("/r")}, config: "/l /r"},
	{kind: Local, in: "[/a:b]:/r", want: Spec{Local, sock("/a:b"), sock("/r")}, config: "/a:b /r"},
	{kind: Local, in: `/l\:x:/r`, want: Spec{Local, sock("/l:x"), sock("/r")}, config: "/l:x /r"},
	{kind: Local, in: `a\:b:8080:h:80`, want: Spec{Local, tcp("a:b", 8080), tcp("h", 80)}, config: "[a:b]:8080 [h]:80"},
	{kind: Local, in: `8080:h\\x:80`, want: Spec{Local, port(8080), tcp(`h\x`, 80)}, config: `8080 [h\x]:80`},
	{kind: Local, in: "8080:a[b]:80", want: Spec{Local, port(8080), tcp("a[b]", 80)}, config: "8080 [a[b]]:80"},
	{kind: Local, in: "8080:h]:80", want: Spec{Local, port(8080), tcp("h]", 80)}, config: "8080 [h]]:80"},
	{kind: Local, in: "[]:8080:h:80", want: Spec{Local, empty(8080), tcp("h", 80)}, config: "[]:8080 [h]:80"},
	{kind: Local, in: " \t8080:h:80", want: Spec{Local, port(8080), tcp("h", 80)}, config: "8080 [h]:80"},
	{kind: Local, in: "8080: h:80", want: Spec{Local, port(8080), tcp(" h", 80)}, config: "8080 [ h]:80"},
	{kind: Local, in: "8080:h: 80", want: Spec{Local, port(8080), tcp("h", 80)}, config: "8080 [h]:80"},
	{kind: Local, in: "8080::80", want: Spec{Local, port(8080), tcp("", 80)}, config: "8080 []:80"},
	{kind: Local, in: "8080:[]:80", want: Spec{Local, port(8080), tcp("", 80)}, config: "8080 []:80"},
	{kind: Local, in: "b:8080:h:80:", want: Spec{Local, tcp("b", 8080), tcp("h", 80)}, config: "[b]:8080 [h]:80"},
	{kind: Local, in: "/l:/r:", want: Spec{Local, sock("/l"), sock("/r")}, config: "/l /r"},
	{kind: Local, in: "l/x:8080:h:80", want: Spec{Local, tcp("l/x", 8080), tcp("h", 80)}, config: "[l/x]:8080 [h]:80"},
	{kind: Local, in: "/a:/b:80", want: Spec{Local, sock("/a"), tcp("/b", 80)}, config: "/a [/b]:80"},
	{kind: Remote, in: "8080:", want: Spec{Kind: Remote, Listen: port(8080)}, config: "8080 [socks]:0"},
	{kind: Dynamic, in: "/l:80", want: Spec{Kind: Dynamic, Listen: tcp("/l", 80)}, config: "[/l]:80"},
	{kind: Local, in: "8080:h:80 "},
	{kind: Local, in: `8080:h:80\`},
	{kind: Local, in: "8080:[h]x:80"},
	{kind: Local, in: "8080:[h:80"},
	{kind: Local, in: "b:8080:h:80:x"},
	{kind: Local, in: "8080:h:80:::"},

	// Ports: numbers as strtonum takes them, names of services.
	{kind: Local, in: "http:h:https", want: Spec{Local, port(80), tcp("h", 443)}, config: "80 [h]:443"},
	{kind: Dynamic, in: "b:http", want: Spec{Kind: Dynamic, Listen: tcp("b", 80)}, config: "[b]:80"},
	{kind: Local, in: "+8080:h:080", want: Spec{Local, port(8080), tcp("h", 80)}, config: "8080 [h]:80"},
	{kind: Local, in: "65535:h:1", want: Spec{Local, port(65535), tcp("h", 1)}, config: "65535 [h]:1"},
	{kind: Local, in: "65536:h:1"},
	{kind: Local, in: "8080:h:-1"},
	{kind: Local, in: "8080:h:0x50"},
	{kind: Local, in: "HTTP:h:80"},
	{kind: Local, in: "8080:h:"},
	{kind: Local, in: "0:h:80"},
	{kind: Local, in: "8080:h:0"},
	{kind: Remote, in: "8080:h:0"},
	{kind: Remote, in: "8080::0"},
	{kind: Dynamic, in: "0"},
	{kind: Dynamic, in: "b:0"},

	// Too few, too many, or the wrong ones.
	{kind: Local, in: ""}, {kind: Local, in: ":"}, {kind: Local, in: "::"}, {kind: Local, in: ":::"},
	{kind: Local, in: "8080"}, {kind: Local, in: "/l"}, {kind: Local, in: "host:8080"},
	{kind: Local, in: "a:b/c:h:80"}, {kind: Local, in: "a:/b:80"}, {kind: Local, in: "/a:b"},
	{kind: Local, in: ":/r"}, {kind: Remote, in: "a:b"}, {kind: Remote, in: "/l:b"},
	{kind: Remote, in: "8080:[h]"}, {kind: Remote, in: "a:8080:x"}, {kind: Remote, in: ""},
	{kind: Dynamic, in: "8080:h:80"}, {kind: Dynamic, in: "b:/l"}, {kind: Dynamic, in: ""},
	{kind: Local, in: "8080:" + strings.Repeat("h", 1025) + ":80"},
	{kind: Local, in: "8080:/" + strings.Repeat("h", 107)},
	{kind: Local, in: "8080:h\x00:80", differs: true},

	// OpenSSH lets these pass and makes a -L of them.
	{kind: Dynamic, in: "8080:/r", differs: true},
	{kind: Dynamic, in: "/l:/r", differs: true},

	{kind: Stdio, in: "h:80", want: Spec{Kind: Stdio, Connect: tcp("h", 80)}},
	{kind: Stdio, in: "[::1]:80", want: Spec{Kind: Stdio, Connect: tcp("::1", 80)}},
	{kind: Stdio, in: "h:http", want: Spec{Kind: Stdio, Connect: tcp("h", 80)}},
	{kind: Stdio, in: `a\:b:80`, want: Spec{Kind: Stdio, Connect: tcp("a:b", 80)}},
	{kind: Stdio, in: "/path", want: Spec{Kind: Stdio, Connect: sock("/path")}},
	{kind: Stdio, in: ":80", want: Spec{Kind: Stdio, Connect: tcp("", 80)}},
	{kind: Stdio, in: "80", differs: true}, // OpenSSH: no host, no forwarding, a shell instead
	{kind: Stdio, in: "/a:/b", differs: true},
	{kind: Stdio, in: "h"}, {kind: Stdio, in: "h:0"}, {kind: Stdio, in: "h:80:x"},
	{kind: Stdio, in: "::1:80"}, {kind: Stdio, in: ""},
}

func TestParseSpec(t *testing.T) {
	for _, c := range specCases {
		got, err := ParseSpec(c.kind, c.in)
		if c.want == (Spec{}) {
			var bad *SpecError
			if !errors.As(err, &bad) || bad.Text != c.in || bad.Kind != c.kind {
				t.Errorf("%v %q: got %+v, %v; want a SpecError", c.kind, c.in, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%v %q: got %+v, %v; want %+v", c.kind, c.in, got, err, c.want)
			continue
		}
		if c.kind != Stdio && got.ConfigArgs() != c.config {
			t.Errorf("%v %q: ConfigArgs %q, want %q", c.kind, c.in, got.ConfigArgs(), c.config)
		}
		again, err := ParseSpec(c.kind, got.String())
		if err != nil || again != got {
			t.Errorf("%v %q: String %q parses to %+v, %v", c.kind, c.in, got, again, err)
		}
	}
}

func TestSpecErrorWords(t *testing.T) {
	_, err := ParseSpec(Local, "8080")
	if got := err.Error(); got != "Bad local forwarding specification '8080'" {
		t.Error(got)
	}
	_, err = ParseStdio("h")
	if got := err.Error(); got != "Bad stdio forwarding specification 'h'" {
		t.Error(got)
	}
}

// needProgram finds a program of OpenSSH or skips the test, which CI must not.
func needProgram(t testing.TB, name string, more ...string) string {
	t.Helper()
	for _, n := range append([]string{name}, more...) {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// TestParseSpecAgainstSSH holds the table above against `ssh -G`.
func TestParseSpecAgainstSSH(t *testing.T) {
	ssh := needProgram(t, "ssh")
	flag := map[Kind]string{Local: "-L", Remote: "-R", Dynamic: "-D", Stdio: "-W"}
	for _, c := range specCases {
		if c.differs {
			continue
		}
		out, err := exec.Command(ssh, "-F", "none", "-G", flag[c.kind], c.in, "host").CombinedOutput()
		if c.want == (Spec{}) {
			want := "Bad " + c.kind.String() + " forwarding specification '" + c.in + "'\n"
			if err == nil || string(out) != want {
				t.Errorf("ssh %s %q: %v %.200q, want refusal", flag[c.kind], c.in, err, out)
			}
			continue
		}
		if err != nil {
			t.Errorf("ssh %s %q: %v %q", flag[c.kind], c.in, err, out)
			continue
		}
		line := "\n" + c.kind.String() + "forward " + c.config + "\n"
		if c.kind != Stdio && !strings.Contains(string(out), line) {
			t.Errorf("ssh -G %s %q does not print %q", flag[c.kind], c.in, line)
		}
	}
}

func TestParseConfig(t *testing.T) {
	cases := []struct {
		kind Kind
		args []string
		want Spec
	}{
		{Local, []string{"8080", "h:80"}, Spec{Local, port(8080), tcp("h", 80)}},
		{Local, []string{"b:8080", "[::1]:80"}, Spec{Local, tcp("b", 8080), tcp("::1", 80)}},
		{Local, []string{"*:8080", "/r"}, Spec{Local, tcp("*", 8080), sock("/r")}},
		{Local, []string{"/a b", "/c d"}, Spec{Local, sock("/a b"), sock("/c d")}},
		{Local, []string{"8080:h", "80"}, Spec{Local, port(8080), tcp("h", 80)}}, // one text to OpenSSH
		{Remote, []string{"8080"}, Spec{Kind: Remote, Listen: port(8080)}},
		{Remote, []string{"0", "h:80"}, Spec{Remote, port(0), tcp("h", 80)}},
		{Dynamic, []string{"*:8080"}, Spec{Kind: Dynamic, Listen: tcp("*", 8080)}},
		{Local, []string{"8080"}, Spec{}},
		{Local, []string{"8080:h:80"}, Spec{}},
		{Local, nil, Spec{}},
		{Local, []string{"8080", "h:80", "x"}, Spec{}},
		{Remote, []string{"8080:h:80"}, Spec{}},
		{Remote, []string{"b", "8080"}, Spec{}},
		{Dynamic, []string{"b", "8080"}, Spec{}},
		{Dynamic, []string{"8080", "h:80"}, Spec{}},
	}
	for _, c := range cases {
		got, err := ParseConfig(c.kind, c.args...)
		if got != c.want || (err != nil) != (c.want == Spec{}) {
			t.Errorf("%v %q: got %+v, %v; want %+v", c.kind, c.args, got, err, c.want)
		}
	}
}

func TestPermitOpen(t *testing.T) {
	cases := []struct {
		args    []string
		str     string // "" if it does not parse
		yes, no []Addr
	}{
		{nil, "any", []Addr{tcp("h", 80)}, nil},
		{[]string{"ANY"}, "any", []Addr{tcp("h", 80)}, nil},
		{[]string{"none"}, "none", nil, []Addr{tcp("h", 80)}},
		{[]string{"a:80", "b:http", "[::1]:*", "*:22"}, "a:80 b:80 [::1]:* *:22",
			[]Addr{tcp("a", 80), tcp("b", 80), tcp("::1", 7), tcp("x", 22)},
			[]Addr{tcp("a", 81), tcp("A", 80), tcp("c", 80), tcp("::2", 7)}},
		{[]string{"a*:1"}, "a*:1", []Addr{tcp("a*", 1)}, []Addr{tcp("ab", 1)}}, // no patterns
		{[]string{"*:*"}, "*:*", []Addr{tcp("a", 1)}, nil},
		{[]string{":80"}, ":80", nil, []Addr{tcp("a", 80)}},
		{[]string{"none", "a:80"}, "", nil, nil},
		{[]string{"a:80", "any"}, "", nil, nil},
		{[]string{"a"}, "", nil, nil},
		{[]string{"a:0"}, "", nil, nil},
		{[]string{"a/80"}, "", nil, nil},
		{[]string{"a:80:90"}, "", nil, nil},
		{[]string{"::1:80"}, "", nil, nil},
		{[]string{"[a:80"}, "", nil, nil},
		{[]string{"[a]80"}, "", nil, nil},
		{[]string{"[a]"}, "", nil, nil},
	}
	for _, c := range cases {
		p, err := ParsePermitOpen(c.args)
		if c.str == "" {
			var bad *PermitError
			if !errors.As(err, &bad) {
				t.Errorf("%q: got %v, %v", c.args, p, err)
			}
			continue
		}
		if err != nil || p.String() != c.str {
			t.Errorf("%q: got %v, %v", c.args, p, err)
		}
		for _, a := range c.yes {
			if !p.Allows(a.Host, a.Port) {
				t.Errorf("%q refuses %v", c.args, a)
			}
		}
		for _, a := range c.no {
			if p.Allows(a.Host, a.Port) {
				t.Errorf("%q allows %v", c.args, a)
			}
		}
	}
}

// TestPermitOpenAgainstSSH asks `ssh -G` which arguments it takes.
func TestPermitOpenAgainstSSH(t *testing.T) {
	ssh := needProgram(t, "ssh")
	for _, args := range []string{"any", "ANY", "none", "a:80 b:http [::1]:* *:22", "a*:1", ":80",
		"none a:80", "a:80 any", "a", "a:0", "a/80", "a:80:90", "::1:80", "[a:80", "[a]80", "[a]"} {
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte("PermitRemoteOpen "+args+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		theirs := exec.Command(ssh, "-F", file, "-G", "host").Run()
		if _, ours := ParsePermitOpen(strings.Fields(args)); (ours == nil) != (theirs == nil) {
			t.Errorf("%q: ours %v, ssh %v", args, ours, theirs)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, c := range specCases {
		f.Add(uint32(c.kind), c.in)
	}
	f.Fuzz(func(t *testing.T, k uint32, s string) {
		kind := Kind(k%4 + 1)
		spec, err := ParseSpec(kind, s)
		if err != nil {
			return
		}
		if spec.Kind != kind {
			t.Fatalf("%q: kind %v became %v", s, kind, spec.Kind)
		}
		again, err := ParseSpec(kind, spec.String())
		if err != nil || again != spec {
			t.Fatalf("%q parses to %+v, written %q, which parses to %+v, %v", s, spec, spec, again, err)
		}
	})
}
