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
	"slices"
	"strings"
	"time"
)

// suite is one prepared copy of the suite and the client that it tests.
type suite struct {
	temp     string // everything below it is ours to remove
	template string // the suite's files and one set of keys, copied for each test
	client   string
	openssh  openSSH // the programs at the other end
	self     string  // this program, for the supervisors
}

// newSuite copies the suite from dir and has its driver make the keys, once:
// it takes those that it finds. The folder dir is an installed suite or a built
// tree of OpenSSH.
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
	openssh, err := findOpenSSH(dir)
	if err != nil {
		return nil, err
	}
	// Sockets below it must have short paths.
	temp, err := os.MkdirTemp("", "regress")
	if err != nil {
		return nil, err
	}
	s := &suite{temp: temp, template: filepath.Join(temp, "suite"), client: client, openssh: openssh, self: self}
	err = s.limitKeyExchanges(ctx)
	if err == nil {
		err = s.linkClient()
	}
	if err == nil {
		err = s.prepare(ctx)
	}
	if err != nil {
		os.RemoveAll(temp)
		return nil, err
	}
	return s, nil
}

// limitKeyExchanges puts a script in the client's place if the client lists key
// exchanges that the suite's sshd does not know. The suite configures in the
// server whatever the client lists, as if both were of one build; the script
// leaves out what this sshd would reject, and changes nothing else.
func (s *suite) limitKeyExchanges(ctx context.Context) error {
	ours, err := exec.CommandContext(ctx, s.client, "-Q", "kex").Output()
	if err != nil {
		return fmt.Errorf("%s -Q kex: %w", s.client, err)
	}
	reference, err := s.openssh.ssh()
	if err != nil {
		return err
	}
	theirs, err := exec.CommandContext(ctx, reference, "-Q", "kex").Output()
	if err != nil {
		return fmt.Errorf("%s -Q kex: %w", reference, err)
	}
	known := strings.Fields(string(theirs))
	unknown := func(name string) bool { return !slices.Contains(known, name) }
	if !slices.ContainsFunc(strings.Fields(string(ours)), unknown) {
		return nil
	}
	wrapper := filepath.Join(s.temp, "ssh")
	script := fmt.Sprintf(`#!/bin/sh
case "$*" in
"-Q kex" | -E*" -Q kex") '%[3]s' -Q kex >%[2]s.$$; '%[1]s' "$@" | grep -xF -f %[2]s.$$; rm -f %[2]s.$$;;
*) exec '%[1]s' "$@";;
esac
`, s.client, wrapper, reference)
	s.client = wrapper
	return os.WriteFile(wrapper, []byte(script), 0o755)
}

// linkClient makes a folder in which the client is called ssh. It goes first in
// PATH: some tests ask "ssh -Q" what the client knows.
func (s *suite) linkClient() error {
	bin := s.clientFolder()
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	return os.Symlink(s.client, filepath.Join(bin, "ssh"))
}

func (s *suite) clientFolder() string { return filepath.Join(s.temp, "bin") }

func (s *suite) prepare(ctx context.Context) error {
	// The servers give up root for a user who must pass through here.
	if err := os.Chmod(s.temp, 0o755); err != nil {
		return err
	}
	if err := copyTree(ctx, s.openssh.tests, s.template); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(s.template, "unittests")); err != nil {
		return err
	}
	driver := filepath.Join(s.template, "test-exec.sh")
	if err := withoutStartupFiles(driver); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		if err := withoutPAM(driver); err != nil {
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

// withoutStartupFiles has the driver give sessions an empty home folder: the
// tests kill shells at any time, and what a start-up file was doing then can
// hold up later ones. sshd takes its first SetEnv alone, so that the driver's own
// one replaces it, and envpass, which tests SetEnv, has none.
func withoutStartupFiles(driver string) error {
	text, err := os.ReadFile(driver)
	if err != nil {
		return err
	}
	config := regexp.MustCompile(`(?ms)^cat <<\s*EOF\s*>\s*\$OBJ/sshd_config$.*?^EOF$`)
	loc := config.FindIndex(text)
	if loc == nil {
		return fmt.Errorf("%s does not write sshd_config as expected", driver)
	}
	const home = `
mkdir -p "$OBJ/home"
case "$SCRIPT" in
*/envpass.sh) ;;
*) echo "	SetEnv HOME='$OBJ/home'" >>$OBJ/sshd_config ;;
esac`
	path := regexp.MustCompile(`(?m)echo "\tSetEnv PATH='\$PATH_WITH_SCP'" >>\s*(\S+)`)
	before := path.ReplaceAll(text[:loc[0]], []byte(
		`sed -i -e "/SetEnv HOME=/d" ${1}; echo "	SetEnv PATH='$$PATH_WITH_SCP' HOME='$$OBJ/home'" >>${1}`))
	return os.WriteFile(driver, slices.Concat(before, text[loc[0]:loc[1]], []byte(home), text[loc[1]:]), 0o644)
}

func copyTree(ctx context.Context, from, to string) error {
	out, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return nil
}

// environment is what the tests see: that of Debian's own run-tests, or that of
// the tree's own make tests.
func (s *suite) environment(obj string, port int) []string {
	env := []string{
		"TMPDIR=" + filepath.Join(obj, "tmp"),
		"OBJ=" + obj,
		"TEST_SHELL=sh",
		"TEST_SSH_SSH=" + s.client,
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
	return append(env, s.openssh.environment(obj, s.clientFolder())...)
}

// has reports whether the suite has the test: each version adds some.
func (s *suite) has(t test) bool {
	_, err := os.Stat(filepath.Join(s.template, t.name+".sh"))
	return err == nil
}
