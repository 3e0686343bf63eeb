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
	fixedPorts bool   // it uses 3300 to 3399, as others do
	long       bool   // only with -all
	expected   string // why it is known to fail; "" if it is not
}

// chosenTests are those named, or all of tests.txt, in its order.
func chosenTests(names []string, all bool) ([]test, error) {
	tests, err := parseTests(testsText, expectedText)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(tests, func(t test) bool { return t.name == name }) {
			return nil, fmt.Errorf("no such test: %s", name)
		}
	}
	return slices.DeleteFunc(tests, func(t test) bool {
		if len(names) > 0 {
			return !slices.Contains(names, t.name)
		}
		return t.long && !all
	}), nil
}

// parseTests reads the two lists; an expected failure must be of a test.
func parseTests(tests, expected string) ([]test, error) {
	reasons := make(map[string]string)
	for line := range dataLines(expected) {
		name, reason, _ := strings.Cut(line, " ")
		if reasons[name] = strings.TrimSpace(reason); reasons[name] == "" {
			return nil, fmt.Errorf("expected-failures.txt: %s: no reason given", name)
		}
	}
	var parsed []test
	for line := range dataLines(tests) {
		t, err := parseTest(strings.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("tests.txt: %q: %w", line, err)
		}
		t.expected = reasons[t.name]
		delete(reasons, t.name)
		t.number = len(parsed) + 1
		parsed = append(parsed, t)
	}
	for name := range reasons {
		return nil, fmt.Errorf("expected-failures.txt: %s: no such test", name)
	}
	return parsed, nil
}

// parseTest reads NAME SECONDS STEPS [ports] [long].
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
			line = strings.TrimSpace(line)
			if line != "" && line[0] != '#' && !yield(line) {
				return
			}
		}
	}
}
