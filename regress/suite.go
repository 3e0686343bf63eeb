//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// suite is one prepared copy of the suite and the client that it tests.
type suite struct {
	temp     string // everything below it is ours to remove
	template string // the suite's files and one set of keys, copied for each test
	client   string
	server   string // the folder of sftp-server
	self     string // this program, for the supervisors
}

// newSuite copies the suite from dir and has its driver make the keys, once:
// it takes those that it finds.
func newSuite(ctx context.Context, dir, client string) (*suite, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if client, err = exec.LookPath(client); err != nil {
		return nil, err
	}
	if client, err = filepath.Abs(client); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "test-exec.sh")); err != nil {
		return nil, fmt.Errorf("the suite is not installed (Debian: openssh-tests): %w", err)
	}
	// Sockets below it must have short paths.
	temp, err := os.MkdirTemp("", "regress")
	if err != nil {
		return nil, err
	}
	s := &suite{temp: temp, template: filepath.Join(temp, "suite"), client: filepath.Join(temp, "ssh"),
		server: filepath.Dir(dir), self: self}
	if err = s.wrap(client); err == nil {
		err = s.prepare(ctx, dir)
	}
	if err != nil {
		os.RemoveAll(temp)
		return nil, err
	}
	return s, nil
}

// wrap puts a script in the client's place that does one thing: the suite asks
// the client for the key exchanges that it then configures in the server, as
// if both were of one build, so it is told of those that both know.
func (s *suite) wrap(client string) error {
	script := fmt.Sprintf(`#!/bin/sh
case "$*" in
"-Q kex" | -E*" -Q kex") ssh -Q kex >%[2]s.$$; '%[1]s' "$@" | grep -xF -f %[2]s.$$; rm -f %[2]s.$$;;
*) exec '%[1]s' "$@";;
esac
`, client, s.client)
	return os.WriteFile(s.client, []byte(script), 0o755)
}

func (s *suite) prepare(ctx context.Context, dir string) error {
	// The servers give up root for a user who must pass through here.
	if err := os.Chmod(s.temp, 0o755); err != nil {
		return err
	}
	if err := copyTree(ctx, dir, s.template); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(s.template, "unittests")); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		if err := withoutPAM(filepath.Join(s.template, "test-exec.sh")); err != nil {
			return err
		}
	}
	script := filepath.Join(s.template, "prepare.sh")
	if err := os.WriteFile(script, []byte("tid=prepare\n"), 0o644); err != nil {
		return err
	}
	r := s.runIn(ctx, test{name: "prepare", limit: 2 * time.Minute}, s.template, firstPort)
	if r.outcome != passed {
		return errors.New("the suite does not start:\n" + r.reason)
	}
	return nil
}

// withoutPAM has the driver configure a server that an ordinary user can run:
// PAM's modules are for root, and complain where the client's standard error is
// what a test looks at.
func withoutPAM(driver string) error {
	text, err := os.ReadFile(driver)
	if err != nil {
		return err
	}
	usePAM := regexp.MustCompile(`(?m)^(\s*UsePAM)\s+yes$`)
	return os.WriteFile(driver, usePAM.ReplaceAll(text, []byte("$1 no")), 0o644)
}

func copyTree(ctx context.Context, from, to string) error {
	out, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return nil
}

// environment is what the tests see: that of Debian's own run-tests.
func (s *suite) environment(obj string, port int) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin",
		"TMPDIR=" + filepath.Join(obj, "tmp"),
		"OBJ=" + obj,
		"BUILDDIR=" + obj,
		"TEST_SHELL=sh",
		"TEST_SSH_SSH=" + s.client,
		"TEST_SSH_SFTPSERVER=" + filepath.Join(s.server, "sftp-server"),
		"TEST_SSH_IPV6=yes",
		"TEST_SSH_ECC=yes",
		"TEST_SSH_UNSAFE_PERMISSIONS=1",
		fmt.Sprint("TEST_SSH_PORT=", port),
	}
	for _, name := range []string{"HOME", "USER", "LOGNAME", "SHELL", "LANG", "SUDO"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
