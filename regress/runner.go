//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The ports of the tests: each needs up to portSpan in a row.
const (
	firstPort = 4242
	portSpan  = 10
)

// outcome is the result of a test.
type outcome string

const (
	passed  outcome = "ok"
	failed  outcome = "FAILED"
	skipped outcome = "skipped"
)

type result struct {
	test    test
	outcome outcome
	took    time.Duration
	steps   int    // lines that the test printed
	reason  string // of a failure or of being skipped
	known   bool   // a failure that was expected, and nothing more
}

// runAll runs the tests, jobs at a time, the longest first, and returns their
// results in the order of tests.
func (s *suite) runAll(ctx context.Context, tests []test, jobs int) []result {
	results := make([]result, len(tests))
	order := make(chan int, len(tests))
	for _, i := range longestFirst(tests) {
		order <- i
	}
	close(order)
	var fixed sync.Mutex
	var wg sync.WaitGroup
	for worker := range jobs {
		wg.Go(func() {
			for i := range order {
				if ctx.Err() != nil {
					return
				}
				if tests[i].fixedPorts {
					fixed.Lock()
				}
				results[i] = s.runOne(ctx, tests[i], firstPort+100*worker)
				if tests[i].fixedPorts {
					fixed.Unlock()
				}
				fmt.Printf("%-8s %s\n", results[i].outcome, tests[i].name)
			}
		})
	}
	wg.Wait()
	return results
}

// longestFirst orders the tests by their limits, which are about in
// proportion to what they take.
func longestFirst(tests []test) []int {
	order := make([]int, len(tests))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tests[b].limit, tests[a].limit) })
	return order
}

// runOne runs a test in a new folder, named by its number in tests.txt. The
// tests filter configuration files by words such as hostkey, which must not be
// in the path.
func (s *suite) runOne(ctx context.Context, t test, port int) result {
	obj := filepath.Join(s.temp, fmt.Sprintf("t%02d", t.number))
	if err := copyTree(ctx, s.template, obj); err != nil {
		return result{test: t, outcome: failed, reason: err.Error()}
	}
	if t.noSecurityKeys {
		// By this provider the driver knows whether OpenSSH was built with them.
		if err := os.RemoveAll(filepath.Join(obj, "misc", "sk-dummy")); err != nil {
			return result{test: t, outcome: failed, reason: err.Error()}
		}
	}
	return s.runIn(ctx, t, obj, port)
}

// runIn runs one test in the folder obj, below a supervisor that ends with the
// pipe to it.
func (s *suite) runIn(ctx context.Context, t test, obj string, port int) result {
	r := result{test: t, outcome: failed}
	if err := os.MkdirAll(filepath.Join(obj, "tmp"), 0o755); err != nil {
		r.reason = err.Error()
		return r
	}
	script := filepath.Join(obj, t.name+".sh")
	cmd := exec.CommandContext(ctx, s.self, superviseCommand, t.limit.String(),
		"sh", filepath.Join(obj, "test-exec.sh"), obj, script)
	cmd.Dir = obj
	cmd.Env = s.environment(obj, freePorts(port))
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		r.reason = err.Error()
		return r
	}
	cmd.Cancel = lifeline.Close
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	began := time.Now()
	err = cmd.Run()
	r.took = time.Since(began)
	os.WriteFile(filepath.Join(obj, "output"), output.Bytes(), 0o644)
	r.judge(err, output.String(), complaints(obj))
	return r
}

// complaints returns the failures that the driver has logged.
func complaints(obj string) []string {
	log, _ := os.ReadFile(filepath.Join(obj, "failed-regress.log"))
	var out []string
	for line := range strings.Lines(string(log)) {
		for _, mark := range []string{"FAIL: ", "FATAL: "} {
			text, ok := strings.CutPrefix(strings.TrimSpace(line), mark)
			if ok && !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

// judge sets the outcome from the exit status, the output and the complaints.
func (r *result) judge(err error, output string, complaints []string) {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	r.steps = len(lines)
	switch {
	case err != nil:
		last := lines[max(0, len(lines)-3):]
		if len(complaints) > 0 && !strings.HasPrefix(lines[len(lines)-1], timeLimit) {
			last = complaints[:min(len(complaints), 8)]
			r.known = r.test.expected.covers(complaints)
		}
		r.reason = tail(last)
	case strings.HasPrefix(lines[len(lines)-1], "SKIPPED"):
		r.outcome, r.reason = skipped, lines[len(lines)-1]
	case r.steps < r.test.steps:
		r.reason = fmt.Sprintf("only %d of %d steps: has the client no algorithm to try?", r.steps, r.test.steps)
	default:
		r.outcome = passed
	}
}

// tail joins lines, each cut to the width of the table.
func tail(lines []string) string {
	const width = 160
	short := make([]string, len(lines))
	for i, line := range lines {
		short[i] = strings.ToValidUTF8(line[:min(len(line), width)], "?")
	}
	return strings.Join(short, "\n")
}

// freePorts returns the first of several ports in a row on which nothing
// listens. The tests take no listener, so another program may still take them.
func freePorts(port int) int {
	for ; port < 30000; port += portSpan {
		if portsFree(port) {
			break
		}
	}
	return port
}

func portsFree(first int) bool {
	for port := first; port < first+portSpan; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
