package sshkey

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"math/big"
	"strconv"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

const puttyMagic = "PuTTY-User-Key-File-"

// Bounds of Argon2's cost: a gigabyte, and some minutes. PuTTY's defaults are 8
// MiB and a tenth of a second.
const (
	maxArgon2KiB  = 1 << 20
	maxArgon2Cost = 1 << 28 // passes times KiB
)

func isPuTTY(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte(puttyMagic))
}

// putty is a key file of PuTTY, version 2 or 3 (PuTTY's manual, appendix C).
type putty struct {
	version         int
	algorithm       string
	encryption      string
	comment         string
	public, private []byte
	fields          map[string]string
}

func readPuTTY(text []byte) (*putty, error) {
	p := &putty{fields: make(map[string]string)}
	lines := bytes.Split(bytes.TrimLeft(text, " \t\r\n"), []byte{'\n'})
	for i := 0; i < len(lines); i++ {
		name, rest, ok := bytes.Cut(bytes.TrimRight(lines[i], "\r"), []byte(": "))
		if !ok {
			continue
		}
		switch value := string(rest); string(name) {
		case puttyMagic + "2", puttyMagic + "3":
			p.version = int(name[len(puttyMagic)] - '0')
			p.algorithm = value
		case "Encryption":
			p.encryption = value
		case "Comment":
			p.comment = value
		case "Public-Lines", "Private-Lines":
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n > len(lines)-i-1 {
				return nil, ErrFormat
			}
			blob, err := decodeLines(lines[i+1 : i+1+n])
			if err != nil {
				return nil, ErrFormat
			}
			if i += n; string(name) == "Public-Lines" {
				p.public = blob
			} else {
				p.private = blob
			}
		default:
			p.fields[string(name)] = value
		}
	}
	if p.version == 0 || p.encryption == "" {
		return nil, ErrFormat
	}
	return p, nil
}

// decodeLines decodes base64 that was broken into lines.
func decodeLines(lines [][]byte) ([]byte, error) {
	encoded := bytes.Join(lines, []byte{'\n'}) // and carriage returns, which are skipped too
	defer clear(encoded)
	blob := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	n, err := base64.StdEncoding.Decode(blob, encoded)
	return blob[:n], err
}

func puttyPublic(text []byte) (ssh.PublicKey, error) {
	p, err := readPuTTY(text)
	if err != nil {
		return nil, err
	}
	pub, err := ssh.ParsePublicKey(p.public)
	if err != nil {
		return nil, ErrFormat
	}
	return pub, nil
}

func parsePuTTY(text []byte, s *secret) (*Private, error) {
	p, err := readPuTTY(text)
	if err != nil {
		return nil, err
	}
	defer clear(p.private)
	var keys []byte
	switch {
	case p.encryption == "none":
		keys = p.plainKeys()
	case p.encryption != "aes256-cbc":
		return nil, ErrCipher
	case len(p.private)%aes.BlockSize != 0:
		return nil, ErrFormat
	default:
		derivation, err := p.derivation()
		if err != nil {
			return nil, err
		}
		if keys, err = s.derive(derivation); err != nil {
			return nil, err
		}
		defer clear(keys)
		block, err := aes.NewCipher(keys[:32])
		if err != nil {
			return nil, ErrFormat
		}
		cipher.NewCBCDecrypter(block, keys[32:48]).CryptBlocks(p.private, p.private)
	}
	if !p.authentic(keys[48:]) {
		if p.encryption == "none" {
			return nil, ErrFormat
		}
		return nil, ErrPassphrase
	}
	key, err := p.key()
	if err != nil {
		return nil, err
	}
	return &Private{Key: key, Comment: p.comment}, nil
}

// macKey2 is the key of the MAC in version 2.
func macKey2(passphrase []byte) []byte {
	h := sha1.New()
	h.Write([]byte("putty-private-key-file-mac-key"))
	h.Write(passphrase)
	return h.Sum(nil)
}

// plainKeys returns the keys of a file without encryption, laid out as derived
// keys are.
func (p *putty) plainKeys() []byte {
	keys := make([]byte, 48)
	if p.version == 2 {
		return append(keys, macKey2(nil)...)
	}
	return keys
}

// derivation returns what computes the keys of the cipher, of 32 bytes, its
// initialization vector, of 16, and the key of the MAC.
func (p *putty) derivation() (func([]byte) ([]byte, error), error) {
	if p.version == 2 {
		return func(passphrase []byte) ([]byte, error) {
			var keys []byte
			for i := range 2 {
				h := sha1.New()
				h.Write([]byte{0, 0, 0, byte(i)})
				h.Write(passphrase)
				keys = h.Sum(keys)
			}
			return append(append(keys[:32], make([]byte, 16)...), macKey2(passphrase)...), nil
		}, nil
	}
	number := func(name string, limit uint64) uint32 {
		n, err := strconv.ParseUint(p.fields[name], 10, 32)
		if err != nil || n > limit {
			return 0
		}
		return uint32(n)
	}
	kib, passes := number("Argon2-Memory", maxArgon2KiB), number("Argon2-Passes", 1<<32-1)
	threads := number("Argon2-Parallelism", 255)
	salt, err := hex.DecodeString(p.fields["Argon2-Salt"])
	if err != nil || kib == 0 || passes == 0 || threads == 0 {
		return nil, ErrFormat
	}
	if uint64(kib)*uint64(passes) > maxArgon2Cost {
		return nil, ErrKDFCost
	}
	var function func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte
	switch p.fields["Key-Derivation"] {
	case "Argon2id":
		function = argon2.IDKey
	case "Argon2i":
		function = argon2.Key
	default: // Argon2d, which x/crypto leaves out
		return nil, ErrCipher
	}
	return func(passphrase []byte) ([]byte, error) {
		return function(passphrase, salt, passes, kib, uint8(threads), 32+16+32), nil
	}, nil
}

// authentic checks the MAC, which is over what was decrypted.
func (p *putty) authentic(key []byte) bool {
	newHash := sha1.New
	if p.version == 3 {
		newHash = sha256.New
	}
	var text []byte
	for _, part := range [][]byte{[]byte(p.algorithm), []byte(p.encryption), []byte(p.comment), p.public, p.private} {
		text = wire.AppendString(text, part)
	}
	defer clear(text)
	want, err := hex.DecodeString(p.fields["Private-MAC"])
	return err == nil && hmac.Equal(mac(newHash, key, text), want)
}

func mac(newHash func() hash.Hash, key, text []byte) []byte {
	h := hmac.New(newHash, key)
	h.Write(text)
	return h.Sum(nil)
}

// key reads the private section by the type of the public key.
func (p *putty) key() (any, error) {
	pub, priv := wire.NewReader(p.public), wire.NewReader(p.private)
	if kind := string(pub.Bytes()); kind != p.algorithm {
		return nil, ErrFormat
	}
	switch p.algorithm {
	case ssh.KeyAlgoRSA:
		e, n := pub.MPInt(maxInteger), pub.MPInt(maxInteger)
		d, prime1, prime2 := priv.MPInt(maxInteger), priv.MPInt(maxInteger), priv.MPInt(maxInteger)
		if pub.Err() != nil || priv.Err() != nil {
			return nil, ErrFormat
		}
		return keyOf(newRSA(n, e, d, []*big.Int{prime1, prime2}))
	case ssh.KeyAlgoED25519:
		point, seed := pub.Bytes(), priv.Bytes()
		if pub.Err() != nil || priv.Err() != nil || len(seed) != ed25519.SeedSize {
			return nil, ErrFormat
		}
		key := ed25519.NewKeyFromSeed(seed)
		if !bytes.Equal(key[ed25519.SeedSize:], point) {
			return nil, ErrFormat
		}
		return key, nil
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		name, d := string(pub.Bytes()), priv.MPInt(maxInteger)
		for _, c := range curves() {
			if c.ssh == name && pub.Err() == nil && priv.Err() == nil {
				return keyOf(newECDSA(c.curve, d))
			}
		}
		return nil, ErrFormat
	}
	return nil, ErrKeyType
}
