package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// SoftHSM is a PKCS#11 token in files.
type SoftHSM struct {
	Module string // the library for PKCS11Provider
	Config string // the configuration file, to which SOFTHSM2_CONF must point
	PIN    string

	tb    testing.TB
	label string
	keys  int
}

// NewSoftHSM initialises a token in a directory of the test. It skips the test
// if SoftHSM or pkcs11-tool is not installed.
func NewSoftHSM(tb testing.TB, label, pin string) *SoftHSM {
	tb.Helper()
	h := &SoftHSM{tb: tb, label: label, PIN: pin}
	for _, path := range []string{
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(path); err == nil && h.Module == "" {
			h.Module = path
		}
	}
	for _, tool := range []string{"softhsm2-util", "pkcs11-tool"} {
		if _, err := exec.LookPath(tool); err != nil || h.Module == "" {
			tb.Skip("no SoftHSM with pkcs11-tool")
		}
	}
	dir := tb.TempDir()
	h.Config = filepath.Join(dir, "softhsm2.conf")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", dir)
	if err := os.WriteFile(h.Config, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	h.run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", pin+"0000")
	return h
}

// GenerateKey generates a key pair on the token, of a type of pkcs11-tool, such
// as rsa:2048 or EC:prime256v1.
func (h *SoftHSM) GenerateKey(kind, label string) {
	h.tb.Helper()
	h.keys++
	h.run("pkcs11-tool", "--module", h.Module, "--token-label", h.label, "--login", "--pin", h.PIN,
		"--keypairgen", "--key-type", kind, "--label", label, "--id", fmt.Sprintf("%02x", h.keys), "--usage-sign")
}

// PublicKeys returns the public keys of the token, as ssh-keygen lists them:
// lines of authorized_keys.
func (h *SoftHSM) PublicKeys() []string {
	h.tb.Helper()
	out, err := h.command("ssh-keygen", "-D", h.Module).Output()
	if err != nil {
		h.tb.Skipf("ssh-keygen lists no PKCS#11 keys: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func (h *SoftHSM) command(tool string, args ...string) *exec.Cmd {
	cmd := exec.Command(tool, args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+h.Config)
	return cmd
}

func (h *SoftHSM) run(tool string, args ...string) {
	h.tb.Helper()
	if out, err := h.command(tool, args...).CombinedOutput(); err != nil {
		h.tb.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, out)
	}
}
