package mux_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/gossh-project/gossh/internal/testenv"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(helperVariable); name != "" {
		os.Exit(runHelper(name, os.Args[1:]))
	}
	testenv.HeedSignals()
	goleak.VerifyTestMain(m)
}
