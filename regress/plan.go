//go:build linux

package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	//go:embed tests.txt
	testsText string
	//go:embed expected-failures.txt
	expectedText string
)

// test is one line of tests.txt.
type test struct {
	name   string
	number int // of its line
	limit  time.Duration
	// steps is how many lines the test prints at least when it does its work:
	// a loop over an empty list of algorithms passes too, and proves nothing.
	steps      int
	fixedPorts bool // it uses 3300 to 3399, as others do
	long       bool // only with -all
	// noSecurityKeys: as for an OpenSSH that was built without them.
	noSecurityKeys bool
	expected       *expectation // of failure; nil if it must pass
}

// expectation is a known failure: its reason, and all complaints that the test
// may have. "..." stands for any end of a line. Other complaints make it an
// unexpected failure.
type expectation struct {
	reason     string
	complaints []string
}

// covers reports whether all complaints are known ones.
func (e *expectation) covers(complaints []string) bool {
	if e == nil || len(complaints) == 0 {
		return false
	}
	for _, c := range complaints {
		same := func(known string) bool {
			start, open := strings.CutSuffix(known, "...")
			return c == start || open && strings.HasPrefix(c, start)
		}
		if !slices.ContainsFunc(e.complaints, same) {
			return false
		}
	}
	return true
}

// chosenTests returns the named tests, or all of tests.txt, in its order. With
// strict set it makes no allowances for gossh.
func chosenTests(names []string, all, strict bool) ([]test, error) {
	tests, err := parseTests(testsText, expectedText)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(tests, func(t test) bool { return t.name == name }) {
			return nil, fmt.Errorf("no such test: %s", name)
		}
	}
	for i := range tests {
		if strict {
			tests[i].noSecurityKeys, tests[i].expected = false, nil
		}
	}
	return slices.DeleteFunc(tests, func(t test) bool {
		if len(names) > 0 {
			return !slices.Contains(names, t.name)
		}
		return t.long && !all
	}), nil
}

// parseExpectations reads expected-failures.txt: NAME REASON, and below it,
// indented, what the test complains of.
func parseExpectations(text string) (map[string]*expectation, error) {
	known := make(map[string]*expectation)
	var last *expectation
	for line := range dataLines(text) {
		if complaint := strings.TrimLeft(line, "\t "); complaint != line {
			if last == nil {
				return nil, fmt.Errorf("expected-failures.txt: %q is of no test", complaint)
			}
			last.complaints = append(last.complaints, complaint)
			continue
		}
		name, reason, _ := strings.Cut(line, " ")
		if reason == "" {
			return nil, fmt.Errorf("expected-failures.txt: %s: no reason given", name)
		}
		last = &expectation{reason: reason}
		known[name] = last
	}
	return known, nil
}

// parseTests parses the two lists. Each expected failure has to be of a test.
func parseTests(tests, expected string) ([]test, error) {
	known, err := parseExpectations(expected)
	if err != nil {
		return nil, err
	}
	var parsed []test
	for line := range dataLines(tests) {
		t, err := parseTest(strings.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("tests.txt: %q: %w", line, err)
		}
		t.expected = known[t.name]
		delete(known, t.name)
		t.number = len(parsed) + 1
		parsed = append(parsed, t)
	}
	for name := range known {
		return nil, fmt.Errorf("expected-failures.txt: %s: no such test", name)
	}
	return parsed, nil
}

// parseTest reads NAME SECONDS STEPS [ports] [long] [no-sk].
func parseTest(fields []string) (test, error) {
	if len(fields) < 3 {
		return test{}, fmt.Errorf("want NAME SECONDS STEPS")
	}
	seconds, err := strconv.Atoi(fields[1])
	if err != nil {
		return test{}, err
	}
	steps, err := strconv.Atoi(fields[2])
	if err != nil {
		return test{}, err
	}
	t := test{name: fields[0], limit: time.Duration(seconds) * time.Second, steps: steps}
	for _, word := range fields[3:] {
		switch word {
		case "ports":
			t.fixedPorts = true
		case "long":
			t.long = true
		case "no-sk":
			t.noSecurityKeys = true
		default:
			return test{}, fmt.Errorf("unknown word %s", word)
		}
	}
	return t, nil
}

// dataLines yields the lines that are neither empty nor comments.
func dataLines(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, " \t\r\n")
			if line != "" && line[0] != '#' && !yield(line) {
				return
			}
		}
	}
}
