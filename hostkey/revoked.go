package hostkey

import (
	"bytes"
	"crypto/sha1" // revocation by SHA-1 fingerprint
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// checkRevokedFiles refuses keys that RevokedHostKeys lists, also as the CA of
// a certificate. A file is all or nothing: if it is missing, or a line of it
// cannot be understood, every host is refused (RevokedHostKeys in ssh_config(5)).
func (c *Checker) checkRevokedFiles(t Target, key ssh.PublicKey) error {
	for _, file := range c.opts.RevokedHostKeys {
		if err := checkRevokedFile(file, t, key); err != nil {
			return err
		}
	}
	return nil
}

// checkRevokedFile refuses keys that one file lists.
func checkRevokedFile(file string, t Target, key ssh.PublicKey) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return &RevocationListError{File: file, KeyType: KeyType(key), Fingerprint: Fingerprint(key), Err: err}
	}
	revoked, err := revokedBy(data, key)
	if err != nil {
		return &RevocationListError{File: file, KeyType: KeyType(key), Fingerprint: Fingerprint(key), Err: err}
	}
	if revoked {
		return &RevokedError{
			Host: t.Name(), Key: key, KeyType: KeyType(key), Fingerprint: Fingerprint(key), File: file,
		}
	}
	return nil
}

// revokedBy asks a KRL or a list of public keys.
func revokedBy(data []byte, key ssh.PublicKey) (bool, error) {
	if isKRL(data) {
		k, err := parseKRL(data)
		if err != nil {
			return false, err
		}
		return k.revokes(key), nil
	}
	cert, isCert := key.(*ssh.Certificate)
	num := 0
	for text := range strings.Lines(string(data)) {
		num++
		text = strings.TrimLeft(strings.TrimRight(text, "\r\n"), blanks)
		if text == "" || text[0] == '#' {
			continue
		}
		listed, err := parseKeyText(text)
		if err != nil {
			return false, fmt.Errorf("line %d: %w", num, err)
		}
		if samePublic(key, listed) || isCert && samePublic(cert.SignatureKey, listed) {
			return true, nil
		}
	}
	return false, nil
}

// krlMagic begins a key revocation list (OpenSSH's PROTOCOL.krl).
const krlMagic = "SSHKRL\n\x00"

// The sections of a KRL, and those inside a certificates section.
const (
	krlCertificates      = 1
	krlExplicitKey       = 2
	krlFingerprintSHA1   = 3
	krlSignature         = 4
	krlFingerprintSHA256 = 5
	krlExtension         = 255

	krlCertSerialList   = 0x20
	krlCertSerialRange  = 0x21
	krlCertSerialBitmap = 0x22
	krlCertKeyID        = 0x23
	krlCertExtension    = 0x39
)

var errKRL = errors.New("malformed KRL")

// krl is a key revocation list, ready to be asked.
type krl struct {
	keys   map[string]bool // by the blob of the plain key
	sha1   map[[sha1.Size]byte]bool
	sha256 map[[sha256.Size]byte]bool
	certs  []krlCerts
}

// krlCerts revokes certificates of one CA; of all if ca is empty.
type krlCerts struct {
	ca      []byte
	serials map[uint64]bool
	ranges  []serialRange
	bitmaps []serialBitmap
	ids     map[string]bool
}

// serialRange includes both ends.
type serialRange struct{ lo, hi uint64 }

// serialBitmap has serial offset+n in bit n, counted from the last byte. It is
// kept as it is: a megabyte of bits stays a megabyte.
type serialBitmap struct {
	offset uint64
	bits   []byte
}

// isKRL tells a KRL from a list of public keys.
func isKRL(data []byte) bool { return bytes.HasPrefix(data, []byte(krlMagic)) }

// parseKRL reads a KRL. Signatures are stepped over: ssh has no setting to say
// whose would count.
func parseKRL(data []byte) (*krl, error) {
	w := wire.NewReader(bytes.TrimPrefix(data, []byte(krlMagic)))
	if len(w.Rest()) == len(data) {
		return nil, fmt.Errorf("%w: bad magic", errKRL)
	}
	if version := w.Uint32(); version != 1 {
		return nil, fmt.Errorf("%w: format version %d", errKRL, version)
	}
	w.Uint64() // KRL version
	w.Uint64() // date of generation
	w.Uint64() // flags: none are defined
	w.Bytes()  // reserved
	w.Bytes()  // comment
	k := &krl{
		keys:   make(map[string]bool),
		sha1:   make(map[[sha1.Size]byte]bool),
		sha256: make(map[[sha256.Size]byte]bool),
	}
	for w.More() {
		section, body := w.Byte(), w.Bytes()
		if section == krlSignature {
			w.Bytes() // what came before was the key, this is the signature
			continue
		}
		if w.Err() != nil {
			break
		}
		if err := k.section(section, wire.NewReader(body)); err != nil {
			return nil, err
		}
	}
	if w.Err() != nil {
		return nil, fmt.Errorf("%w: %w", errKRL, w.Err())
	}
	return k, nil
}

// section reads one section. What is unknown makes the KRL useless: it might
// revoke something.
func (k *krl) section(kind uint8, w *wire.Reader) error {
	switch kind {
	case krlCertificates:
		return k.certificates(w)
	case krlExtension:
		return krlSkipExtension(w)
	case krlExplicitKey, krlFingerprintSHA1, krlFingerprintSHA256:
	default:
		return fmt.Errorf("%w: unsupported section %d", errKRL, kind)
	}
	for w.More() {
		blob := w.Bytes()
		switch {
		case w.Err() != nil:
		case kind == krlExplicitKey:
			k.keys[string(blob)] = true
		case kind == krlFingerprintSHA1 && len(blob) == sha1.Size:
			k.sha1[[sha1.Size]byte(blob)] = true
		case kind == krlFingerprintSHA256 && len(blob) == sha256.Size:
			k.sha256[[sha256.Size]byte(blob)] = true
		default:
			return fmt.Errorf("%w: fingerprint of %d bytes", errKRL, len(blob))
		}
	}
	return krlDone(w)
}

// certificates reads the section of one CA.
func (k *krl) certificates(w *wire.Reader) error {
	c := krlCerts{ca: w.Bytes(), serials: make(map[uint64]bool), ids: make(map[string]bool)}
	w.Bytes() // reserved
	for w.More() {
		kind, body := w.Byte(), w.Bytes()
		if w.Err() != nil {
			break
		}
		if err := c.section(kind, wire.NewReader(body)); err != nil {
			return err
		}
	}
	k.certs = append(k.certs, c)
	return krlDone(w)
}

// section reads one way of naming certificates.
func (c *krlCerts) section(kind uint8, w *wire.Reader) error {
	switch kind {
	case krlCertSerialList:
		for w.More() {
			c.serials[w.Uint64()] = true
		}
	case krlCertSerialRange:
		r := serialRange{lo: w.Uint64(), hi: w.Uint64()}
		if r.lo > r.hi {
			return fmt.Errorf("%w: serial range %d-%d", errKRL, r.lo, r.hi)
		}
		c.ranges = append(c.ranges, r)
	case krlCertSerialBitmap:
		b := serialBitmap{offset: w.Uint64(), bits: bytes.TrimLeft(w.Bytes(), "\x00")}
		if n := b.len(); n > 0 && b.offset+(n-1) < b.offset {
			return fmt.Errorf("%w: bitmap wraps", errKRL)
		}
		c.bitmaps = append(c.bitmaps, b)
	case krlCertKeyID:
		for w.More() {
			c.ids[string(w.Bytes())] = true
		}
	case krlCertExtension:
		return krlSkipExtension(w)
	default:
		return fmt.Errorf("%w: unsupported certificate section %#x", errKRL, kind)
	}
	return krlDone(w)
}

// krlSkipExtension steps over an extension, unless it is critical.
func krlSkipExtension(w *wire.Reader) error {
	name, critical := w.Bytes(), w.Byte()
	w.Bytes()
	if critical != 0 && w.Err() == nil {
		return fmt.Errorf("%w: unsupported critical extension %q", errKRL, name)
	}
	return krlDone(w)
}

// krlDone wants a section read to its very end.
func krlDone(w *wire.Reader) error {
	if w.Err() != nil {
		return fmt.Errorf("%w: %w", errKRL, w.Err())
	}
	if len(w.Rest()) != 0 {
		return fmt.Errorf("%w: unparsed data in a section", errKRL)
	}
	return nil
}

// len is the number of bits in the bitmap, as an upper bound.
func (b *serialBitmap) len() uint64 {
	if len(b.bits) == 0 {
		return 0
	}
	n := uint64(len(b.bits)) * 8
	for top := b.bits[0]; top&0x80 == 0; top <<= 1 {
		n--
	}
	return n
}

func (b *serialBitmap) has(serial uint64) bool {
	n := serial - b.offset
	if serial < b.offset || n >= uint64(len(b.bits))*8 {
		return false
	}
	return b.bits[uint64(len(b.bits))-1-n/8]>>(n%8)&1 == 1
}

// revokes reports that the key, the certificate, or its CA's key is revoked.
func (k *krl) revokes(key ssh.PublicKey) bool {
	if k.revokesPlain(sshkey.Plain(key)) {
		return true
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return false
	}
	ca := cert.SignatureKey.Marshal()
	for i := range k.certs {
		c := &k.certs[i]
		if (len(c.ca) == 0 || bytes.Equal(c.ca, ca)) && c.revokes(cert) {
			return true
		}
	}
	return k.revokesPlain(cert.SignatureKey)
}

func (k *krl) revokesPlain(key ssh.PublicKey) bool {
	blob := key.Marshal()
	return k.keys[string(blob)] || k.sha1[sha1.Sum(blob)] || k.sha256[sha256.Sum256(blob)]
}

// revokes looks for the key ID and the serial number; serial 0 means that the
// CA gives out none, and is never revoked.
func (c *krlCerts) revokes(cert *ssh.Certificate) bool {
	if c.ids[cert.KeyId] {
		return true
	}
	if cert.Serial == 0 {
		return false
	}
	if c.serials[cert.Serial] {
		return true
	}
	for _, r := range c.ranges {
		if r.lo <= cert.Serial && cert.Serial <= r.hi {
			return true
		}
	}
	for i := range c.bitmaps {
		if c.bitmaps[i].has(cert.Serial) {
			return true
		}
	}
	return false
}
