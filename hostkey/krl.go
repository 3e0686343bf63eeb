package hostkey

import (
	"bytes"
	"crypto/sha1" // revocation by SHA-1 fingerprint
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

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
	w := &wire{rest: bytes.TrimPrefix(data, []byte(krlMagic))}
	if len(w.rest) == len(data) {
		return nil, fmt.Errorf("%w: bad magic", errKRL)
	}
	if version := w.uint32(); version != 1 {
		return nil, fmt.Errorf("%w: format version %d", errKRL, version)
	}
	w.uint64() // KRL version
	w.uint64() // date of generation
	w.uint64() // flags: none are defined
	w.string() // reserved
	w.string() // comment
	k := &krl{
		keys:   make(map[string]bool),
		sha1:   make(map[[sha1.Size]byte]bool),
		sha256: make(map[[sha256.Size]byte]bool),
	}
	for w.more() {
		section, body := w.uint8(), w.string()
		if section == krlSignature {
			w.string() // what came before was the key, this is the signature
			continue
		}
		if w.err != nil {
			break
		}
		if err := k.section(section, &wire{rest: body}); err != nil {
			return nil, err
		}
	}
	if w.err != nil {
		return nil, fmt.Errorf("%w: %w", errKRL, w.err)
	}
	return k, nil
}

// section reads one section. What is unknown makes the KRL useless: it might
// revoke something.
func (k *krl) section(kind uint8, w *wire) error {
	switch kind {
	case krlCertificates:
		return k.certificates(w)
	case krlExtension:
		return krlSkipExtension(w)
	case krlExplicitKey, krlFingerprintSHA1, krlFingerprintSHA256:
	default:
		return fmt.Errorf("%w: unsupported section %d", errKRL, kind)
	}
	for w.more() {
		blob := w.string()
		switch {
		case w.err != nil:
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
func (k *krl) certificates(w *wire) error {
	c := krlCerts{ca: w.string(), serials: make(map[uint64]bool), ids: make(map[string]bool)}
	w.string() // reserved
	for w.more() {
		kind, body := w.uint8(), w.string()
		if w.err != nil {
			break
		}
		if err := c.section(kind, &wire{rest: body}); err != nil {
			return err
		}
	}
	k.certs = append(k.certs, c)
	return krlDone(w)
}

// section reads one way of naming certificates.
func (c *krlCerts) section(kind uint8, w *wire) error {
	switch kind {
	case krlCertSerialList:
		for w.more() {
			c.serials[w.uint64()] = true
		}
	case krlCertSerialRange:
		r := serialRange{lo: w.uint64(), hi: w.uint64()}
		if r.lo > r.hi {
			return fmt.Errorf("%w: serial range %d-%d", errKRL, r.lo, r.hi)
		}
		c.ranges = append(c.ranges, r)
	case krlCertSerialBitmap:
		b := serialBitmap{offset: w.uint64(), bits: bytes.TrimLeft(w.string(), "\x00")}
		if n := b.len(); n > 0 && b.offset+(n-1) < b.offset {
			return fmt.Errorf("%w: bitmap wraps", errKRL)
		}
		c.bitmaps = append(c.bitmaps, b)
	case krlCertKeyID:
		for w.more() {
			c.ids[string(w.string())] = true
		}
	case krlCertExtension:
		return krlSkipExtension(w)
	default:
		return fmt.Errorf("%w: unsupported certificate section %#x", errKRL, kind)
	}
	return krlDone(w)
}

// krlSkipExtension steps over an extension, unless it is critical.
func krlSkipExtension(w *wire) error {
	name, critical := w.string(), w.uint8()
	w.string()
	if critical != 0 && w.err == nil {
		return fmt.Errorf("%w: unsupported critical extension %q", errKRL, name)
	}
	return krlDone(w)
}

// krlDone wants a section read to its very end.
func krlDone(w *wire) error {
	if w.err != nil {
		return fmt.Errorf("%w: %w", errKRL, w.err)
	}
	if len(w.rest) != 0 {
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
	if k.revokesPlain(plainKey(key)) {
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
