package sshconfig

import (
	"math"
	"net/netip"
	"testing"

	"github.com/gossh-project/gossh/internal/pattern"
)

func TestParseTime(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"90", 90, true}, {"1m", 60, true}, {"1h30m", 5400, true}, {"2W", 1209600, true},
		{"1d1h1m1s", 90061, true}, {"1h5", 3605, true}, {"1m1m", 120, true},
		{"1.5", 1, true}, {".5s", 0, true}, {"1m2.9s", 62, true}, {"+7", 0, false}, {"1h 5", 0, false}, {"5s5", 0, false},
		{"1.", 0, false}, {".", 0, false}, {"1.2.3", 0, false}, {"1e3", 0, false}, {"0x1", 0, false},
		{"2147483647", math.MaxInt32, true}, {"2147483648", 0, false}, {"3551w", 0, false}, {"2147483647s1", 0, false},
		{"", 0, false}, {"m", 0, false}, {"5x", 0, false}, {"-1", 0, false}, {"1h-1", 0, false}, {"1.5h", 0, false},
		{"99999999999999999999999", 0, false},
	} {
		if got, ok := parseTime(tt.in); ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseTime(%q) = %d, %v, want %d, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestParseScaled(t *testing.T) {
	for _, tt := range []struct {
		in      string
		want    int64
		problem bool
	}{
		{"0", 0, false}, {"16", 16, false}, {"1k", 1024, false}, {"1.5K", 1536, false}, {"1G", 1 << 30, false},
		{"2T", 2 << 40, false}, {"1e", 1 << 60, false}, {"17B", 17, false}, {"1.9", 1, false}, {".5K", 512, false},
		{"-1K", -1024, false}, {"-.5K", -512, false}, {"+4", 4, false}, {"", 0, false}, {" 8", 8, false},
		{"8E", 0, true}, {"5x", 0, true}, {"1KB", 0, true}, {"1.2.3K", 0, true}, {"--1", 0, true}, {"+-1", 0, true},
		{"99999999999999999999999", 0, true}, {"9999999999G", 0, true}, {"1K ", 1024, false},
		{"0.00000000000000000000001K", 0, false},
	} {
		if got, problem := parseScaled(tt.in); (problem != "") != tt.problem || problem == "" && got != tt.want {
			t.Errorf("parseScaled(%q) = %d, %q, want %d, %v", tt.in, got, problem, tt.want, tt.problem)
		}
	}
}

func TestStrtol(t *testing.T) {
	for _, tt := range []struct {
		in   string
		base int
		want int64
		rest string
		ok   bool
	}{
		{"10", 0, 10, "", true}, {"010", 0, 8, "", true}, {"0x1F", 0, 31, "", true}, {"0x", 0, 0, "x", true},
		{"08", 0, 0, "8", true}, {" -5z", 10, -5, "z", true}, {"", 10, 0, "", false}, {"-", 10, 0, "-", false},
		{"99999999999999999999", 10, math.MaxInt64, "", true}, {"777", 8, 511, "", true},
	} {
		got, rest, ok := strtol(tt.in, tt.base)
		if got != tt.want || rest != tt.rest || ok != tt.ok {
			t.Errorf("strtol(%q, %d) = %d, %q, %v", tt.in, tt.base, got, rest, ok)
		}
	}
}

func TestParseIPv4(t *testing.T) {
	for in, want := range map[string]string{
		"1.2.3.4": "1.2.3.4", "127.1": "127.0.0.1", "1.2.3": "1.2.0.3", "2130706433": "127.0.0.1",
		"0x7f.1": "127.0.0.1", "0x0a000001": "10.0.0.1", "010.1": "8.0.0.1", "1.2.65535": "1.2.255.255",
		"1.2.3.4.5": "", "256.1": "", "1.2.65536": "", "": "", "a": "", "1.": "", "1..2": "", "-1": "", "+1": "",
		" 1.2.3.4": "", "4294967296": "",
	} {
		got, ok := parseIPv4(in)
		if ok != (want != "") || ok && got != netip.MustParseAddr(want) {
			t.Errorf("parseIPv4(%q) = %v, %v, want %q", in, got, ok, want)
		}
	}
}

func TestMatchList(t *testing.T) {
	for _, tt := range []struct {
		s, list string
		want    listMatch
	}{
		{"alpha", "alpha", matched}, {"alpha", "beta", noMatch}, {"alpha", "*", matched}, {"alpha", "a*a", matched},
		{"alpha", "?lph?", matched}, {"alpha", "?alpha", noMatch}, {"alpha", "a**", matched}, {"alpha", "!alpha,*", negated},
		{"alpha", "*,!alpha", negated}, {"alpha", "!beta", noMatch}, {"alpha", "!beta,*", matched}, {"", "", noMatch},
		{"", "*", matched}, {"alpha", "beta,,alpha", matched}, {"", ",", matched}, {"aab", "*ab", matched},
		{"alpha", "ALPHA", noMatch}, {"a", "*?*", matched}, {"", "?", noMatch},
	} {
		if got := matchList(tt.s, tt.list, false); got != tt.want {
			t.Errorf("matchList(%q, %q) = %v, want %v", tt.s, tt.list, got, tt.want)
		}
	}
	if !matchHost("ALPHA", "Alpha") {
		t.Error("host names match in any case")
	}
	// A pattern that would take exponential time with naive backtracking.
	if pattern.Match(string(make([]byte, 4000)), "*a*a*a*a*a*a*a*a*a*a*a*a*b") {
		t.Error("matched")
	}
}

func TestFnmatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.conf", "a.conf", true}, {"*.conf", "a.con", false}, {"a?c", "abc", true}, {"[a-c]x", "bx", true},
		{"[a-c]x", "dx", false}, {"[!a-c]x", "dx", true}, {"[^a-c]x", "bx", false}, {"[]]x", "]x", true},
		{"[a", "[a", true}, {`\*`, "*", true}, {`\*`, "a", false}, {"a*b*c", "aXbYc", true}, {"[a-]", "-", true},
		{`[\]]`, "]", true}, {"", "", true}, {"*", "", true}, {"?", "", false},
	} {
		if got := fnmatch(tt.pattern, tt.name); got != tt.want {
			t.Errorf("fnmatch(%q, %q) = %v", tt.pattern, tt.name, got)
		}
	}
}

func TestVisible(t *testing.T) {
	for c, want := range map[int64]string{
		'~': "~", 1: `\^A`, 0: `\^@`, 0x7f: `\^?`, ' ': `\040`, '\\': `\\`, 0xe9: `\M-i`, 0x80: `\M^@`, 0xa0: `\240`,
		int64(EscapeNone): "none",
	} {
		if got := visible(c); got != want {
			t.Errorf("visible(%d) = %q, want %q", c, got, want)
		}
	}
	if got := visibleText("a\\b\x01é\t"); got != `a\\b\001\303\251`+"\t" {
		t.Errorf("visibleText: %q", got)
	}
}

func TestParseNetwork(t *testing.T) {
	for _, in := range []string{"10.0.0.0/8", "::1", "fe80::/10", "1.2.3.4"} {
		if _, problem := parseNetwork(in); problem != "" {
			t.Errorf("%q: %s", in, problem)
		}
	}
	for _, in := range []string{"", "10.0.0.1/8", "x", "10.0.0.0/33"} {
		if _, problem := parseNetwork(in); problem == "" {
			t.Errorf("%q is no network", in)
		}
	}
}
