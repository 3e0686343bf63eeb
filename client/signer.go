package client

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/internal/keyhelper"
	"github.com/gossh-project/gossh/internal/sshkey"
	"github.com/gossh-project/gossh/internal/wipe"
	"github.com/gossh-project/gossh/sshconfig"
)

var _ ssh.MultiAlgorithmSigner = (*identity)(nil)

// PublicKey returns the key that is offered.
func (k *identity) PublicKey() ssh.PublicKey { return k.pub }

// Sign implements ssh.Signer. x/crypto calls SignWithAlgorithm.
func (k *identity) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm signs. It is called after the server has accepted the key; a
// passphrase is not asked for before.
func (k *identity) SignWithAlgorithm(rand io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	d := k.ring.d
	d.debugf("Server accepts key: %s", k.describe())
	if k.signer == nil {
		if err := k.load(); err != nil {
			k.failed(err)
			return nil, err
		}
	}
	var sig *ssh.Signature
	err := d.untimed(func() (err error) { // an agent may ask a person
		sign := func() { sig, err = signWith(k.signer, rand, data, algo) }
		if k.raw == nil {
			sign()
		} else {
			wipe.OnOwnStack(sign)
		}
		return err
	})
	var other *agentfwd.SignatureTypeError
	if errors.As(err, &other) {
		k.wrongType(other)
	} else if err != nil {
		k.failed(err)
		d.notify(SignFailed{Key: k.signedBy(), Algo: algo, Err: err})
	}
	return sig, err
}

// failed records why the key could not be used. A default key file that does not
// exist is no failure.
func (k *identity) failed(err error) {
	if errors.Is(err, fs.ErrNotExist) && !k.named {
		return
	}
	var file *KeyFileError
	if !errors.As(err, &file) {
		err = fmt.Errorf("key %s: %w", k.shown, err)
	}
	k.ring.d.auth.note(err)
}

// wrongType handles an agent that signed with another algorithm than the one
// requested. The signed data names the algorithm, so the key must be offered
// again: with the agent's algorithm, or with the key's own as in ssh, if
// PubkeyAcceptedAlgorithms permits it.
func (k *identity) wrongType(e *agentfwd.SignatureTypeError) {
	k.ring.d.notify(SignedOtherwise{Key: sshkey.TypeName(k.pub) + " " + sshkey.Fingerprint(k.pub)})
	allowed := k.Algorithms()
	own := sshkey.Plain(k.pub).Type()
	retry := *k
	switch {
	case k.only == "" && e.Got != e.Want && slices.Contains(allowed, e.Got):
		retry.only = e.Got
	case k.only != own && e.Want != own && slices.Contains(k.configured(), own):
		retry.only = own
	default:
		k.ring.d.notify(NoSignatureAlgorithm{})
		return
	}
	k.ring.again = &retry
}

func signWith(s ssh.Signer, rand io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	if as, ok := s.(ssh.AlgorithmSigner); ok {
		return as.SignWithAlgorithm(rand, data, algo)
	}
	return s.Sign(rand, data)
}

// Algorithms returns the algorithms with which the key can sign, in the order of
// PubkeyAcceptedAlgorithms.
func (k *identity) Algorithms() []string {
	if k.only != "" {
		return []string{k.only}
	}
	return k.configured()
}

// configured returns the algorithms that the configuration permits for the key.
func (k *identity) configured() []string {
	var out []string
	for _, name := range k.ring.d.cfg.PubkeyAcceptedAlgorithms {
		plain, cert := sshkey.SignatureAlgorithm(name)
		if _, isCert := k.pub.(*ssh.Certificate); isCert != cert {
			continue
		}
		if signsWith(k.pub, plain) && !slices.Contains(out, plain) {
			out = append(out, plain)
		}
	}
	return out
}

// signsWith reports whether a key makes signatures of an algorithm.
func signsWith(k ssh.PublicKey, algo string) bool {
	k = sshkey.Plain(k)
	if k.Type() == ssh.KeyAlgoRSA {
		return algo == ssh.KeyAlgoRSASHA512 || algo == ssh.KeyAlgoRSASHA256 || algo == ssh.KeyAlgoRSA
	}
	return k.Type() == algo
}

// rsaBits returns the size of an RSA key, and zero for other keys.
func rsaBits(k ssh.PublicKey) int {
	ck, ok := sshkey.Plain(k).(ssh.CryptoPublicKey)
	if !ok {
		return 0
	}
	pub, ok := ck.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return 0
	}
	return pub.N.BitLen()
}

// load reads the private key file. It asks for the passphrase up to
// NumberOfPasswordPrompts times.
func (k *identity) load() (err error) {
	wipe.OnOwnStack(func() { err = k.loadFile() })
	return err
}

func (k *identity) loadFile() error {
	d := k.ring.d
	if signer, err := k.fromToken(); err != nil || signer != nil {
		k.signer = signer
		return err
	}
	if _, err := os.Stat(k.file); err != nil {
		if k.named {
			d.notify(KeyMissing{File: k.file, Err: err})
		}
		return err
	}
	kf, err := k.ring.files.private(k.file)
	if err != nil {
		return k.skipped(err)
	}
	defer k.ring.files.done(kf)
	d.notify(SecretRead{})
	key, err := kf.private(k.ring.ctx, nil)
	passphrase := ""
	for attempt := 1; errors.Is(err, ErrKeyPassphrase); attempt++ {
		if d.opts.Prompter == nil || d.cfg.BatchMode || attempt > d.cfg.NumberOfPasswordPrompts {
			return ErrKeyPassphrase
		}
		askErr := d.untimed(func() (err error) {
			passphrase, err = d.opts.Prompter.Passphrase(k.ring.ctx, PassphraseQuestion{File: k.file, Attempt: attempt})
			return err
		})
		if askErr != nil {
			return askErr
		}
		if passphrase == "" {
			d.logf(levelDebug2, "no passphrase given, try next key")
			return ErrKeyPassphrase
		}
		d.notify(SecretRead{})
		key, err = k.decrypt(kf, passphrase)
	}
	if err != nil {
		return k.skipped(&KeyFileError{File: k.file, Err: err})
	}
	signer, err := k.signerOf(key.Key)
	switch {
	case errors.Is(err, errNoProvider):
		d.debugf("key %q is an authenticator-hosted key, but no provider specified", k.file)
		return err
	case err != nil:
		return k.skipped(&KeyFileError{File: k.file, Err: err})
	case k.pub == nil:
		k.pub = signer.PublicKey()
	case !sshkey.Same(sshkey.Plain(k.pub), signer.PublicKey()):
		return k.skipped(&KeyFileError{File: k.file, Err: ErrKeyMismatch})
	}
	k.signer, k.raw = signer, key.Key
	k.addToAgent(key)
	return nil
}

// errNoProvider means that a FIDO key cannot be used without
// SecurityKeyProvider.
var errNoProvider = errors.New("no SecurityKeyProvider")

// signerOf returns a signer for the key of a file.
func (k *identity) signerOf(raw any) (ssh.Signer, error) {
	key, ok := raw.(*sshkey.SecurityKey)
	switch {
	case !ok:
		return ssh.NewSignerFromKey(raw)
	case k.ring.d.cfg.SecurityKeyProvider == "":
		return nil, errNoProvider
	}
	return &securityKeySigner{id: k, key: &keyhelper.SecurityKey{
		Public: key.Public, Flags: key.Flags, KeyHandle: key.KeyHandle, Reserved: key.Reserved,
	}}, nil
}

// minSecret is the smallest allocation for a secret. Smaller ones share a block,
// which lives as long as any of them.
const minSecret = 32

// decrypt decrypts the key with a copy of the passphrase, which it overwrites.
func (k *identity) decrypt(kf *keyFile, passphrase string) (*sshkey.Private, error) {
	secret := append(make([]byte, 0, max(minSecret, len(passphrase))), passphrase...)
	defer clear(secret)
	return kf.private(k.ring.ctx, secret)
}

// skipped reports a file that gave no key, unless it does not exist.
func (k *identity) skipped(err error) error {
	var failed *KeyFileError
	if errors.As(err, &failed) && !errors.Is(err, fs.ErrNotExist) {
		k.ring.d.notify(KeyFileSkipped{failed})
	}
	return err
}

// addToAgent adds the key to the agent if AddKeysToAgent is set.
func (k *identity) addToAgent(private *sshkey.Private) {
	d, want := k.ring.d, k.ring.d.cfg.AddKeysToAgent
	if want.Add == sshconfig.No || want.Add == "" || k.ring.agent == nil {
		return
	}
	if want.Add == sshconfig.Ask {
		ok := false
		err := d.untimed(func() (err error) {
			if d.opts.Prompter == nil || d.cfg.BatchMode {
				return nil
			}
			ok, err = d.opts.Prompter.AddKey(k.ring.ctx, AddKeyQuestion{File: k.file, Fingerprint: ssh.FingerprintSHA256(k.pub)})
			return err
		})
		if err != nil || !ok {
			return
		}
	}
	key := agentfwd.AddedKey{PrivateKey: private.Key, Comment: cmp.Or(private.Comment, k.file), Lifetime: want.Lifetime, Confirm: want.Confirm}
	err := d.untimed(func() error { return k.ring.agent.Add(k.ring.ctx, key) })
	if err != nil {
		d.debugf("could not add identity to agent: %v", err)
		return
	}
	d.debugf("identity added to agent: %s", k.file)
}
