// Command testreport runs go test with its arguments, prints what go test
// prints, and ends with a list of the tests that were skipped and why.
package main

import (
	"fmt"
	"os"
	"os/exec"
)

func main() { os.Exit(run(os.Args[1:])) }

// run returns the exit status of go test.
func run(args []string) int {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		return 2
	}
	r := newReport(os.Stdout)
	readErr := r.read(events)
	err = cmd.Wait()
	r.printSkipped()
	switch {
	case readErr != nil:
		fmt.Fprintln(os.Stderr, "testreport:", readErr)
		return 2
	case cmd.ProcessState == nil:
		fmt.Fprintln(os.Stderr, "testreport:", err)
		return 2
	case err != nil:
		return max(cmd.ProcessState.ExitCode(), 1)
	}
	return 0
}
