package transport

import (
	"io"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// exchange is a key exchange under way. It begins when our KEXINIT is sent.
type exchange struct {
	init    kexInitMsg
	packet  []byte // init on the wire
	guessed *method
	ours    ephemeral // of guessed
}

// startExchange sends KEXINIT, unless it was sent already. From then on only the
// transport's own messages are sent until the keys are new.
func (c *Conn) startExchange() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.startExchangeLocked()
}

func (c *Conn) startExchangeLocked() error {
	if c.exchange != nil || c.err != nil {
		return c.err
	}
	ex := &exchange{init: c.offer()}
	if _, err := io.ReadFull(c.cfg.Rand, ex.init.Cookie[:]); err != nil {
		return err
	}
	first := c.sessionID == nil
	if first && c.cfg.Guess && len(ex.init.KexAlgos) > 0 {
		if m := methodByName(ex.init.KexAlgos[0]); m != nil && m.begin != nil {
			var err error
			if ex.ours, err = m.begin(c.cfg.Rand); err != nil {
				return err
			}
			ex.guessed = m
			ex.init.FirstKexFollows = true
		}
	}
	ex.packet = ssh.Marshal(&ex.init)
	c.exchange = ex
	c.out.append(ex.packet, nil)
	if ex.guessed != nil {
		c.out.append(ssh.Marshal(&kexInit30Msg{ex.ours.public()}), nil)
	}
	if c.started {
		c.wakeFlusher()
	}
	return nil
}

// offer returns our KEXINIT without its cookie.
func (c *Conn) offer() kexInitMsg {
	known := func(names []string, ok func(string) bool) []string {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !ok(n) })
	}
	kex := known(c.cfg.KeyExchanges, func(n string) bool { return methodByName(n) != nil })
	if c.sessionID == nil {
		kex = append(kex, extInfoClient, strictClient)
	}
	ciphers := known(c.cfg.Ciphers, func(n string) bool { return cipherByName(n) != nil })
	macs := known(c.cfg.MACs, func(n string) bool { return macByName(n) != nil })
	none := []string{"none"}
	return kexInitMsg{
		KexAlgos: kex, ServerHostKeyAlgos: slices.Clone(c.cfg.HostKeyAlgorithms),
		CiphersClientServer: ciphers, CiphersServerClient: ciphers,
		MACsClientServer: macs, MACsServerClient: macs,
		CompressionClientServer: none, CompressionServerClient: none,
	}
}

func methodByName(name string) *method {
	for _, m := range methods() {
		if slices.Contains(m.names, name) {
			return &m
		}
	}
	return nil
}

// transportMessage handles a message of this layer.
func (c *Conn) transportMessage(p []byte) error {
	switch p[0] {
	case msgDisconnect:
		var m disconnectMsg
		if err := ssh.Unmarshal(p, &m); err != nil {
			return protocolErrorf("malformed DISCONNECT")
		}
		return &DisconnectError{Reason: m.Reason, Message: m.Message}
	case msgKexInit:
		return c.runExchange(slices.Clone(p))
	case msgExtInfo:
		if c.initial {
			break
		}
		return c.extInfo(p[1:])
	case msgIgnore, msgDebug, msgUnimplemented:
		// With strict key exchange nothing else may come in the first one. Whether
		// it is strict is known from KEXINIT, which then has to be the first.
		if c.initial {
			c.early++
		}
		return nil
	case msgPing:
		if c.initial {
			break
		}
		return c.QueuePacket(append([]byte{msgPong}, p[1:]...))
	case msgPong:
		return nil
	}
	if c.initial || p[0] == msgNewKeys || p[0] >= msgKexFirst && p[0] <= msgKexLast {
		return protocolErrorf("unexpected message %d", p[0])
	}
	return c.Unimplemented()
}

// Unimplemented answers the packet that ReadPacket returned last with
// SSH_MSG_UNIMPLEMENTED, as a message of an unknown number has to be answered
// (RFC 4253, section 11.4). It is called by the caller of ReadPacket.
func (c *Conn) Unimplemented() error {
	seq := c.in.seq - 1
	return c.QueuePacket([]byte{msgUnimplemented, byte(seq >> 24), byte(seq >> 16), byte(seq >> 8), byte(seq)})
}

// Limits on EXT_INFO.
const (
	maxExtensions = 64
	maxExtInfos   = 2 // after NEWKEYS, and before USERAUTH_SUCCESS (RFC 8308, section 2.4)
)

func (c *Conn) extInfo(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extensionsIn++; c.extensionsIn > maxExtInfos {
		return nil
	}
	r := wire.NewReader(p)
	n := r.Uint32()
	if n > maxExtensions {
		return protocolErrorf("EXT_INFO with %d extensions", n)
	}
	if c.extensions == nil {
		c.extensions = make(map[string]string)
	}
	for range n {
		name, value := r.Text(), r.Text()
		if r.Err() != nil {
			break
		}
		c.extensions[name] = value
	}
	if r.Err() != nil {
		return protocolErrorf("malformed EXT_INFO")
	}
	return nil
}

// runExchange exchanges keys after the server's KEXINIT, which packet is.
func (c *Conn) runExchange(packet []byte) error {
	var theirs kexInitMsg
	if err := ssh.Unmarshal(packet, &theirs); err != nil {
		return protocolErrorf("malformed KEXINIT")
	}
	if err := c.startExchange(); err != nil {
		return err
	}
	ex := c.exchange
	first := c.sessionID == nil
	if first {
		c.strict = slices.Contains(theirs.KexAlgos, strictServer)
		if c.strict && c.early > 0 {
			return protocolErrorf("strict key exchange violation: KEXINIT was not the first message")
		}
		c.serverKex = theirs.KexAlgos
	}
	agreed, err := negotiate(&ex.init, &theirs)
	if err != nil {
		return err
	}
	right := guessedRight(&ex.init, &theirs)
	if theirs.FirstKexFollows && !right {
		if _, err := c.nextKex(); err != nil {
			return err
		}
	}
	m := methodByName(agreed.KeyExchange)
	if !right || ex.guessed == nil {
		ex.ours = nil
	}
	t := &transcript{hash: m.hash, clientVersion: c.clientVersion, serverVersion: c.serverVersion,
		clientInit: ex.packet, serverInit: packet}
	if err := c.exchangeSecrets(t, m, ex.ours, agreed); err != nil {
		return err
	}
	if err := c.verifyHostKey(t, agreed.HostKey); err != nil {
		return err
	}
	if first {
		c.sessionID = t.sum
	}
	return c.switchKeys(t, agreed)
}

// exchangeSecrets does the method's own messages.
func (c *Conn) exchangeSecrets(t *transcript, m *method, ours ephemeral, agreed Algorithms) (err error) {
	if m.begin == nil {
		return c.groupExchange(t, agreed)
	}
	if ours == nil {
		if ours, err = m.begin(c.cfg.Rand); err != nil {
			return err
		}
		if err := c.sendKex(ssh.Marshal(&kexInit30Msg{ours.public()})); err != nil {
			return err
		}
	}
	p, err := c.nextKex()
	if err != nil {
		return err
	}
	var reply kexReply31Msg
	if err := ssh.Unmarshal(p, &reply); err != nil {
		return protocolErrorf("malformed reply of the key exchange")
	}
	t.hostKey, t.signature = slices.Clone(reply.HostKey), slices.Clone(reply.Signature)
	server := slices.Clone(reply.Public)
	if t.secret, err = ours.shared(server); err != nil {
		return err
	}
	t.finish(wire.AppendString(nil, ours.public()), wire.AppendString(nil, server))
	return nil
}

// groupExchange is diffie-hellman-group-exchange (RFC 4419).
func (c *Conn) groupExchange(t *transcript, agreed Algorithms) error {
	bits := max(keyBits(agreed.Read), keyBits(agreed.Write))
	ask := gexRequestMsg{Min: minGroupBits, Preferred: preferredGroupBits(bits), Max: maxGroupBits}
	if err := c.sendKex(ssh.Marshal(&ask)); err != nil {
		return err
	}
	p, err := c.nextKex()
	if err != nil {
		return err
	}
	var group gexGroupMsg
	if err := ssh.Unmarshal(p, &group); err != nil {
		return protocolErrorf("malformed group of the key exchange")
	}
	pBytes, gBytes := slices.Clone(group.P), slices.Clone(group.G)
	prime, generator, err := checkGroup(pBytes, gBytes)
	if err != nil {
		return err
	}
	ours, err := newDH(prime, generator, c.cfg.Rand)
	if err != nil {
		return err
	}
	if err := c.sendKex(ssh.Marshal(&gexInitMsg{ours.public()})); err != nil {
		return err
	}
	if p, err = c.nextKex(); err != nil {
		return err
	}
	var reply gexReplyMsg
	if err := ssh.Unmarshal(p, &reply); err != nil {
		return protocolErrorf("malformed reply of the key exchange")
	}
	t.hostKey, t.signature = slices.Clone(reply.HostKey), slices.Clone(reply.Signature)
	server := slices.Clone(reply.Public)
	if t.secret, err = ours.shared(server); err != nil {
		return err
	}
	sizes := ssh.Marshal(&ask)[1:]
	t.finish(sizes, wire.AppendString(nil, pBytes), wire.AppendString(nil, gBytes), wire.AppendString(nil, ours.public()), wire.AppendString(nil, server))
	return nil
}

// keyBits is the strength of the keys of one direction.
func keyBits(d Direction) int {
	n := 0
	if s := cipherByName(d.Cipher); s != nil {
		n = s.keySize
		if s.ivSize == 0 {
			n = 32 // chacha20 has two keys
		}
	}
	if s := macByName(d.MAC); s != nil {
		n = max(n, s.keySize)
	}
	return 8 * n
}

// sendKex sends a message of the key exchange.
func (c *Conn) sendKex(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.out.append(p, nil)
	if c.started {
		c.wakeFlusher()
	}
	return nil
}

// nextKex returns the server's next message of a key exchange. In between the
// server may send what concerns the transport alone, in a strict first exchange
// nothing.
func (c *Conn) nextKex() ([]byte, error) {
	if !c.started {
		if err := c.flushAll(); err != nil {
			return nil, err
		}
	}
	for {
		p, err := c.in.next()
		if err != nil {
			return nil, err
		}
		switch {
		case p[0] == msgNewKeys || p[0] >= msgKexFirst && p[0] <= msgKexLast:
			return p, nil
		case p[0] == msgDisconnect:
			return nil, c.transportMessage(p)
		case p[0] >= msgIgnore && p[0] <= msgDebug && !(c.strict && c.initial):
			continue
		}
		return nil, protocolErrorf("message %d during a key exchange", p[0])
	}
}

// switchKeys sends NEWKEYS, waits for the server's, and uses the new keys.
func (c *Conn) switchKeys(t *transcript, agreed Algorithms) error {
	read, err := t.protection(agreed.Read, c.sessionID, 'B', 'D', 'F', true)
	if err != nil {
		return err
	}
	write, err := t.protection(agreed.Write, c.sessionID, 'A', 'C', 'E', false)
	if err != nil {
		return err
	}
	clear(t.secret)
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.err
	}
	c.out.append([]byte{msgNewKeys}, nil)
	c.out.guard.clear()
	c.out.guard = write
	c.out.packets, c.out.bytes = 0, 0
	if c.strict {
		c.out.seq = 0
	}
	c.exchange = nil
	c.algorithms = agreed
	c.limits = [2]uint64{c.rekeyLimit(agreed.Read.Cipher), c.rekeyLimit(agreed.Write.Cipher)}
	for _, p := range c.held {
		c.out.append(p, nil)
	}
	c.held, c.heldBytes = nil, 0
	if c.started {
		c.wakeFlusher()
		c.restartTimer()
	}
	c.changed.Broadcast()
	c.mu.Unlock()

	p, err := c.nextNewKeys()
	if err != nil {
		return err
	}
	if len(p) != 1 {
		return protocolErrorf("malformed NEWKEYS")
	}
	c.in.guard.clear()
	c.in.guard = read
	c.in.packets, c.in.bytes = 0, 0
	if c.strict {
		c.in.seq = 0
	}
	c.initial = false
	if c.cfg.OnKeyExchange != nil {
		c.cfg.OnKeyExchange(agreed)
	}
	return nil
}

// nextNewKeys returns the server's NEWKEYS.
func (c *Conn) nextNewKeys() ([]byte, error) {
	for {
		if !c.started && c.in.w-c.in.r < c.in.guard.headSize() {
			// The server may wait for ours.
			if err := c.flushAll(); err != nil {
				return nil, err
			}
		}
		p, err := c.in.next()
		if err != nil {
			return nil, err
		}
		switch {
		case p[0] == msgNewKeys:
			return p, nil
		case p[0] == msgDisconnect:
			return nil, c.transportMessage(p)
		case p[0] >= msgIgnore && p[0] <= msgDebug && !(c.strict && c.initial):
			continue
		}
		return nil, protocolErrorf("message %d in place of NEWKEYS", p[0])
	}
}
