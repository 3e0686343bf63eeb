package hostkey

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// ErrHostKeysRepeated means that the server announced its keys a second time,
// which is a protocol error in OpenSSH.
var ErrHostKeysRepeated = errors.New("server already sent hostkeys-00@openssh.com")

// UpdateRequest is the input of Update.
type UpdateRequest struct {
	Payload    []byte   // of hostkeys-00@openssh.com
	SessionID  []byte   // ssh.ConnMetadata.SessionID
	Algorithms []string // HostKeyAlgorithms in force; other keys are ignored
	// HostKeyAlgorithm is the negotiated one, HostKey of what
	// ssh.AlgorithmsConnMetadata has. If it is RSA, proofs by RSA keys must be
	// signed the same way; else, or if unknown (""), with SHA-2.
	HostKeyAlgorithm string
	// Prove sends hostkeys-prove-00@openssh.com with this payload, want reply
	// set, and returns the reply's payload; an error if the server failed it.
	Prove func(ctx context.Context, payload []byte) ([]byte, error)
}

// Update handles hostkeys-00@openssh.com. It finds new and removed keys, has the
// server prove that it owns the new ones, asks if UpdateHostKeys requires it, and
// rewrites the user's files. If ssh does nothing, Update does nothing and returns
// nil: see UpdateHostKeys in ssh_config(5), and the cases of updatePlan.refuse. It
// blocks in Prove, in Options.Ask and while the files are locked.
func (c *Checker) Update(ctx context.Context, v *Verifier, r UpdateRequest) error {
	if !v.firstUpdate() {
		return ErrHostKeysRepeated
	}
	verdict := v.Verdict()
	if verdict == nil || !verdict.MayUpdate || len(c.opts.UserFiles) == 0 ||
		c.opts.UpdateHostKeys == UpdateNo || c.opts.UpdateHostKeys == UpdateAsk && c.opts.Ask == nil {
		return nil
	}
	keys, err := c.announcedKeys(r.Payload, r.Algorithms)
	if err != nil || len(keys) == 0 {
		return err
	}
	p := c.plan(v.target, verdict, keys)
	if why := p.refuse(); why != "" {
		c.opts.Logger.DebugContext(ctx, "no update of known_hosts", "why", why)
		return nil
	}
	if len(p.unproven()) > 0 {
		reply, err := r.Prove(ctx, p.provePayload())
		if err != nil {
			return fmt.Errorf("server failed to confirm ownership of its host keys: %w", err)
		}
		if err := p.checkProofs(reply, r.SessionID, r.HostKeyAlgorithm); err != nil {
			return err
		}
	}
	if len(p.keys) == 0 {
		return nil // no proof counted: removing keys would leave the host without any
	}
	return c.apply(ctx, v, p)
}

// complexNames reports names of a kind that ssh never writes: wildcards, or
// more than "host,address".
func (l *line) complexNames() bool {
	return strings.ContainsAny(l.hosts, "*?") || strings.Count(l.hosts, ",") > 1
}

// firstUpdate reports that no announcement was handled before.
func (v *Verifier) firstUpdate() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	first := !v.sawNames
	v.sawNames = true
	return first
}

// maxAnnounced bounds the keys of one announcement. A server has one of each type,
// and two of it while it changes them. All of them are looked for in each line
// of known_hosts.
const maxAnnounced = 128

// announcedKeys decodes the server's list. Keys of a type that we do not know,
// that HostKeyAlgorithms does not allow, that are too small, and certificates
// are left out; a key that comes twice, or more than maxAnnounced, end it.
func (c *Checker) announcedKeys(payload []byte, algorithms []string) ([]*announced, error) {
	var keys []*announced
	seen, n := make(map[string]bool), 0
	for w := wire.NewReader(payload); len(w.Rest()) > 0 || w.Err() != nil; n++ {
		blob := w.Bytes()
		if w.Err() != nil {
			return nil, fmt.Errorf("hostkeys-00@openssh.com: %w", w.Err())
		}
		if n == maxAnnounced {
			return nil, fmt.Errorf("hostkeys-00@openssh.com: more than %d host keys", maxAnnounced)
		}
		key, err := ssh.ParsePublicKey(blob)
		if err != nil {
			continue
		}
		if _, isCert := key.(*ssh.Certificate); isCert || !accepted(key, algorithms) || c.checkSize(key) != nil {
			continue
		}
		marshaled := key.Marshal()
		if seen[string(marshaled)] {
			return nil, fmt.Errorf("hostkeys-00@openssh.com: duplicated %s host key", key.Type())
		}
		seen[string(marshaled)] = true
		keys = append(keys, &announced{key: key, base64: base64.StdEncoding.EncodeToString(marshaled)})
	}
	return keys, nil
}

// accepted reports that HostKeyAlgorithms has an algorithm for the key.
func accepted(key ssh.PublicKey, algorithms []string) bool {
	return slices.ContainsFunc(algorithms, func(a string) bool { return keyFormat(a) == key.Type() })
}

// announced is a key of the server's list and what became of it.
type announced struct {
	key    ssh.PublicKey
	base64 string
	onFile match // the ways in which it is on file already
	proven bool
	zapped bool // proven with an RSA signature that does not count: as if never announced
}

// match says by which names a line speaks of the host.
type match uint8

const (
	matchName match = 1 << iota
	matchAddress
)

// updatePlan is one update of the user's files.
type updatePlan struct {
	name, address string // address is "" unless CheckHostIP applies
	keys          []*announced
	old           []ssh.PublicKey // on file for the host, and no longer announced

	complexNames bool // a marker, a wildcard, or a list that ssh does not write
	otherName    bool // an announced key is also on file under another name
	oldElsewhere bool // and so is one that would be removed
}

// plan compares the server's list with the user's files.
func (c *Checker) plan(t Target, v *Verdict, keys []*announced) *updatePlan {
	p := &updatePlan{name: t.Name(), keys: keys}
	if v.checkIP {
		p.address = t.Address()
	}
	view := c.readUser()
	for _, src := range view.sources {
		for l, err := range lines(src.text) {
			if err != nil {
				continue
			}
			p.addLine(&src, l)
		}
	}
	for _, key := range p.old {
		for _, l := range view.withKey(key) {
			if m, err := p.match(&l); err == nil && m == 0 {
				p.oldElsewhere = true
			}
		}
	}
	return p
}

// match says how a line speaks of the host.
func (p *updatePlan) match(l *line) (m match, err error) {
	ok, err := l.matches(p.name)
	if ok {
		m = matchName
	}
	if err != nil || p.address == "" {
		return m, err
	}
	if ok, err = l.matches(p.address); ok {
		m |= matchAddress
	}
	return m, err
}

// addLine takes a line of a user file into account, as hostkeys_find of
// OpenSSH's clientloop.c does.
func (p *updatePlan) addLine(src *source, l line) {
	m, err := p.match(&l)
	if err != nil {
		return
	}
	if m == 0 {
		p.otherName = p.otherName || p.announces(l.key)
		return
	}
	e, err := src.entry(l)
	if err != nil {
		return
	}
	if e.Marker != MarkerNone {
		p.complexNames = true
		return
	}
	if p.address != "" && strings.Contains(l.hosts, ",") && m != matchName|matchAddress {
		// The name has another address, or the address another name.
		p.otherName = true
		if m&matchName == 0 {
			return
		}
	}
	if l.complexNames() {
		p.complexNames = true
		return
	}
	for _, k := range p.keys {
		if sshkey.Same(k.key, e.Key) {
			k.onFile |= m
			return
		}
	}
	p.old = append(p.old, e.Key)
}

// announces reports that the text of a line's key is one of the server's.
func (p *updatePlan) announces(text string) bool {
	return slices.ContainsFunc(p.keys, func(k *announced) bool { return strings.Contains(text, k.base64) })
}

// refuse names the reason to leave the files alone, "" if there is none.
func (p *updatePlan) refuse() string {
	switch {
	case len(p.unproven()) == 0 && len(p.old) == 0:
		return "no new or deprecated keys from server"
	case p.complexNames:
		return "CA/revocation marker, manual host list or wildcard host pattern found"
	case p.otherName:
		return "host key found matching a different name/address"
	case p.oldElsewhere:
		return "deprecated keys exist under other names"
	}
	return ""
}

// unproven are the keys that are not on file, in the server's order.
func (p *updatePlan) unproven() []*announced {
	return slices.DeleteFunc(slices.Clone(p.keys), func(k *announced) bool { return k.onFile != 0 })
}

// apply tells, asks, and rewrites every user file; keys are added to the
// first only. Errors of several files are joined.
func (c *Checker) apply(ctx context.Context, v *Verifier, p *updatePlan) error {
	q := UpdateQuestion{Host: p.name, Removed: p.old}
	for _, k := range p.keys {
		if k.proven {
			q.Learned = append(q.Learned, k.key)
			c.opts.Notify(KeyLearned{Key: k.key, KeyType: KeyType(k.key), Fingerprint: Fingerprint(k.key)})
		}
	}
	for _, key := range p.old {
		c.opts.Notify(KeyDeprecated{Key: key, KeyType: KeyType(key), Fingerprint: Fingerprint(key)})
	}
	if c.opts.UpdateHostKeys == UpdateAsk {
		if yes, err := c.opts.ask(ctx, q); err != nil || !yes {
			return err
		}
	}
	v.learn(q.Learned)
	var errs []error
	for i, file := range c.opts.UserFiles {
		err := rewrite(ctx, file, func(old []byte) ([]byte, error) { return c.opts.edit(string(old), p, i == 0) })
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("update %s: %w", file, err))
		}
	}
	return errors.Join(errs...)
}

// proveRequest is the name of the request, and the first thing that is signed.
const proveRequest = "hostkeys-prove-00@openssh.com"

// ErrBadProof means that the server did not prove that it has the private half of
// a key that it announced. Nothing is written then.
var ErrBadProof = errors.New("server gave a bad proof for an announced host key")

// provePayload is the payload of hostkeys-prove-00@openssh.com: the keys that
// are not on file, in the server's order (section 2.5 of OpenSSH's PROTOCOL).
func (p *updatePlan) provePayload() []byte {
	var out []byte
	for _, k := range p.unproven() {
		out = wire.AppendString(out, k.key.Marshal())
	}
	return out
}

// checkProofs verifies the reply: a signature for each key that was asked for,
// and nothing else. Each is bound to this connection by the session ID.
func (p *updatePlan) checkProofs(reply, sessionID []byte, negotiated string) error {
	w := wire.NewReader(reply)
	for _, k := range p.unproven() {
		blob := w.Bytes()
		var sig ssh.Signature
		if w.Err() != nil || ssh.Unmarshal(blob, &sig) != nil {
			return fmt.Errorf("%w: %s: unintelligible signature", ErrBadProof, k.key.Type())
		}
		if k.key.Type() == ssh.KeyAlgoRSA {
			ok, err := rsaProof(sig.Format, negotiated)
			if err != nil {
				return err
			}
			if !ok {
				k.zapped = true
				continue
			}
		}
		data := wire.AppendString(nil, []byte(proveRequest))
		data = wire.AppendString(data, sessionID)
		data = wire.AppendString(data, k.key.Marshal())
		if err := verifyProof(k.key, data, &sig); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrBadProof, k.key.Type(), err)
		}
		k.proven = true
	}
	if len(w.Rest()) != 0 {
		return fmt.Errorf("%w: more signatures than keys", ErrBadProof)
	}
	p.keys = slices.DeleteFunc(p.keys, func(k *announced) bool { return k.zapped })
	return nil
}

// rsaProof judges the algorithm of an RSA signature. If the key exchange was
// done with RSA, the proof must use that algorithm; else it must be SHA-2, and
// a key proven with SHA-1 is passed over.
func rsaProof(format, negotiated string) (ok bool, err error) {
	if plainFormat(negotiated) == ssh.KeyAlgoRSA {
		if format != signatureFormat(negotiated) {
			return false, fmt.Errorf("%w: signed with %s, not %s", ErrBadProof, format, negotiated)
		}
		return true, nil
	}
	return format == ssh.KeyAlgoRSASHA512 || format == ssh.KeyAlgoRSASHA256, nil
}

// signatureFormat takes a certificate's suffix off an RSA algorithm.
func signatureFormat(algorithm string) string {
	switch algorithm {
	case ssh.CertAlgoRSASHA512v01:
		return ssh.KeyAlgoRSASHA512
	case ssh.CertAlgoRSASHA256v01:
		return ssh.KeyAlgoRSASHA256
	case ssh.CertAlgoRSAv01:
		return ssh.KeyAlgoRSA
	}
	return algorithm
}
