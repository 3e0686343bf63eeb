//go:build linux

package main

import (
	"strings"
	"testing"
)

func TestLists(t *testing.T) {
	tests, err := chosenTests(nil, true, false)
	if err != nil {
		t.Fatal(err)
	}
	short, err := chosenTests(nil, false, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(short) == 0 || len(short) >= len(tests) {
		t.Errorf("%d tests, %d without the long ones", len(tests), len(short))
	}
	strict, err := chosenTests([]string{"cert-hostkey"}, false, true)
	if err != nil || len(strict) != 1 || strict[0].expected != nil || strict[0].noSecurityKeys {
		t.Errorf("with allowances: %+v, %v", strict, err)
	}
	some, err := chosenTests([]string{"scp", "connect"}, false, false)
	if err != nil || len(some) != 2 || some[0].name != "connect" {
		t.Errorf("got %+v, %v", some, err)
	}
	if _, err := chosenTests([]string{"no-such-test"}, false, false); err == nil {
		t.Error("a test that is not there was chosen")
	}
}

func TestParseTests(t *testing.T) {
	for text, want := range map[string]string{ // tests | expected failures: error
		"a 1 1 ports long no-sk\n# c\n\n b 2 3": "",
		"a 1 1|a why\n\tthis\n":                 "",
		"a 1":                                   "want NAME SECONDS STEPS",
		"a x 1":                                 "invalid syntax",
		"a 1 x":                                 "invalid syntax",
		"a 1 1 sideways":                        "unknown word",
		"a 1 1|a":                               "no reason given",
		"a 1 1|b why":                           "no such test",
		"a 1 1|\tthis":                          "is of no test",
	} {
		tests, expected, _ := strings.Cut(text, "|")
		_, err := parseTests(tests, expected)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestExpectation(t *testing.T) {
	known, err := parseExpectations("a why\n\texactly this\n\tand this...\nb why\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name       string
		complaints []string
		want       bool
	}{
		{"a", []string{"exactly this"}, true},
		{"a", []string{"and this, 3 of 4", "exactly this", "and this"}, true},
		{"a", []string{"exactly this, too"}, false},
		{"a", []string{"exactly this", "that"}, false},
		{"a", nil, false},
		{"b", []string{"anything"}, false},
		{"c", []string{"exactly this"}, false},
	} {
		if got := known[tt.name].covers(tt.complaints); got != tt.want {
			t.Errorf("%s covers %q: %v", tt.name, tt.complaints, got)
		}
	}
}

func TestJudge(t *testing.T) {
	for output, want := range map[string]outcome{
		"one\ntwo\nok test\n":   passed,
		"ok test\n":             failed, // too little
		"SKIPPED: not today\n":  skipped,
		"one\ntwo\nSKIPPED: x ": skipped,
	} {
		r := result{test: test{steps: 3}, outcome: failed}
		r.judge(nil, output, nil)
		if r.outcome != want {
			t.Errorf("%q: %s, want %s", output, r.outcome, want)
		}
	}
}
