package pattern

import (
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		s, p        string
		match, fold bool
	}{
		{"", "", true, true},
		{"", "*", true, true},
		{"", "**", true, true},
		{"", "?", false, false},
		{"a", "", false, false},
		{"a", "?", true, true},
		{"a", "a?", false, false},
		{"ab", "?", false, false},
		{"web-1.example.com", "*.example.com", true, true},
		{"example.com", "*.example.com", false, false},
		{"web-1", "web-?", true, true},
		{"web-10", "web-?", false, false},
		{"web-10", "web-??*", true, true},
		{"abcabd", "*abd", true, true},
		{"abcabd", "*abc", false, false},
		{"abcabd", "a*c*d", true, true},
		{"aXbXc", "*X*Xc*", true, true},
		{"a", "*?*", true, true},
		{"*", "*", true, true},
		{"[a]", "[a]", true, true}, // brackets have no meaning
		{"a", "[a]", false, false},
		{`a\`, `a\`, true, true},
		{"HOST", "host", false, true},
		{"host", "H*T", false, true},
		{"\xc3\xa9", "??", true, true}, // ? stands for a byte, not a character
		{"\xc3\xa9", "?", false, false},
		{"\xe9", "\xc9", false, false}, // only ASCII letters have a case
		{"@", "`", false, false},
		{"[", "{", false, false},
	}
	for _, tt := range tests {
		if got := Match(tt.s, tt.p); got != tt.match {
			t.Errorf("Match(%q, %q) = %v, want %v", tt.s, tt.p, got, tt.match)
		}
		if got := MatchFold(tt.s, tt.p); got != tt.fold {
			t.Errorf("MatchFold(%q, %q) = %v, want %v", tt.s, tt.p, got, tt.fold)
		}
	}
}

// TestMatchTime matches patterns that take exponential time when a matcher
// backtracks to every *. The limit is far above the quadratic time.
func TestMatchTime(t *testing.T) {
	s := strings.Repeat("a", 4000)
	patterns := map[string]string{
		"stars and letters": strings.Repeat("*a", 1000) + "b",
		"stars and ?":       strings.Repeat("*?", 1000) + "b",
		"stars alone":       strings.Repeat("*", 4000) + "b",
		"a long tail":       "*" + strings.Repeat("a", 2000) + "b",
	}
	for name, p := range patterns {
		done := make(chan bool, 1)
		go func() { done <- Match(s, p) }()
		select {
		case matched := <-done:
			if matched {
				t.Errorf("%s: matched", name)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: no result within 30 s", name)
		}
	}
}
