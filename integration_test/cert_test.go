//go:build linux

package integration_test

import (
	"os"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestCertificateWithoutKey: a certificate whose private half is nowhere is
// offered like any other, and found wanting when it has to sign.
func TestCertificateWithoutKey(t *testing.T) {
	t.Parallel()
	need(t, "ssh-keygen")
	keys := newWorld(t)
	ca, key := keys.keygen("ca", "-t", "ed25519"), keys.keygen("key", "-t", "ed25519")
	w := withSSHD(t, opensshd.Options{Extra: "TrustedUserCAKeys " + ca + ".pub\nAuthorizedPrincipalsFile none\n"})
	keys.must(keys.tool("ssh-keygen", "-q", "-s", ca, "-I", "id", "-n", strings.TrimSpace(keys.must(keys.tool("id", "-un")).stdout), key+".pub"))
	cert := w.write("alone-cert.pub", keys.read("key-cert.pub"))
	config := w.configWithout("IdentityFile")
	for _, mode := range []os.FileMode{0o600, 0o644} {
		if err := os.Chmod(cert, mode); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"-o", "CertificateFile=" + cert, "-o", "IdentityFile=none"},
			{"-o", "CertificateFile=" + cert, "-i", key},
			{"-i", cert},
		} {
			run := func(program string) outcome {
				o := w.run(w.tool(program, append(append([]string{"-F", config}, args...), "sshd", "exit 3")...))
				// What is wrong with the file is OpenSSL's to say, in some builds.
				o.stderr = strings.ReplaceAll(sameWords(o.stderr), "error in libcrypto", "invalid format")
				return o
			}
			compare(t, mode.String(), run(gosshPath), run("ssh"))
		}
	}
}
