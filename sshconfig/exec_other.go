//go:build !unix

package sshconfig

import "os"

// executable reports why a file cannot be executed.
func executable(name string) error {
	_, err := os.Stat(name)
	return err
}
