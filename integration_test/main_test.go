//go:build linux

package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gossh-project/gossh/internal/testenv"
)

// gosshPath is the program under test, binDir the folder of it and of a symlink
// to it named ssh, and raceDir that of reports of the race detector. TestMain
// sets them.
var gosshPath, binDir, raceDir string

func TestMain(m *testing.M) { os.Exit(mainTest(m)) }

func mainTest(m *testing.M) int {
	testenv.HeedSignals()
	dir, err := os.MkdirTemp("", "gossh-it-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binDir, raceDir = filepath.Join(dir, "bin"), filepath.Join(dir, "race")
	gosshPath = filepath.Join(binDir, "gossh")
	for _, d := range []string{binDir, raceDir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	args := []string{"build", "-o", gosshPath}
	if raceEnabled {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "../cmd/gossh")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build gossh:", err)
		return 1
	}
	if err := os.Symlink("gossh", filepath.Join(binDir, "ssh")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status := m.Run()
	return max(status, reportRaces())
}

// reportRaces prints what the race detector of any of the processes wrote.
func reportRaces() int {
	reports, _ := filepath.Glob(filepath.Join(raceDir, "*"))
	for _, name := range reports {
		text, _ := os.ReadFile(name)
		fmt.Fprintf(os.Stderr, "a race in gossh:\n%s\n", text)
	}
	return min(len(reports), 1)
}
