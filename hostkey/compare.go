package hostkey

import "golang.org/x/crypto/ssh"

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
		case isCert && samePublic(cert.SignatureKey, e.Key), !isCert && sameKey(key, e.Key):
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
