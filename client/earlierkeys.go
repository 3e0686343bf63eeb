package client

import (
	"bytes"
	"net"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshconfig"
)

// earlierKeys are the host keys that a Keep has accepted so far, for the target
// and for each jump host. Each connection that follows is checked against them:
// with StrictHostKeyChecking no and no known_hosts, nothing else would keep a
// second server from getting what was meant for the first.
//
// A host is identified by how it was named (see hopPath), not by the address or
// the canonical name, since those come from DNS.
type earlierKeys struct {
	mu    sync.Mutex
	hosts map[string]*earlierHost
}

type earlierHost struct {
	keys []ssh.PublicKey
	last *hostkey.Verifier // may learn further keys while it is connected
}

func newEarlierKeys() *earlierKeys { return &earlierKeys{hosts: make(map[string]*earlierHost)} }

// of returns the keys of a host; none for a nil *earlierKeys.
func (e *earlierKeys) of(path string) []ssh.PublicKey {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.hosts[path]
	if h == nil {
		return nil
	}
	h.settle()
	return slices.Clone(h.keys)
}

// accepted notes that v has accepted a key.
func (e *earlierKeys) accepted(path string, v *hostkey.Verifier) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.hosts[path]
	if h == nil {
		h = new(earlierHost)
		e.hosts[path] = h
	}
	h.settle()
	h.last = v
}

// settle takes over the keys of the last connection.
func (h *earlierHost) settle() {
	if h.last == nil {
		return
	}
	for _, key := range h.last.Accepted() {
		text := key.Marshal()
		if !slices.ContainsFunc(h.keys, func(k ssh.PublicKey) bool { return bytes.Equal(k.Marshal(), text) }) {
			h.keys = append(h.keys, key)
		}
	}
}

// hopPath names a jump host of a host.
func hopPath(of string, hop sshconfig.JumpHost) string {
	return of + "," + net.JoinHostPort(hop.Host, strconv.Itoa(hop.Port))
}
