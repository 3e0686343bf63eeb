package rawssh

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"

	"golang.org/x/crypto/ssh"
)

// kexInit is the body of SSH_MSG_KEXINIT (RFC 4253, section 7.1).
type kexInit struct {
	Cookie                [16]byte
	Kex, HostKey          []string
	CiphersIn, CiphersOut []string
	MACsIn, MACsOut       []string
	ZipsIn, ZipsOut       []string
	LanguagesIn, LangsOut []string
	Follows               bool
	Reserved              uint32
}

// Rekey performs a key exchange. ReadPacket must not run meanwhile. What the
// client sends before its answer is lost.
func (c *Conn) Rekey() error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	ours, err := c.sendKexInit()
	if err != nil {
		return err
	}
	for {
		theirs, err := c.readPacket()
		if err != nil {
			return err
		}
		if theirs[0] == MsgKexInit {
			return c.finish(theirs, ours)
		}
	}
}

// exchange answers the client's KEXINIT.
func (c *Conn) exchange(theirs []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	ours, err := c.sendKexInit()
	if err != nil {
		return err
	}
	return c.finish(theirs, ours)
}

func (c *Conn) sendKexInit() ([]byte, error) {
	m := kexInit{
		Kex: []string{"curve25519-sha256"}, HostKey: []string{c.hostKey.PublicKey().Type()},
		CiphersIn: []string{"aes128-gcm@openssh.com"}, CiphersOut: []string{"aes128-gcm@openssh.com"},
		MACsIn: []string{"hmac-sha2-256"}, MACsOut: []string{"hmac-sha2-256"}, // not used: GCM needs no MAC
		ZipsIn: []string{"none"}, ZipsOut: []string{"none"},
	}
	rand.Read(m.Cookie[:])
	p := append([]byte{MsgKexInit}, ssh.Marshal(m)...)
	return p, c.writePacket(p)
}

// finish completes the key exchange after both KEXINIT messages (RFC 8731).
func (c *Conn) finish(theirs, ours []byte) error {
	p, err := c.readPacket()
	if err != nil {
		return err
	}
	var init struct{ Public []byte }
	if p[0] != MsgKexECDHInit || ssh.Unmarshal(p[1:], &init) != nil {
		return fmt.Errorf("rawssh: message %d in place of the client's key exchange value (no common algorithm?)", p[0])
	}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	peer, err := ecdh.X25519().NewPublicKey(init.Public)
	if err != nil {
		return err
	}
	secret, err := key.ECDH(peer)
	if err != nil {
		return err
	}
	k := new(big.Int).SetBytes(secret)
	public, blob := key.PublicKey().Bytes(), c.hostKey.PublicKey().Marshal()
	hash := sha256.Sum256(ssh.Marshal(struct {
		ClientVersion, ServerVersion    string
		ClientInit, ServerInit, HostKey []byte
		ClientValue, ServerValue        []byte
		Secret                          *big.Int
	}{c.ClientVersion, c.version, theirs, ours, blob, init.Public, public, k}))
	sig, err := c.hostKey.Sign(rand.Reader, hash[:])
	if err != nil {
		return err
	}
	reply := ssh.Marshal(struct{ HostKey, Value, Signature []byte }{blob, public, ssh.Marshal(sig)})
	if err := c.writePacket(append([]byte{MsgKexECDHReply}, reply...)); err != nil {
		return err
	}
	if c.SessionID == nil {
		c.SessionID = hash[:]
	}
	return c.newKeys(k, hash[:])
}

// newKeys changes to the new keys, in each direction after NEWKEYS.
func (c *Conn) newKeys(k *big.Int, hash []byte) error {
	if err := c.writePacket([]byte{MsgNewKeys}); err != nil {
		return err
	}
	derive := func(letter byte) []byte { // RFC 4253, section 7.2
		h := sha256.New()
		h.Write(ssh.Marshal(struct{ K *big.Int }{k}))
		h.Write(hash)
		h.Write([]byte{letter})
		h.Write(c.SessionID)
		return h.Sum(nil)
	}
	if err := c.out.set(derive('D'), derive('B')); err != nil {
		return err
	}
	p, err := c.readPacket()
	if err != nil {
		return err
	}
	if p[0] != MsgNewKeys {
		return fmt.Errorf("rawssh: message %d in place of NEWKEYS", p[0])
	}
	return c.in.set(derive('C'), derive('A'))
}

func (s *sealer) set(key, iv []byte) error {
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		return err
	}
	s.aead, err = cipher.NewGCM(block)
	copy(s.iv[:], iv)
	return err
}
