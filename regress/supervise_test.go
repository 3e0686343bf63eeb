//go:build linux

package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == superviseCommand {
		os.Exit(supervise(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

// TestSupervise: a process that leaves the session and the parent is found, whether
// the test ended, ran out of time or was abandoned.
func TestSupervise(t *testing.T) {
	const daemon = "(setsid sleep 600 & echo $!); "
	for _, tt := range []struct {
		name, script, limit string
		abandon             bool
		status              int
	}{
		{"status", daemon + "exit 3", "1m", false, 3},
		{"signal", daemon + "kill -9 $$", "1m", false, 128 + 9},
		{"time limit", daemon + "sleep 600", "100ms", false, exitTimeout},
		{"abandoned", daemon + "sleep 600", "1m", true, exitBroken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], superviseCommand, tt.limit, "sh", "-c", tt.script)
			lifeline, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			cmd.Stdout = &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if tt.abandon {
				lifeline.Close()
			}
			began := time.Now()
			cmd.Wait()
			if status := cmd.ProcessState.ExitCode(); status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			first, _, _ := strings.Cut(out.String(), "\n")
			pid, err := strconv.Atoi(first)
			if err != nil && !tt.abandon { // which may come before the daemon
				t.Fatalf("output %q", out.String())
			}
			if err == nil && syscall.Kill(pid, 0) == nil {
				t.Errorf("process %d is left", pid)
			}
		})
	}
}
