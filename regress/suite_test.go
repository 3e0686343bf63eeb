//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWithoutPAM: the line of Debian's driver goes, and nothing else.
func TestWithoutPAM(t *testing.T) {
	driver := filepath.Join(t.TempDir(), "test-exec.sh")
	for text, want := range map[string]string{
		"cat <<EOF\n\tSubsystem\tsftp\n\tUsePAM\t\t\tyes\nEOF\n": "cat <<EOF\n\tSubsystem\tsftp\n\tUsePAM no\nEOF\n",
		"\t#UsePAM yes\n\techo UsePAM yes\n":                     "\t#UsePAM yes\n\techo UsePAM yes\n",
	} {
		if err := os.WriteFile(driver, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := withoutPAM(driver); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(driver); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
