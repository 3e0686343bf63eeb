//go:build linux || darwin || freebsd

package terminal

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/gossh-project/gossh/internal/testenv"
)

// TestMain is also the entry of the programs that the tests run on a terminal
// of their own; see helper_test.go.
func TestMain(m *testing.M) {
	if name := os.Getenv(helperVariable); name != "" {
		os.Exit(runHelper(name))
	}
	testenv.HeedSignals()
	// os/signal keeps its own goroutine for the life of the process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("os/signal.signal_recv"))
}
