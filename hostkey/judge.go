package hostkey

import (
	"context"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// judge comes to the verdict on a plain key. addr is what is on file for the
// address, nil if CheckHostIP has no part in it.
func (k *check) judge(ctx context.Context, key ssh.PublicKey, found, addr *comparison) (*Verdict, error) {
	if !k.checkIP {
		addr = nil
	}
	var v *Verdict
	var err error
	switch found.status {
	case keyOK:
		v = k.known(ctx, key, found, addr)
	case keyNew:
		v, err = k.unknown(ctx, key, addr)
	case keyRevoked:
		v, err = k.revoked(key, found)
	case keyChanged:
		v, err = k.changed(key, found, addr)
	}
	if err != nil {
		return nil, err
	}
	v.checkIP = k.checkIP
	if addr != nil && found.status != keyChanged && addr.status == keyChanged {
		if err := k.addressDiffers(ctx, key, found, addr); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// known accepts a key that is on file, and puts the address on file with it.
func (k *check) known(ctx context.Context, key ssh.PublicKey, found, addr *comparison) *Verdict {
	k.matched(key, found)
	v := &Verdict{Status: StatusKnown, Key: key, Found: found.where()}
	v.MayUpdate = k.opts.UpdateHostKeys != UpdateNo && !found.entry.fromCommand && !k.global(found) &&
		!(addr != nil && addr.status == keyOK && k.global(addr))
	if addr != nil && addr.status == keyNew {
		k.addAddress(ctx, key, found)
	}
	return v
}

// global reports that a line is in a GlobalKnownHostsFile, which is not ours
// to write to.
func (k *check) global(found *comparison) bool {
	return slices.Contains(k.opts.GlobalFiles, found.entry.File)
}

// addAddress adds the peer's address for a host that is known.
func (k *check) addAddress(ctx context.Context, key ssh.PublicKey, found *comparison) {
	address := k.target.Address()
	if k.readOnly() || found.entry.fromCommand {
		k.opts.Notify(AddressUnknown{Address: address, KeyType: KeyType(key)})
		return
	}
	file := k.opts.UserFiles[0]
	if err := k.opts.addKey(ctx, file, []string{address}, key); err != nil {
		k.opts.Notify(AddressAddFailed{Address: address, KeyType: KeyType(key), File: file, Err: err})
		return
	}
	k.opts.Notify(AddressAdded{Address: address, KeyType: KeyType(key), File: file})
}

// readOnly reports that nothing may be written: there is no user file, or this
// is the look-up without the port.
func (k *check) readOnly() bool { return k.withoutPort || len(k.opts.UserFiles) == 0 }

// unknown deals with a host of which nothing is on file. Without a file to add
// to OpenSSH refuses it, whatever StrictHostKeyChecking says.
func (k *check) unknown(ctx context.Context, key ssh.PublicKey, addr *comparison) (*Verdict, error) {
	if v, err := k.retryWithoutPort(ctx, key); v != nil || err != nil {
		return v, err
	}
	if !k.withoutPort && k.opts.unlikeEarlier(key) {
		return nil, earlierError(k.target, key)
	}
	refusal := &UnknownError{
		Host: k.target.Name(), Key: key, KeyType: KeyType(key),
		Fingerprint: Fingerprint(key), Strict: k.opts.Strict,
	}
	if k.readOnly() || k.opts.Strict == StrictYes {
		return nil, refusal
	}
	v := &Verdict{Status: StatusAdded, Key: key}
	if k.opts.Strict == StrictAsk {
		if shut := k.view.shut; shut != nil {
			k.opts.Notify(SearchFailed(*shut))
		}
		yes, err := k.opts.ask(ctx, k.newHostQuestion(key))
		if err != nil {
			return nil, err
		}
		if !yes {
			return nil, refusal
		}
		// A person has vouched for it, which "accept-new" has not.
		v.MayUpdate = k.opts.UpdateHostKeys != UpdateNo
	}
	k.add(ctx, key, addr)
	return v, nil
}

// newHostQuestion is what a person needs to know to say yes.
func (k *check) newHostQuestion(key ssh.PublicKey) NewHostQuestion {
	name, address := k.target.Name(), k.target.Address()
	return NewHostQuestion{
		Host: name, Address: address, Key: key, KeyType: KeyType(key), Fingerprint: Fingerprint(key),
		DNS: k.dns, OtherNames: k.view.otherNames(key, name, address),
	}
}

// add puts a new host on file, with its address if CheckHostIP wants it and
// nothing is known of that either. A failure does not end the connection.
func (k *check) add(ctx context.Context, key ssh.PublicKey, addr *comparison) {
	names := []string{k.target.Name()}
	label := names[0]
	if addr != nil && addr.status == keyNew {
		names = append(names, k.target.Address())
		label += "," + names[1]
	}
	file := k.opts.UserFiles[0]
	if err := k.opts.addKey(ctx, file, names, key); err != nil {
		k.opts.Notify(AddFailed{Host: label, KeyType: KeyType(key), File: file, Err: err})
		return
	}
	k.opts.Notify(Added{Host: label, KeyType: KeyType(key), File: file})
}

// changed refuses, or tolerates with restrictions, a key that is not the one
// on file.
func (k *check) changed(key ssh.PublicKey, found, addr *comparison) (*Verdict, error) {
	e := &ChangedError{
		Host: k.target.Name(), Key: key, KeyType: KeyType(key), Fingerprint: Fingerprint(key),
		Offending: found.others, Spoofing: spoofing(found, addr),
	}
	if addr != nil {
		e.Address = k.target.Address()
	}
	if len(k.opts.UserFiles) > 0 {
		e.AddTo = k.opts.UserFiles[0]
	}
	if k.withoutPort || k.opts.Strict != StrictNo {
		return nil, e
	}
	if k.opts.unlikeEarlier(key) {
		e.Earlier = true
		return nil, e
	}
	k.opts.Notify(ChangedTolerated{Err: e})
	return &Verdict{Status: StatusChanged, Key: key, Restricted: true, Found: found.where()}, nil
}

// spoofing compares the change of the name with what the address says; nil if
// both changed alike.
func spoofing(found, addr *comparison) *AddressStatus {
	if addr == nil || addr.status == keyChanged && sshkey.Same(addr.entry.Key, found.entry.Key) {
		return nil
	}
	return &AddressStatus{
		Known:     addr.status != keyNew,
		Unchanged: addr.status == keyOK,
		Location:  addr.where(),
	}
}

// addressDiffers deals with a key that is good for the name, while another one
// is on file for the address.
func (k *check) addressDiffers(ctx context.Context, key ssh.PublicKey, found, addr *comparison) error {
	d := AddressDiffers{
		Host: k.target.Name(), Address: k.target.Address(), KeyType: KeyType(key),
		Offending: addr.entry.Location,
	}
	if found.status == keyOK {
		d.Matching = found.where()
	}
	if k.opts.Strict == StrictAsk {
		yes, err := k.opts.ask(ctx, AddressQuestion{d})
		if err == nil && !yes {
			err = &AddressError{Differs: d}
		}
		return err
	}
	k.opts.Notify(d)
	if k.opts.Strict != StrictNo {
		return &AddressError{Differs: d}
	}
	return nil
}

// ask puts a question; nobody to ask is a no.
func (o *Options) ask(ctx context.Context, q Question) (bool, error) {
	if o.Ask == nil {
		return false, nil
	}
	yes, err := o.Ask(ctx, q)
	if err != nil {
		return false, &AskError{Err: err}
	}
	return yes, nil
}

// keyStatus is OpenSSH's HostStatus.
type keyStatus int

const (
	keyNew     keyStatus = iota // nothing on file
	keyOK                       // this key, or this certificate's CA
	keyChanged                  // only other keys
	keyRevoked                  // @revoked, whatever else there is
)

// comparison is what the entries of a name say of a key.
type comparison struct {
	status keyStatus
	entry  *Entry     // the line that decides; the last one for keyChanged
	others []Location // the lines with other keys, for keyChanged
}

// compare is check_key_in_hostkeys of OpenSSH's hostfile.c. A certificate is
// looked for among the CAs only, and a CA's key is never good as a host key. A
// key of another type makes the status keyChanged: Algorithms has seen to it
// that the server was asked for a key that is on file.
func compare(entries []Entry, key ssh.PublicKey) *comparison {
	c := &comparison{}
	cert, isCert := key.(*ssh.Certificate)
	for i := range entries {
		e := &entries[i]
		if e.Marker == MarkerRevoked {
			if samePublic(key, e.Key) || isCert && samePublic(cert.SignatureKey, e.Key) {
				return &comparison{status: keyRevoked, entry: e}
			}
			continue
		}
		if c.status == keyOK || (e.Marker == MarkerCA) != isCert {
			continue
		}
		switch {
		case isCert && samePublic(cert.SignatureKey, e.Key), !isCert && sshkey.Same(key, e.Key):
			// Go on, for a line that revokes it.
			c.status, c.entry = keyOK, e
		case !isCert:
			c.status, c.entry = keyChanged, e
			c.others = append(c.others, e.Location)
		}
	}
	return c
}

// where is the line that decided, nil if there is none.
func (c *comparison) where() *Location {
	if c.entry == nil {
		return nil
	}
	loc := c.entry.Location
	return &loc
}

// Status is the reason for which a key was accepted.
type Status int

const (
	StatusKnown            Status = iota + 1 // on file, or certified by a CA on file
	StatusKnownWithoutPort                   // on file under the host's name without the port
	StatusAdded                              // new, and accepted (whether or not it could be written)
	StatusLocalhost                          // not looked at: NoHostAuthenticationForLocalhost
	StatusDNS                                // trusted because of a secure SSHFP record
	StatusChanged                            // not the key on file; StrictNo tolerates it
	StatusRevoked                            // marked @revoked; StrictNo tolerates it
)

// Verdict is the result of a Check that accepted the key.
type Verdict struct {
	Status Status
	// Key is what was accepted: the certificate, the plain key, or the plain
	// key out of a certificate that was not good.
	Key ssh.PublicKey
	// Restricted is set for StatusChanged and StatusRevoked: somebody may sit
	// in between. The caller must disable password and keyboard-interactive
	// authentication, the forwarding of agent, X11, ports and tunnels, and
	// give up if ExitOnForwardFailure wanted one of them.
	Restricted bool
	// Found is the line that vouches for the key, nil if there is none.
	Found *Location
	// MayUpdate: UpdateHostKeys is on and the key was trusted in a way that
	// allows it: plain, from a user file, or confirmed by a person.
	MayUpdate bool
	// checkIP remembers whether CheckHostIP applied to this connection.
	checkIP bool
}
