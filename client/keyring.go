package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/internal/wipe"
	"github.com/gossh-project/gossh/sshconfig"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// keyring is the list of keys to offer, in OpenSSH's order (pubkey_prepare in
// sshconnect2.c):
//
//  1. certificates that the configuration names
//  2. keys of the agent that the configuration also names
//  3. other keys of the agent, unless IdentitiesOnly is set
//  4. keys of PKCS11Provider, those that the configuration also names first
//  5. keys that are in files only
//
// Options.Signers come before all of them.
type keyring struct {
	d     *dialer
	ctx   context.Context
	agent *agentfwd.Conn
	keys  []*identity
	at    int
	again *identity // offered next, if set

	tokens *tokenKeys // nil without PKCS11Provider
	files  *keyFiles
}

// identity is one key to offer. It is an ssh.MultiAlgorithmSigner.
type identity struct {
	ring   *keyring
	pub    ssh.PublicKey // nil if the file must be decrypted first
	signer ssh.Signer    // of the agent or of Options.Signers; nil if it is in a file
	file   string        // the private key file
	shown  string        // the name for logs
	named  bool          // the user named it; it is not a default
	where  string        // "agent", "token" or "explicit", for the logs
	raw    any           // the private key of a file, once it was read
	only   string        // if set, the only algorithm to sign with

	tokens bool // a placeholder for the keys of PKCS11Provider
}

// newKeyring reads the files and queries the agent. It asks for no passphrase.
func (d *dialer) newKeyring(ctx context.Context, sessionID []byte) *keyring {
	r := &keyring{d: d, ctx: ctx, files: &keyFiles{d: d, ctx: ctx}}
	var own, certs, fromAgent []*identity
	for _, s := range d.opts.Signers {
		own = append(own, &identity{ring: r, pub: s.PublicKey(), signer: s, shown: "given"})
	}
	if d.opts.OnlySigners || d.opts.NoFiles {
		r.keys = r.acceptable(own)
		return r
	}
	files := r.fileKeys()
	certs = r.certificates()
	var held []*identity
	d.untimed(func() error { // the agent has its own time limits
		held = r.agentKeys(sessionID)
		return nil
	})
	var named, others []*identity
	for _, a := range held {
		i := slices.IndexFunc(files, func(f *identity) bool { return sshkey.Same(f.pub, a.pub) })
		switch {
		case i >= 0:
			a.shown, a.file, a.named = files[i].shown, files[i].file, files[i].named
			files = slices.Delete(files, i, i+1)
			named = append(named, a)
		case !d.cfg.IdentitiesOnly:
			others = append(others, a)
		}
	}
	fromAgent = byPriority(append(named, others...))
	r.pairCertificates(certs, held)
	var tokens []*identity
	if d.cfg.PKCS11Provider != "" {
		r.tokens = new(tokenKeys)
		tokens = append(tokens, &identity{ring: r, tokens: true})
	}
	r.keys = r.acceptable(slices.Concat(own, byPriority(certs), fromAgent, tokens, byPriority(files)))
	for _, k := range r.keys {
		if k.tokens {
			continue
		}
		d.debugf("Will attempt key: %s", k.describe())
	}
	return r
}

// fileKeys returns the keys of IdentityFile, each followed by its -cert.pub,
// unless CertificateFile is set.
func (r *keyring) fileKeys() []*identity {
	var out []*identity
	for _, f := range r.d.cfg.IdentityFile {
		id := &identity{ring: r, file: f.Path, shown: f.Path, named: f.UserProvided}
		if f.UserProvided {
			id.where = "explicit"
		}
		id.pub = r.publicHalf(f)
		r.d.debugf("identity file %s type %d", f.Path, typeNumber(id.pub))
		out = append(out, id)
		if len(r.d.cfg.CertificateFile) > 0 {
			continue
		}
		if cert := r.certificate(f.Path+"-cert.pub", f.Path+"-cert"); cert != nil && !r.unreachable(cert, f.Path) {
			out = append(out, &identity{ring: r, pub: cert, file: f.Path, shown: f.Path, named: id.named, where: id.where})
		}
	}
	return out
}

// publicHalf returns the public key of an IdentityFile without a passphrase. It
// looks as ssh does: in the file, which may hold a public key whose private key
// is in the agent; in the .pub file; in the private key.
func (r *keyring) publicHalf(f sshconfig.File) ssh.PublicKey {
	for _, name := range []string{f.Path, f.Path + ".pub"} {
		if pub, err := r.files.public(name); err == nil {
			return pub
		}
	}
	kf, err := r.files.read(f.Path) // its mode is checked when the private key is needed
	if err != nil {
		return nil // reported when the private key is needed
	}
	defer r.files.done(kf)
	r.d.notify(SecretRead{})
	return kf.public()
}

// certificates returns the certificates of CertificateFile.
func (r *keyring) certificates() []*identity {
	var out []*identity
	for _, f := range r.d.cfg.CertificateFile {
		cert := r.certificate(f.Path, f.Path+".pub")
		if cert == nil {
			if f.UserProvided {
				r.d.notify(CertMissing{File: f.Path, Err: fs.ErrNotExist})
			}
			continue
		}
		if r.unreachable(cert, f.Path) {
			continue
		}
		out = append(out, &identity{ring: r, pub: cert, shown: f.Path, named: f.UserProvided, where: "explicit"})
	}
	return out
}

// certificate returns the user certificate in the first of names that has one.
func (r *keyring) certificate(names ...string) *ssh.Certificate {
	for _, name := range names {
		pub, err := r.files.public(name)
		if cert, ok := pub.(*ssh.Certificate); err == nil && ok && cert.CertType == ssh.UserCert {
			return cert
		}
	}
	return nil
}

// pairCertificates sets the private key of each certificate that has none: of
// the agent, or in the IdentityFile with the same key, or else, as in ssh, in
// the certificate's own file.
func (r *keyring) pairCertificates(certs []*identity, held []*identity) {
	for _, c := range certs {
		plain := c.pub.(*ssh.Certificate).Key
		for _, a := range held {
			if sshkey.Same(a.pub, plain) || sshkey.Same(a.pub, c.pub) {
				c.signer = a.signer
			}
		}
		for _, f := range r.d.cfg.IdentityFile {
			if c.signer == nil && c.file == "" && sshkey.Same(r.publicHalf(f), plain) {
				c.file = f.Path
			}
		}
		if c.signer == nil && c.file == "" {
			r.d.debugf("no separate private key for certificate %s", c.shown)
			c.file = c.shown
		}
	}
}

// acceptable removes the keys that PubkeyAcceptedAlgorithms and RequiredRSASize
// exclude.
func (r *keyring) acceptable(keys []*identity) []*identity {
	return slices.DeleteFunc(keys, func(k *identity) bool {
		if k.pub == nil {
			return false
		}
		if bits := rsaBits(k.pub); bits > 0 && bits < r.d.cfg.RequiredRSASize {
			r.d.debugf("Skipping %s: RSA key of %d bits is below RequiredRSASize", k.describe(), bits)
			return true
		}
		if len(k.Algorithms()) == 0 {
			r.d.debugf("Skipping %s key %s - corresponding algorithm not in PubkeyAcceptedAlgorithms",
				k.pub.Type(), k.shown)
			return true
		}
		return false
	})
}

// agentOptions limits the agent's answers to the time that each step of the
// login has.
func (d *dialer) agentOptions() *agentfwd.Options {
	o := &agentfwd.Options{Logger: d.opts.Logger}
	if limit := cmp.Or(d.cfg.ConnectTimeout, d.fallbackTimeout); limit > 0 {
		o.DialTimeout = min(limit, agentfwd.DefaultDialTimeout)
		o.RequestTimeout = min(limit, agentfwd.DefaultRequestTimeout)
		o.ListTimeout = limit
	}
	return o
}

// agentKeys returns the keys of the agent. An agent that cannot be reached is
// reported and has no keys. One that refuses to list is logged.
func (r *keyring) agentKeys(sessionID []byte) []*identity {
	source, err := agentSource(r.d.cfg)
	if err != nil {
		r.d.notify(AgentFailed{err})
		return nil
	}
	agent, err := agentfwd.Dial(r.ctx, source, r.d.agentOptions())
	switch {
	case errors.Is(err, agentfwd.ErrNoAgent):
		return nil
	case errors.Is(err, agentfwd.ErrTimeout):
		r.d.notify(AgentFailed{err})
		return nil
	case err != nil:
		r.d.debugf("%v", err)
		return nil
	}
	r.agent = agent
	r.bindAgent(sessionID)
	signers, err := agent.Signers(r.ctx)
	switch {
	case errors.Is(err, agentfwd.ErrRefused):
		r.d.debugf("get_agent_identities: ssh_fetch_identitylist: %v", agentfwd.ErrRefused)
		return nil
	case err != nil:
		r.d.notify(AgentFailed{err})
		return nil
	}
	out := make([]*identity, len(signers))
	for i, s := range signers {
		out[i] = &identity{ring: r, pub: s.PublicKey(), signer: s, shown: s.Identity().Comment, where: "agent"}
	}
	return out
}

// bindAgent sends the agent the session-bind@openssh.com data, so that keys that
// are limited to hosts can be used.
func (r *keyring) bindAgent(sessionID []byte) {
	if r.d.engine == nil {
		return // OfferedKeys has no connection
	}
	binding, err := r.d.engine.binding(sessionID)
	if err == nil {
		err = r.agent.Bind(r.ctx, binding, false)
	}
	if err != nil {
		r.d.debugf("agent not bound to the session: %v", err)
	}
}

// agentSource returns IdentityAgent as a Source.
func agentSource(cfg *sshconfig.Config) (agentfwd.Source, error) {
	if cfg.IdentityAgent == "" {
		return agentfwd.Source{}, nil
	}
	return agentfwd.ParseSource(cfg.IdentityAgent)
}

// next returns the next key to offer, or nil at the end. If the public key
// cannot be read from a file, the file is decrypted first.
func (r *keyring) next() (*identity, error) {
	if k := r.again; k != nil {
		r.again = nil
		r.d.debugf("Offering public key: %s", k.describe())
		return k, nil
	}
	for r.at < len(r.keys) {
		k := r.keys[r.at]
		r.at++
		if k.tokens {
			r.at--
			if err := r.listTokens(); err != nil {
				return nil, err
			}
			continue
		}
		if k.pub == nil {
			r.d.debugf("Trying private key: %s", k.file)
			if err := k.load(); err != nil {
				if ended := contextError(r.ctx); ended != nil {
					return nil, ended
				}
				k.failed(err)
				continue
			}
			if len(r.acceptable([]*identity{k})) == 0 {
				continue
			}
		}
		r.d.debugf("Offering public key: %s", k.describe())
		return k, nil
	}
	return nil, nil
}

// reset starts again after a partial success, as OpenSSH's pubkey_reset does.
func (r *keyring) reset() { r.at, r.again = 0, nil }

// close closes the connection to the agent and overwrites the keys of files.
func (r *keyring) close() {
	for _, k := range r.keys {
		wipe.Key(k.raw)
		k.raw, k.signer = nil, nil
	}
	r.files.close()
	if r.agent != nil {
		r.agent.Close()
	}
	if r.tokens != nil && r.tokens.token != nil {
		r.tokens.token.Close()
	}
}

// describe returns the key as ssh -v prints it.
func (k *identity) describe() string {
	return k.offered().String()
}

// signedBy returns the key as ssh prints it if signing fails.
func (k *identity) signedBy() string {
	s := fmt.Sprintf("%s \"%s\"", sshkey.TypeName(k.pub), k.shown)
	if k.where == "agent" {
		s += " from agent"
	}
	return s
}

func typeNumber(k ssh.PublicKey) int {
	if k == nil {
		return -1
	}
	for i, names := range [][]string{
		{ssh.KeyAlgoRSA}, {ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}, {ssh.KeyAlgoED25519},
		{ssh.CertAlgoRSAv01}, {ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01}, {ssh.CertAlgoED25519v01},
		{ssh.KeyAlgoSKECDSA256}, {ssh.CertAlgoSKECDSA256v01}, {ssh.KeyAlgoSKED25519}, {ssh.CertAlgoSKED25519v01},
	} {
		if slices.Contains(names, k.Type()) {
			return i
		}
	}
	return -1
}
