package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gossh-project/gossh/internal/testenv"
)

// patience bounds a test that hangs. It is far above what a test takes.
const patience = 30 * time.Second

// crashVariable makes this binary a program that panics; see crash_test.go.
const crashVariable = "GOSSH_CLI_CRASH"

func TestMain(m *testing.M) {
	if where := os.Getenv(crashVariable); where != "" {
		os.Exit(crash(where))
	}
	testenv.HeedSignals()
	goleak.VerifyTestMain(m)
}

// outcome is the result of a program.
type outcome struct {
	status         int
	stdout, stderr string
}

// runMain runs Main with files as descriptors and without input.
func runMain(t *testing.T, name string, args ...string) outcome {
	t.Helper()
	dir := t.TempDir()
	open := func(file string) *os.File {
		f, err := os.Create(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	std := Std{Stdin: stdin, Stdout: open("stdout"), Stderr: open("stderr")}
	status := Main(append([]string{name}, args...), std)
	read := func(f *os.File) string {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return outcome{status, read(std.Stdout), read(std.Stderr)}
}

// runSSH runs the real ssh.
func runSSH(t *testing.T, args ...string) outcome {
	t.Helper()
	var o outcome
	cmd := exec.Command(needSSH(t), args...)
	cmd.Args[0] = "ssh"
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	o.status, o.stdout, o.stderr = cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	return o
}

func needSSH(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("ssh")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("ssh is not installed")
	}
	if err != nil {
		t.Skip("ssh is not installed")
	}
	return path
}
