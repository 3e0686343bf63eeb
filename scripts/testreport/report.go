package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json; see go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// testName names a test, or a package where test is empty.
type testName struct{ pkg, test string }

// report turns events into the output of go test without -v.
type report struct {
	out     io.Writer
	output  map[testName][]string // of what has not ended yet
	order   map[string][]string   // the tests of a package that have output, in their order
	skipped map[string][]testName // by reason
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: make(map[testName][]string), order: make(map[string][]string), skipped: make(map[string][]testName)}
}

// read prints the events until their end. Lines that are no events are printed
// as they are.
func (r *report) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
			r.add(e)
		} else {
			io.WriteString(r.out, line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	name := testName{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		io.WriteString(r.out, e.Output)
	case "output":
		if _, known := r.output[name]; !known {
			r.order[e.Package] = append(r.order[e.Package], e.Test)
		}
		r.output[name] = append(r.output[name], e.Output)
	case "pass", "skip":
		if e.Test == "" {
			r.endPackage(e.Package, false)
			return
		}
		if e.Action == "skip" {
			reason := skipReason(r.output[name])
			r.skipped[reason] = append(r.skipped[reason], name)
		}
		r.output[name] = nil
	case "fail":
		if e.Test == "" {
			r.endPackage(e.Package, true)
		}
	}
}

// endPackage prints what is left of a package's output: that of failed tests
// and of tests without an end, then the package's own.
func (r *report) endPackage(pkg string, failed bool) {
	for _, test := range r.order[pkg] {
		name := testName{pkg, test}
		if test != "" && failed {
			r.print(r.output[name])
		}
		if test != "" {
			delete(r.output, name)
		}
	}
	r.print(r.output[testName{pkg, ""}])
	delete(r.output, testName{pkg, ""})
	delete(r.order, pkg)
}

// print leaves out the lines that go test prints with -v alone.
func (r *report) print(lines []string) {
	for _, line := range lines {
		if !strings.HasPrefix(line, "=== ") && line != "PASS\n" {
			io.WriteString(r.out, line)
		}
	}
}

// skipReason returns the message of the call that skipped a test: the last one
// of its output.
func skipReason(lines []string) string {
	place := regexp.MustCompile(`^\s*[\w.-]+\.go:\d+: `) // as testing puts it before a message
	reason := "no reason given"
	for _, line := range lines {
		if loc := place.FindStringIndex(line); loc != nil {
			reason = strings.TrimSpace(strings.TrimPrefix(line[loc[1]:], "SKIPPED: "))
		}
	}
	return reason
}

// printSkipped prints the tests that were skipped, by reason, the most frequent
// first.
func (r *report) printSkipped() {
	if len(r.skipped) == 0 {
		fmt.Fprintln(r.out, "no test was skipped")
		return
	}
	count := 0
	var reasons []string
	for reason, tests := range r.skipped {
		count += len(tests)
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		if n := len(r.skipped[b]) - len(r.skipped[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	fmt.Fprintf(r.out, "%d skipped:\n", count)
	for _, reason := range reasons {
		fmt.Fprintf(r.out, "  %s\n", reason)
		for _, line := range bySubtests(r.skipped[reason]) {
			fmt.Fprintf(r.out, "    %s\n", line)
		}
	}
}

// bySubtests returns a line for each test, and one for all subtests of a test.
func bySubtests(tests []testName) (lines []string) {
	subtests := make(map[testName]int)
	for _, t := range tests {
		if top, _, sub := strings.Cut(t.test, "/"); sub {
			subtests[testName{t.pkg, top}]++
		}
	}
	for _, t := range tests {
		top, _, sub := strings.Cut(t.test, "/")
		switch n := subtests[testName{t.pkg, top}]; {
		case !sub || n == 1:
			lines = append(lines, t.pkg+" "+t.test)
		case n > 1:
			lines = append(lines, fmt.Sprintf("%s %s (%d subtests)", t.pkg, top, n))
			subtests[testName{t.pkg, top}] = 0
		}
	}
	return lines
}
