package hostkey

import (
	"slices"

	"golang.org/x/crypto/ssh"
)

// unlikeEarlier reports that earlier connections accepted keys, and not this
// one. A certificate counts as the key in it: what is on file vouches for its
// CA, or the CA does not count.
func (o *Options) unlikeEarlier(key ssh.PublicKey) bool {
	return len(o.Earlier) > 0 && !slices.ContainsFunc(o.Earlier, func(k ssh.PublicKey) bool { return samePublic(k, key) })
}

// hasEarlier reports that an earlier connection accepted a key of this format.
func (o *Options) hasEarlier(format string) bool {
	return slices.ContainsFunc(o.Earlier, func(k ssh.PublicKey) bool { return plainKey(k).Type() == format })
}

// earlierError refuses a key that is not one of Options.Earlier.
func earlierError(t Target, key ssh.PublicKey) error {
	key = plainKey(key)
	return &ChangedError{
		Host: t.Name(), Key: key, KeyType: KeyType(key), Fingerprint: Fingerprint(key), Earlier: true,
	}
}

// Accepted returns the key of the first key exchange, followed by the keys that
// the server has proven since (UpdateHostKeys). It returns nil before the first
// key exchange. The result is for Options.Earlier of the next connection.
func (v *Verifier) Accepted() []ssh.PublicKey {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.verdict == nil {
		return nil
	}
	return append([]ssh.PublicKey{v.verdict.Key}, v.learned...)
}

// learn remembers keys that the server has proven.
func (v *Verifier) learn(keys []ssh.PublicKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.learned = append(v.learned, keys...)
}
