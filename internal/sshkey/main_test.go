package sshkey

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if a goroutine is left. A key derivation that a test has given up
// ends by itself, which may take seconds on a busy machine.
func TestMain(m *testing.M) {
	code := m.Run()
	err := goleak.Find()
	for attempt := 0; err != nil && attempt < 60; attempt++ {
		err = goleak.Find() // it waits for up to two seconds
	}
	if code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
