package task

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// TestMatchesAny checks the patterns of ssh_config(5), in which only * and ? are
// special.
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

// TestMatchesAnyLong checks that the time of a match is bounded by the product of
// the lengths.
func TestMatchesAnyLong(t *testing.T) {
	if matchesAny([]string{strings.Repeat("a*", 40) + "b"}, strings.Repeat("a", 4000)) {
		t.Error("matches")
	}
}

func TestSentEnvironment(t *testing.T) {
	cfg := new(sshconfig.Config)
	cfg.SendEnv = []string{"LC_*", "LANG"}
	cfg.SetEnv = []sshconfig.EnvVar{{Name: "LANG", Value: "C"}, {Name: "X", Value: ""}}
	got := Environment(cfg, []string{"LANG=de", "LC_ALL=a=b", "HOME=/x", "LC_EMPTY=", "=LC_C:=x", "LC_NONE"})
	want := []session.EnvVar{{Name: "LANG", Value: "de"}, {Name: "LC_ALL", Value: "a=b"}, {Name: "LC_EMPTY"}, {Name: "LANG", Value: "C"}, {Name: "X"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
