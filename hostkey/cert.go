package hostkey

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/pattern"
)

// checkCert judges a host certificate whose CA is trusted for the host, by
// PROTOCOL.certkeys and OpenSSH's sshkey_cert_check_host. The reasons are
// OpenSSH's words. It follows OpenSSH 10.3 where 9.2 was laxer or stricter: a
// certificate without principals is good for nobody, unless the options say
// that it is good for any host, and * and ? work in the principals. Their case
// does not matter, as a host name's does not.
func (o *Options) checkCert(cert *ssh.Certificate, host string) *CertError {
	switch {
	case cert.CertType != ssh.HostCert:
		return &CertError{Reason: "Certificate invalid: not a host certificate"}
	case len(cert.ValidPrincipals) == 0 && !o.AllowEmptyPrincipals:
		return &CertError{Reason: "Certificate lacks principal list"}
	case len(cert.ValidPrincipals) > 0 && !slices.ContainsFunc(cert.ValidPrincipals, func(p string) bool { return pattern.MatchFold(host, p) }):
		return &CertError{Reason: "Certificate invalid: name is not a listed principal"}
	case len(cert.CriticalOptions) != 0:
		return &CertError{Reason: "Certificate contains unsupported critical options"}
	case cert.Signature == nil || !slices.Contains(o.CASignatureAlgorithms, cert.Signature.Format):
		return &CertError{Reason: "Certificate signed with disallowed algorithm"}
	}
	return checkValidity(cert, o.Time())
}

// checkValidity compares unsigned seconds, as the wire has them: no overflow
// makes an expired certificate eternal.
func checkValidity(cert *ssh.Certificate, now time.Time) *CertError {
	seconds := now.Unix()
	switch {
	case seconds < 0 || uint64(seconds) < cert.ValidAfter:
		return &CertError{Reason: "Certificate invalid: not yet valid"}
	case uint64(seconds) >= cert.ValidBefore:
		return &CertError{Reason: "Certificate invalid: expired"}
	}
	return nil
}

// verifyCertSignature checks the CA's signature. x/crypto keeps the bytes that
// are signed, and its exception for CA keys on a token, to CertChecker; so its
// checks run too, with the answers that checkCert has found good already.
func verifyCertSignature(cert *ssh.Certificate, now time.Time) error {
	checker := ssh.CertChecker{Clock: func() time.Time { return now }}
	principal := ""
	if len(cert.ValidPrincipals) > 0 {
		principal = cert.ValidPrincipals[0]
	}
	if err := checker.CheckCert(principal, cert); err != nil {
		return &CertError{Reason: fmt.Sprintf("Certificate invalid: %v", err)}
	}
	return nil
}
