//go:build unix

package hostkey

import (
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// daemon is an sshd -i that ssh reaches by ProxyCommand: no port, no privileges.
type daemon struct {
	dir, config, command string
	client               ssh.Signer // may log in
	clientFile           string
}

// newDaemon makes an sshd with the host keys, and certificates for some.
func newDaemon(t *testing.T, hostKeys []ssh.Signer, certs ...*ssh.Certificate) *daemon {
	t.Helper()
	sshd := tool(t, "sshd")
	tool(t, "ssh")
	if os.Getuid() == 0 { // sshd's privilege separation directory, which a boot would make
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d := &daemon{dir: t.TempDir(), client: newSigner(t, "ed25519")}
	d.clientFile = d.save(t, "client", d.client)
	d.write(t, "authorized_keys", keyText(d.client.PublicKey())+"\n")
	var config strings.Builder
	fmt.Fprintf(&config, "UsePAM no\nStrictModes no\nPermitRootLogin yes\nPidFile none\nLogLevel ERROR\nAuthorizedKeysFile %s\n",
		filepath.Join(d.dir, "authorized_keys"))
	for i, s := range hostKeys {
		fmt.Fprintf(&config, "HostKey %s\n", d.save(t, fmt.Sprintf("host%d", i), s))
	}
	for i, c := range certs {
		fmt.Fprintf(&config, "HostCertificate %s\n", d.write(t, fmt.Sprintf("cert%d", i), keyText(c)+"\n"))
	}
	d.config = d.write(t, "sshd_config", config.String())
	d.command = sshd + " -i -f " + d.config
	return d
}

func (d *daemon) write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(d.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// save writes a private key in OpenSSH's format.
func (d *daemon) save(t *testing.T, name string, s ssh.Signer) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private(t, s), "")
	if err != nil {
		t.Fatal(err)
	}
	return d.write(t, name, string(pem.EncodeToMemory(block)))
}

// ssh runs the real client for "true" on host and returns what it says.
func (d *daemon) ssh(t *testing.T, host string, options ...string) (string, error) {
	t.Helper()
	args := []string{"-F", "none", "-o", "ProxyCommand=" + d.command, "-o", "GlobalKnownHostsFile=none",
		"-o", "IdentityFile=" + d.clientFile, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"}
	for _, o := range options {
		args = append(args, "-o", o)
	}
	cmd := exec.Command(tool(t, "ssh"), append(args, "-vvv", host, "true")...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SSH_AUTH_SOCK=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestVerdictsAgainstSSH has ssh and us judge the same files.
func TestVerdictsAgainstSSH(t *testing.T) {
	host := newSigner(t, "ed25519")
	key := host.PublicKey()
	ca := newSigner(t, "ecdsa")
	other := newKey(t, "ed25519")
	rsaKey := newKey(t, "rsa")
	cert := certify(t, key, ca, nil, "a.example.com", "other")
	wrong := certify(t, key, ca, nil, "b.example.com")
	caLine := "@cert-authority * " + keyText(ca.PublicKey()) + "\n"
	daemons := map[*ssh.Certificate]*daemon{
		nil: newDaemon(t, []ssh.Signer{host}), cert: newDaemon(t, []ssh.Signer{host}, cert),
		wrong: newDaemon(t, []ssh.Signer{host}, wrong),
	}
	strict := map[string]Strictness{"yes": StrictYes, "accept-new": StrictAcceptNew, "no": StrictNo}
	hashed, err := newHashedName(NewChecker(Options{}).opts.Rand, "[a.example.com]:2222")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, file string
		cert       *ssh.Certificate
		port       int
		alias      string
		revoked    string
	}{
		{name: "empty"},
		{name: "known", file: entryLine("a.example.com", key)},
		{name: "upper case", file: entryLine("A.EXAMPLE.com", key)},
		{name: "wildcard", file: entryLine("*.example.com", key)},
		{name: "negated", file: entryLine("*.example.com,!a.*", key)},
		{name: "changed", file: entryLine("a.example.com", other)},
		{name: "changed type", file: entryLine("a.example.com", rsaKey)},
		{name: "several", file: entryLine("a.example.com", other) + entryLine("a.example.com", key)},
		{name: "CA's key", file: "@cert-authority * " + keyText(key) + "\n"},
		{name: "revoked", file: entryLine("a.example.com", key) + "@revoked * " + keyText(key) + "\n"},
		{name: "bad line", file: "a.example.com ssh-ed25519 AAAA\n@bad\n" + entryLine("a.example.com", key)},
		{name: "no newline", file: entryLine("b", other) + "a.example.com " + keyText(key)},
		{name: "port", file: entryLine("[a.example.com]:2222", key), port: 2222},
		{name: "hashed port", file: entryLine(hashed, key), port: 2222},
		{name: "port, known without", file: entryLine("a.example.com", key), port: 2222},
		{name: "port, changed without", file: entryLine("a.example.com", other), port: 2222},
		{name: "port changed, known without", file: entryLine("[a.example.com]:2222", other) + entryLine("a.example.com", key), port: 2222},
		{name: "port, revoked without", file: "@revoked a.example.com " + keyText(key) + "\n", port: 2222},
		{name: "wildcard port", file: entryLine("[*]:2222", key), port: 2222},
		{name: "alias", file: entryLine("other", key), alias: "other", port: 2222},
		{name: "certificate", file: caLine, cert: cert},
		{name: "certificate, no CA", cert: cert},
		{name: "certificate, key known", file: entryLine("a.example.com", key), cert: cert},
		{name: "certificate, key changed", file: entryLine("a.example.com", other), cert: cert},
		{name: "certificate, CA without marker", file: entryLine("a.example.com", ca.PublicKey()), cert: cert},
		{name: "certificate for another", file: caLine, cert: wrong},
		{name: "certificate for another, key known", file: caLine + entryLine("a.example.com", key), cert: wrong},
		{name: "certificate, CA revoked", file: caLine + "@revoked * " + keyText(ca.PublicKey()) + "\n", cert: cert},
		{name: "certificate, port", file: caLine, cert: cert, port: 2222},
		{name: "certificate, CA without port", file: strings.Replace(caLine, "*", "a.example.com", 1), cert: cert, port: 2222},
		{name: "certificate, key known without port, changed with", file: entryLine("[a.example.com]:2222", other) + entryLine("a.example.com", key), cert: cert, port: 2222},
		{name: "certificate, alias", file: caLine, cert: cert, alias: "other"},
		{name: "revocation file", file: entryLine("a.example.com", key), revoked: keyText(key) + "\n"},
		{name: "revocation file of another", file: entryLine("a.example.com", key), revoked: keyText(other) + "\n"},
		{name: "bad revocation file", file: entryLine("a.example.com", key), revoked: "nonsense\n"},
		{name: "revocation file with CA", file: caLine, cert: cert, revoked: keyText(ca.PublicKey()) + "\n"},
	} {
		for mode, strictness := range strict {
			if mode == "accept-new" && strings.Contains(tt.name, " ") {
				continue // it is between the other two, and each run takes its time
			}
			t.Run(tt.name+"/"+mode, func(t *testing.T) {
				theirs, ours := write(t, tt.file), write(t, tt.file)
				options := []string{"UserKnownHostsFile=" + theirs, "StrictHostKeyChecking=" + mode, "UpdateHostKeys=no", "CheckHostIP=no"}
				o := Options{UserFiles: []string{ours}, Strict: strictness}
				if tt.port != 0 {
					options = append(options, fmt.Sprintf("Port=%d", tt.port))
				}
				if tt.alias != "" {
					options = append(options, "HostKeyAlias="+tt.alias)
				}
				if tt.revoked != "" {
					o.RevokedHostKeys = []string{write(t, tt.revoked)}
					options = append(options, "RevokedHostKeys="+o.RevokedHostKeys[0])
				}
				out, err := daemons[tt.cert].ssh(t, "A.example.com", options...)
				if err != nil && !strings.Contains(out, "Host key verification failed.") {
					t.Fatalf("ssh: %v\n%s", err, out)
				}
				shown := key
				if tt.cert != nil {
					shown = tt.cert
				}
				c := NewChecker(o)
				_, ourErr := c.Check(t.Context(), Target{Host: "A.example.com", Port: tt.port, Alias: tt.alias}, shown)
				if (ourErr == nil) != (err == nil) {
					t.Errorf("we say %v, ssh says %v\n%s", ourErr, err, out)
				}
				if got, want := read(t, ours), read(t, theirs); got != want {
					t.Errorf("file: %s", shortDiff(got, want))
				}
			})
		}
	}
}

// TestNoUserFileAgainstSSH: with nowhere to write to, ssh accepts nothing new.
func TestNoUserFileAgainstSSH(t *testing.T) {
	d := newDaemon(t, []ssh.Signer{newSigner(t, "ed25519")})
	if out, err := d.ssh(t, "a", "UserKnownHostsFile=none", "StrictHostKeyChecking=no"); err == nil {
		t.Errorf("ssh accepts an unknown host without a user file\n%s", out)
	}
}

// TestAlgorithmsAgainstSSH compares the order of the algorithms with what ssh
// -vvv sends.
func TestAlgorithmsAgainstSSH(t *testing.T) {
	d := newDaemon(t, []ssh.Signer{newSigner(t, "ed25519")})
	k := newKeys(t)
	p521 := newKey(t, "ecdsa521")
	ca := newKey(t, "ed25519")
	for _, tt := range []struct {
		name, file, option string
		isDefault          bool
		port               int
		alias              string
	}{
		{name: "empty", isDefault: true},
		{name: "favourite", file: entryLine("a", k.ed) + entryLine("a", k.rsa), isDefault: true},
		{name: "RSA", file: entryLine("a", k.rsa), isDefault: true},
		{name: "ECDSA and RSA", file: entryLine("a", k.rsa) + entryLine("a", k.ecdsa), isDefault: true},
		{name: "one curve", file: entryLine("a", p521), isDefault: true},
		{name: "CA", file: "@cert-authority a " + keyText(ca) + "\n", isDefault: true},
		{name: "CA and RSA", file: "@cert-authority * " + keyText(ca) + "\n" + entryLine("a", k.rsa), isDefault: true},
		{name: "revoked", file: "@revoked a " + keyText(k.rsa) + "\n", isDefault: true},
		{name: "known and revoked", file: entryLine("a", k.rsa) + "@revoked a " + keyText(k.rsa) + "\n", isDefault: true},
		{name: "other host", file: entryLine("b", k.rsa), isDefault: true},
		{name: "port", file: entryLine("[a]:2222", k.rsa) + entryLine("a", k.ecdsa), isDefault: true, port: 2222},
		{name: "port, known without", file: entryLine("a", k.rsa), isDefault: true, port: 2222},
		{name: "alias", file: entryLine("z", k.rsa), isDefault: true, port: 2222, alias: "z"},
		{name: "without one", file: entryLine("a", k.rsa), option: "-ssh-ed25519*", isDefault: true},
		{name: "list", file: entryLine("a", k.rsa), option: "ssh-ed25519,rsa-sha2-512"},
		{name: "head", file: entryLine("a", k.rsa), option: "^ecdsa-sha2-nistp521"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, tt.file)
			sent := func(known string) []string {
				options := []string{"UserKnownHostsFile=" + known, "StrictHostKeyChecking=yes"}
				if tt.option != "" {
					options = append(options, "HostKeyAlgorithms="+tt.option)
				}
				if tt.port != 0 {
					options = append(options, fmt.Sprintf("Port=%d", tt.port))
				}
				if tt.alias != "" {
					options = append(options, "HostKeyAlias="+tt.alias)
				}
				out, _ := d.ssh(t, "a", options...)
				_, rest, ok := strings.Cut(out, "debug2: host key algorithms: ")
				if !ok {
					t.Fatalf("ssh says nothing of its algorithms:\n%s", out)
				}
				list, _, _ := strings.Cut(rest, "\n")
				return strings.Split(strings.TrimSpace(list), ",")
			}
			// Without known hosts ssh sends its list as it is configured.
			list := sent(os.DevNull)
			c := NewChecker(Options{UserFiles: []string{file}})
			got, err := c.Algorithms(t.Context(), Target{Host: "a", Port: tt.port, Alias: tt.alias}, list, tt.isDefault)
			if err != nil {
				t.Fatal(err)
			}
			if want := sent(file); !slices.Equal(got, want) {
				t.Errorf("order: %s", shortDiff(strings.Join(got, "\n"), strings.Join(want, "\n")))
			}
		})
	}
}
