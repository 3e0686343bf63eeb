//go:build linux

// Command regress runs OpenSSH's own regression suite, Debian's package
// openssh-tests or a built tree, with another client in ssh's place:
//
//	prepare one copy of the suite -> per test: copy, supervise, judge -> table, score
//
// Each test has a folder, a port and a time limit of its own. It runs below a
// supervisor, this same program, that no process of the test can escape, so
// that nothing is left when the test is over. What is run, and what is known
// to fail and why, stands in tests.txt and expected-failures.txt.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 3 && os.Args[1] == superviseCommand {
		os.Exit(supervise(os.Args[2], os.Args[3:]))
	}
	os.Exit(run())
}

// run runs the chosen tests and returns the exit status: 0 if only tests fail
// that are known to.
func run() int {
	client := flag.String("client", "ssh", "the client to test")
	dir := flag.String("suite", "/usr/lib/openssh/regress", "where the suite is installed, or a built tree of OpenSSH")
	jobs := flag.Int("jobs", 2, "how many tests run at a time")
	all := flag.Bool("all", false, "run the long tests too")
	strict := flag.Bool("strict", false, "make none of the allowances for gossh: no-sk, and expected failures")
	keep := flag.Bool("keep", false, "keep the folders of the tests, and say where they are")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: regress [flags] [test ...]")
		flag.PrintDefaults()
	}
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	tests, err := chosenTests(flag.Args(), *all, *strict)
	if err != nil {
		return fatal(err)
	}
	s, err := newSuite(ctx, *dir, *client)
	if err != nil {
		return fatal(err)
	}
	tests = slices.DeleteFunc(tests, func(t test) bool { return !s.has(t) })
	if *keep {
		fmt.Println("the tests run, each in the folder of its number in tests.txt, in", s.temp)
	} else {
		defer os.RemoveAll(s.temp)
	}
	if os.Geteuid() != 0 && os.Getenv("SUDO") == "" {
		fmt.Println("not as root, and SUDO does not say how to be: the tests that need it are skipped")
	}
	began := time.Now()
	results := s.runAll(ctx, tests, *jobs)
	if ctx.Err() != nil {
		return fatal(context.Cause(ctx))
	}
	return report(*client, results, time.Since(began))
}

func fatal(err error) int {
	fmt.Fprintln(os.Stderr, "regress:", err)
	return 2
}

// report prints the table and the score.
func report(client string, results []result, took time.Duration) int {
	client = filepath.Base(client)
	fmt.Printf("\n%-20s %-9s %8s %6s  %s\n", "TEST", "RESULT", "SECONDS", "STEPS", "REASON")
	count := make(map[outcome]int)
	unexpected := 0
	for _, r := range results {
		count[r.outcome]++
		reason := r.reason
		switch {
		case r.known:
			reason = "expected: " + r.test.expected.reason + "\n" + reason
		case r.outcome == failed:
			unexpected++
			if r.test.expected != nil {
				reason = "not as expected:\n" + reason
			}
		case r.outcome == passed && r.test.expected != nil:
			reason = "(it was expected to fail)"
		}
		fmt.Printf("%-20s %-9s %8.1f %6d  %s\n", r.test.name, r.outcome, r.took.Seconds(), r.steps,
			strings.ReplaceAll(strings.TrimSpace(reason), "\n", "\n"+strings.Repeat(" ", 47)))
	}
	fmt.Printf("\n%s: %d of %d passed, %d failed (%d of them expected), %d skipped, in %.0f s\n", client,
		count[passed], len(results), count[failed], count[failed]-unexpected, count[skipped], took.Seconds())
	if unexpected > 0 {
		return 1
	}
	return 0
}
