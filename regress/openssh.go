//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// openSSH names the programs and tests of one version of OpenSSH.
type openSSH struct {
	tests string // the folder of test-exec.sh and the tests
	tree  string // the built tree, or "" for the installed programs
}

// findOpenSSH returns the OpenSSH whose suite is in dir. That is either the
// folder of an installed suite, which runs with the installed programs, or a
// tree in which OpenSSH and the helpers of its suite were built.
func findOpenSSH(dir string) (openSSH, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return openSSH{}, err
	}
	_, err = os.Stat(filepath.Join(dir, "test-exec.sh"))
	if err == nil {
		return openSSH{tests: dir}, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return openSSH{}, err
	}
	tests := filepath.Join(dir, "regress")
	if _, err := os.Stat(filepath.Join(tests, "test-exec.sh")); err != nil {
		return openSSH{}, fmt.Errorf("%s holds no suite: neither an installed one (Debian: openssh-tests) nor a built tree", dir)
	}
	for _, built := range []string{"sshd", "regress/netcat", "regress/modpipe"} {
		if _, err := os.Stat(filepath.Join(dir, built)); err != nil {
			return openSSH{}, fmt.Errorf("%s is not built: %w (make and make regress-binaries build it)", dir, err)
		}
	}
	return openSSH{tests: tests, tree: dir}, nil
}

// ssh returns the path of this version's client.
func (o openSSH) ssh() (string, error) {
	if o.tree == "" {
		return exec.LookPath("ssh")
	}
	return filepath.Join(o.tree, "ssh"), nil
}

// environment returns the variables that tell the tests where the programs are.
// The test runs in the folder obj. The folder client goes first in PATH.
func (o openSSH) environment(obj, client string) []string {
	path := os.Getenv("PATH") + ":/usr/sbin:/sbin"
	if o.tree == "" {
		return []string{
			"PATH=" + client + ":" + path,
			"BUILDDIR=" + obj,
			"TEST_SSH_SFTPSERVER=" + filepath.Join(filepath.Dir(o.tests), "sftp-server"),
		}
	}
	env := []string{
		"PATH=" + client + ":" + o.tree + ":" + path,
		"BUILDDIR=" + o.tree,
		"TEST_SSH_MODULI_FILE=" + filepath.Join(o.tree, "moduli"),
		"OPENSSL_BIN=openssl",
	}
	for variable, program := range map[string]string{
		"SSHD": "sshd", "SSHD_SESSION": "sshd-session", "SSHD_AUTH": "sshd-auth",
		"SSHAGENT": "ssh-agent", "SSHADD": "ssh-add", "SSHKEYGEN": "ssh-keygen", "SSHKEYSCAN": "ssh-keyscan",
		"SFTP": "sftp", "SFTPSERVER": "sftp-server", "SCP": "scp",
		"PKCS11_HELPER": "ssh-pkcs11-helper", "SSHPKCS11HELPER": "ssh-pkcs11-helper", "SK_HELPER": "ssh-sk-helper",
	} {
		env = append(env, "TEST_SSH_"+variable+"="+filepath.Join(o.tree, program))
	}
	return env
}
