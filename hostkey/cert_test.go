package hostkey

import (
	"math"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

func TestCheckCertificate(t *testing.T) {
	ca, otherCA, rsaCA := newSigner(t, "ed25519"), newSigner(t, "ed25519"), newSigner(t, "rsa")
	sha1CA, err := ssh.NewSignerWithAlgorithms(rsaCA.(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSA})
	if err != nil {
		t.Fatal(err)
	}
	sha2CA, err := ssh.NewSignerWithAlgorithms(rsaCA.(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSASHA512})
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, "ed25519")
	const now = 1_000_000_000
	caLine := func(hosts string, s ssh.Signer) string {
		return "@cert-authority " + hosts + " " + keyText(s.PublicKey()) + "\n"
	}
	known := caLine("*.example.com", ca)
	plain := entryLine("a.example.com", key)
	make := func(edit func(*ssh.Certificate), principals ...string) *ssh.Certificate {
		return certify(t, key, ca, edit, principals...)
	}
	good := make(nil, "a.example.com")
	forged := *good
	forged.Serial++
	for _, tt := range []struct {
		name   string
		file   string
		cert   *ssh.Certificate
		opts   Options
		target Target
		want   string
		reason string // of CertRejected
	}{
		{name: "good", file: known, cert: good, want: "known"},
		{name: "one of several principals", file: known, cert: make(nil, "b", "a.example.com"), want: "known"},
		{name: "wildcard principal", file: known, cert: make(nil, "?.example.*"), want: "known"},
		{name: "the port is not in the principals", file: caLine("[*.example.com]:2222", ca), cert: good, target: Target{Host: "A.example.com", Port: 2222}, want: "known"},
		{name: "CA known without the port", file: known, cert: good, target: Target{Host: "a.example.com", Port: 2222}, want: "known without port"},
		{name: "alias", file: known, cert: make(nil, "z.example.com"), target: Target{Host: "x", Alias: "Z.example.com"}, want: "known"},
		{name: "RSA CA with SHA-2", file: caLine("*", sha2CA), cert: certify(t, key, sha2CA, nil, "a.example.com"), want: "known"},
		{name: "RSA CA with SHA-1", file: caLine("*", sha1CA), cert: certify(t, key, sha1CA, nil, "a.example.com"), want: "unknown", reason: "Certificate signed with disallowed algorithm"},
		{name: "SHA-1 allowed", file: caLine("*", sha1CA), cert: certify(t, key, sha1CA, nil, "a.example.com"), opts: Options{CASignatureAlgorithms: []string{ssh.KeyAlgoRSA}}, want: "known"},
		{name: "Ed25519 disallowed", file: known, cert: good, opts: Options{CASignatureAlgorithms: []string{ssh.KeyAlgoRSA}}, want: "unknown", reason: "Certificate signed with disallowed algorithm"},
		{name: "no principals", file: known, cert: make(nil), want: "unknown", reason: "Certificate lacks principal list"},
		{name: "no principals, allowed", file: known, cert: make(nil), opts: Options{AllowEmptyPrincipals: true}, want: "known"},
		{name: "other principal where none are allowed", file: known, cert: make(nil, "b.example.com"), opts: Options{AllowEmptyPrincipals: true}, want: "unknown", reason: "Certificate invalid: name is not a listed principal"},
		{name: "other principal", file: known, cert: make(nil, "b.example.com"), want: "unknown", reason: "Certificate invalid: name is not a listed principal"},
		{name: "user certificate", file: known, cert: make(func(c *ssh.Certificate) { c.CertType = ssh.UserCert }, "a.example.com"), want: "unknown", reason: "Certificate invalid: not a host certificate"},
		{name: "critical option", file: known, cert: make(func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "false"} }, "a.example.com"), want: "unknown", reason: "Certificate contains unsupported critical options"},
		{name: "an extension does not matter", file: known, cert: make(func(c *ssh.Certificate) { c.Extensions = map[string]string{"x@y": ""} }, "a.example.com"), want: "known"},
		{name: "first second", file: known, cert: make(func(c *ssh.Certificate) { c.ValidAfter = now }, "a.example.com"), want: "known"},
		{name: "not yet valid", file: known, cert: make(func(c *ssh.Certificate) { c.ValidAfter = now + 1 }, "a.example.com"), want: "unknown", reason: "Certificate invalid: not yet valid"},
		{name: "never valid", file: known, cert: make(func(c *ssh.Certificate) { c.ValidAfter = math.MaxUint64 }, "a.example.com"), want: "unknown", reason: "Certificate invalid: not yet valid"},
		{name: "last second", file: known, cert: make(func(c *ssh.Certificate) { c.ValidBefore = now + 1 }, "a.example.com"), want: "known"},
		{name: "expired", file: known, cert: make(func(c *ssh.Certificate) { c.ValidBefore = now }, "a.example.com"), want: "unknown", reason: "Certificate invalid: expired"},
		{name: "another CA", file: caLine("*", otherCA), cert: good, want: "unknown"},
		{name: "CA for other hosts", file: caLine("*.example.org", ca), cert: good, want: "unknown"},
		{name: "CA listed without its marker", file: entryLine("a.example.com", ca.PublicKey()), cert: good, want: "changed"},
		{name: "down to the plain key", file: caLine("*", otherCA) + plain, cert: good, want: "known"},
		{name: "bad certificate, known key", file: known + plain, cert: make(nil), want: "known", reason: "Certificate lacks principal list"},
		{name: "plain key without the port", file: plain, cert: good, target: Target{Host: "a.example.com", Port: 2222}, want: "known without port"},
		{name: "a certificate on a plain line is not its key", file: entryLine("a.example.com", good), cert: good, want: "changed"},
		{name: "forged", file: known + plain, cert: &forged, want: "cert"},
		{name: "forged, CA known without the port", file: known + plain, cert: &forged, target: Target{Host: "a.example.com", Port: 2222}, want: "cert"},
		{name: "revoked CA", file: known + plain + "@revoked * " + keyText(ca.PublicKey()) + "\n", cert: good, want: "revoked"},
		{name: "revoked key", file: known + "@revoked * " + keyText(key) + "\n", cert: good, want: "revoked"},
		{name: "revoked by certificate", file: known + "@revoked * " + keyText(good) + "\n", cert: good, want: "revoked"},
		{name: "CA revoked elsewhere", file: known + "@revoked b.* " + keyText(ca.PublicKey()) + "\n", cert: good, want: "known"},
		{name: "unknown, accept-new adds the plain key", cert: good, opts: Options{Strict: StrictAcceptNew}, want: "added"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, tt.file)
			tt.opts.UserFiles, tt.opts.Time, tt.opts.UpdateHostKeys = []string{file}, fixedTime(now), UpdateYes
			if tt.target.Host == "" {
				tt.target.Host = "a.example.com"
			}
			c, w := checker(tt.opts)
			v, err := c.Check(t.Context(), tt.target, tt.cert)
			if got := outcome(v, err); got != tt.want {
				t.Errorf("outcome %q (%v), want %q", got, err, tt.want)
			}
			reason := ""
			for _, e := range w.events {
				if e, ok := e.(CertRejected); ok {
					reason = e.Err.Reason
				}
			}
			if reason != tt.reason {
				t.Errorf("reason %q, want %q", reason, tt.reason)
			}
			if v == nil {
				return
			}
			if _, isCert := v.Key.(*ssh.Certificate); isCert && v.MayUpdate {
				t.Error("a certificate must not lead to UpdateHostKeys")
			}
			if v.Status == StatusAdded && read(t, file) != entryLine("a.example.com", key) {
				t.Errorf("added: %s", read(t, file))
			}
		})
	}
}

// A CA of its own is no better than any other.
func TestSelfSignedCertificate(t *testing.T) {
	s := newSigner(t, "ed25519")
	cert := certify(t, s.PublicKey(), s, nil, "a")
	c, w := checker(Options{UserFiles: []string{write(t, "")}})
	if _, err := c.Check(t.Context(), Target{Host: "a"}, cert); outcome(nil, err) != "unknown" {
		t.Error(err)
	}
	if q := w.questions[0].(NewHostQuestion); q.KeyType != "ED25519" || !sshkey.Same(q.Key, s.PublicKey()) {
		t.Errorf("asked about %s", q.KeyType)
	}
}

func TestUnsignedCertificate(t *testing.T) {
	// A signature that is not there at all must not crash.
	ca := newSigner(t, "ed25519")
	cert := certify(t, newKey(t, "ecdsa"), ca, nil, "a")
	cert.Signature = nil
	c, _ := checker(Options{UserFiles: []string{write(t, "@cert-authority * "+keyText(ca.PublicKey()))}})
	if _, err := c.Check(t.Context(), Target{Host: "a"}, cert); err == nil {
		t.Error("accepted an unsigned certificate")
	}
}
