package keyhelper

import (
	"slices"
	"sync"
	"testing"

	"os"

	"go.uber.org/goleak"
)

// fakeMode names the variable that turns the test binary into a helper.
const fakeMode = "KEYHELPER_TEST_MODE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(fakeMode); mode != "" {
		os.Exit(fakeHelper(mode))
	}
	goleak.VerifyTestMain(m)
}

// needHelper skips the test where OpenSSH's helper is not installed.
func needHelper(t *testing.T, program string) {
	t.Helper()
	if _, err := find(program); err != nil {
		t.Skip(err)
	}
}

// useFake makes both helpers this test binary, in a mode of fakeHelper.
func useFake(t *testing.T, mode string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSH_SK_HELPER", self)
	t.Setenv("SSH_PKCS11_HELPER", self)
	t.Setenv(fakeMode, mode)
}

// testLog collects a helper's lines.
type testLog struct {
	t    *testing.T
	mu   sync.Mutex
	kept []string
}

func newTestLog(t *testing.T) *testLog { return &testLog{t: t} }

func (l *testLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, line)
}

func (l *testLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.kept)
}

func (l *testLog) mustBeEmpty() {
	l.t.Helper()
	if lines := l.lines(); len(lines) > 0 {
		l.t.Errorf("the helper said %q", lines)
	}
}
