package hostkey

import (
	"context"
	"errors"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// Check checks the key or certificate that a server showed, as ssh(1) does: first
// against RevokedHostKeys, then against SSHFP records, then against known_hosts.
// It blocks while Options.Ask does. Its errors match ErrVerification.
func (c *Checker) Check(ctx context.Context, t Target, key ssh.PublicKey) (*Verdict, error) {
	if err := c.checkSize(key); err != nil {
		return nil, err
	}
	if err := c.checkRevokedFiles(t, key); err != nil {
		return nil, err
	}
	dns := c.lookupDNS(ctx, t, key)
	if dns != nil && dns.Matching && dns.Secure && c.opts.VerifyHostKeyDNS == DNSYes {
		return &Verdict{Status: StatusDNS, Key: key}, nil
	}
	// A loopback address is another machine on every machine that shares the
	// home directory.
	if c.opts.NoHostAuthenticationForLocalhost && t.isLocal() && t.Alias == "" {
		if c.opts.unlikeEarlier(key) {
			return nil, earlierError(t, key)
		}
		c.opts.Logger.DebugContext(ctx, "Forcing accepting of host key for loopback/localhost.")
		return &Verdict{Status: StatusLocalhost, Key: key}, nil
	}
	k := &check{
		opts: &c.opts, target: t, view: c.read(), dns: dns,
		checkIP: c.opts.CheckHostIP && t.Addr.IsValid() && !t.isLocal() && !t.hasAddressOnly(),
	}
	return k.run(ctx, key)
}

// checkSize refuses RSA keys below RequiredRSASize, in certificates too.
func (c *Checker) checkSize(key ssh.PublicKey) error {
	key = sshkey.Plain(key)
	if key.Type() != ssh.KeyAlgoRSA {
		return nil
	}
	if bits := keySize(key); bits < c.opts.RequiredRSASize {
		return &KeySizeError{Bits: bits, Required: c.opts.RequiredRSASize}
	}
	return nil
}

// lookupDNS asks for the SSHFP records; nil if VerifyHostKeyDNS is off.
func (c *Checker) lookupDNS(ctx context.Context, t Target, key ssh.PublicKey) *DNSResult {
	if c.opts.VerifyHostKeyDNS == DNSNo {
		return nil
	}
	// There are no records for certificates, but for the key inside.
	plain := sshkey.Plain(key)
	res, err := c.opts.LookupSSHFP(ctx, t.Host, t.Addr, plain)
	if err != nil {
		c.opts.Logger.DebugContext(ctx, "DNS lookup of SSHFP records failed", "host", t.Host, "err", err)
		return &DNSResult{}
	}
	if res.Found && !res.Matching {
		c.opts.Notify(DNSMismatch{Key: plain, KeyType: KeyType(plain), Fingerprint: Fingerprint(plain)})
	}
	if !res.Found {
		res.Matching = false
	}
	return &res
}

// check is one Check while it runs.
type check struct {
	opts    *Options
	target  Target
	view    *view
	dns     *DNSResult
	checkIP bool
	// withoutPort is the second look-up, for the bare host: it asks nothing,
	// writes nothing and keeps quiet about a change.
	withoutPort bool
}

// run judges a certificate, if it is one, and then the plain key.
func (k *check) run(ctx context.Context, key ssh.PublicKey) (*Verdict, error) {
	host, err := k.entries(ctx, k.target.Name(), PurposeHostname, key)
	if err != nil {
		return nil, err
	}
	cert, isCert := key.(*ssh.Certificate)
	if !isCert {
		var addr []Entry
		if k.checkIP {
			if addr, err = k.entries(ctx, k.target.Address(), PurposeAddress, key); err != nil {
				return nil, err
			}
		}
		return k.judge(ctx, key, compare(host, key), k.addressFound(addr, key))
	}
	v, err := k.judgeCert(ctx, cert, host)
	if v != nil || err != nil {
		return v, err
	}
	k.opts.Logger.DebugContext(ctx, "No matching CA found. Retry with plain key")
	// OpenSSH has not loaded the address's keys for a certificate, and goes
	// on as if they said what the host's do.
	found := compare(host, cert.Key)
	return k.judge(ctx, cert.Key, found, found)
}

// entries looks a name up in the files and in KnownHostsCommand's output. The
// second look-up, without the port, is of the files alone.
func (k *check) entries(ctx context.Context, name string, p Purpose, key ssh.PublicKey) ([]Entry, error) {
	v := k.view
	if !k.withoutPort {
		var err error
		if v, err = v.withCommand(ctx, CommandRequest{Purpose: p, Host: name, Key: key}); err != nil {
			return nil, err
		}
	}
	return v.find(name), nil
}

// addressFound compares the address's entries, or says that CheckHostIP has no
// part in this: nil.
func (k *check) addressFound(entries []Entry, key ssh.PublicKey) *comparison {
	if !k.checkIP {
		return nil
	}
	return compare(entries, key)
}

// retryWithoutPort repeats a look-up that found nothing for "[host]:port" with
// the bare host; nil and no error mean that it was of no use. A key that is
// revoked for the bare host, or a forged certificate, ends the matter; ssh
// would go on as if the host were new.
func (k *check) retryWithoutPort(ctx context.Context, key ssh.PublicKey) (*Verdict, error) {
	if k.withoutPort || k.target.Alias != "" || k.target.port() == defaultPort {
		return nil, nil
	}
	k.opts.Logger.DebugContext(ctx, "checking without port identifier")
	bare := *k
	bare.target = k.target.withoutPort()
	bare.withoutPort = true
	v, err := bare.run(ctx, key)
	if err != nil {
		var revoked *RevokedError
		var cert *CertError
		if errors.As(err, &revoked) || errors.As(err, &cert) {
			return nil, err
		}
		return nil, nil
	}
	k.opts.Logger.DebugContext(ctx, "found matching key w/out port")
	if v.Status == StatusKnown {
		v.Status = StatusKnownWithoutPort
	}
	// It vouches for another port, which is not enough to rewrite this one's keys.
	v.MayUpdate = false
	return v, nil
}

// judgeCert judges a certificate. Neither a verdict nor an error means: go on
// with the key inside.
func (k *check) judgeCert(ctx context.Context, cert *ssh.Certificate, host []Entry) (*Verdict, error) {
	found := compare(host, cert)
	switch found.status {
	case keyRevoked:
		return k.revoked(cert, found)
	case keyOK:
		if err := k.opts.checkCert(cert, k.target.certName()); err != nil {
			k.opts.Notify(CertRejected{Err: err})
			return nil, nil
		}
		// A forged signature is no reason to go on with the key inside: the
		// peer is not what it pretends to be.
		if err := verifyCertSignature(cert, k.opts.Time()); err != nil {
			return nil, err
		}
		k.matched(cert, found)
		return &Verdict{Status: StatusKnown, Key: cert, Found: found.where()}, nil
	}
	return k.retryWithoutPort(ctx, cert)
}

// matched tells of a key that is on file.
func (k *check) matched(key ssh.PublicKey, found *comparison) {
	_, isCert := key.(*ssh.Certificate)
	k.opts.Notify(Matched{
		Host: k.target.Name(), Key: key, KeyType: KeyType(key),
		Certificate: isCert, Location: found.entry.Location,
	})
}

// revoked refuses, or tolerates with restrictions, a key marked @revoked.
func (k *check) revoked(key ssh.PublicKey, found *comparison) (*Verdict, error) {
	e := &RevokedError{
		Host: k.target.Name(), Key: key, KeyType: KeyType(key),
		Fingerprint: Fingerprint(key), Location: found.where(),
	}
	if k.opts.Strict != StrictNo {
		return nil, e
	}
	if k.opts.unlikeEarlier(key) {
		return nil, earlierError(k.target, key)
	}
	k.opts.Notify(RevokedTolerated{Err: e})
	return &Verdict{Status: StatusRevoked, Key: key, Restricted: true, Found: found.where(), checkIP: k.checkIP}, nil
}
