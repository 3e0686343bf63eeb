package client

import (
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/keepalive"
)

// Event is something that happens during a Dial, or later on the connection,
// and is worth telling a person. The concrete types are the structs of this
// file, passed by value.
type Event interface{ clientEvent() }

// Banner is the server's text before authentication (RFC 4252, section 5.4).
type Banner struct{ Text string }

// HostKeyEvent is an event of package hostkey.
type HostKeyEvent struct{ Event hostkey.Event }

// KeyFileSkipped is a private key file that could not be used; authentication
// goes on with the next key.
type KeyFileSkipped struct{ Err *KeyFileError }

// KeyMissing is a key file that the user named, whose turn it is, and that does
// not exist, or not for this user.
type KeyMissing struct {
	File string
	Err  error
}

// SecretRead is a private key, or a secret that a person typed, that was read
// into memory. The Client has given up its references once Dial returns; the
// bytes are there until the memory is used for something else.
type SecretRead struct{}

// CertMissing is a certificate file that could not be read.
type CertMissing struct {
	File string
	Err  error
}

// SignFailed is a key that the agent, or the file, gave no signature with.
type SignFailed struct {
	Key  string // type, file or comment, and whether it is the agent's
	Algo string
	Err  error
}

// KeyHelperLine is a line that a helper program for keys on tokens has written
// to its stderr. It is not to be trusted with control characters.
type KeyHelperLine struct{ Program, Line string }

// KeyHelperFailed is a PKCS11Provider of which no key can be used;
// authentication goes on without it.
type KeyHelperFailed struct {
	Program string
	Err     error
}

// SignedOtherwise is an agent that signed with another algorithm than it was
// asked to; the key is offered again with another one, if one is allowed.
type SignedOtherwise struct{ Key string } // type and fingerprint

// NoSignatureAlgorithm is a key that cannot sign with any algorithm that the
// server and PubkeyAcceptedAlgorithms allow.
type NoSignatureAlgorithm struct{}

// MasterUnusable is a control socket whose master cannot be used, because it
// does not answer, say. The connection is made without it.
type MasterUnusable struct {
	Path string
	Err  error // of package mux, or the end of the time that it had
}

// AgentFailed is an agent that is configured and cannot be reached.
type AgentFailed struct{ Err error }

// Restricted says what a changed host key, tolerated by StrictHostKeyChecking
// no, has switched off.
type Restricted struct{ What string }

// WeakKeyExchange is a key exchange that is not post-quantum (WarnWeakCrypto).
type WeakKeyExchange struct{ Algorithm string }

// Alive is a change in the connection's health; it comes from the keepalive's
// goroutine and must not block.
type Alive struct{ Stats keepalive.Stats }

func (Banner) clientEvent()               {}
func (HostKeyEvent) clientEvent()         {}
func (KeyFileSkipped) clientEvent()       {}
func (KeyMissing) clientEvent()           {}
func (SecretRead) clientEvent()           {}
func (CertMissing) clientEvent()          {}
func (SignFailed) clientEvent()           {}
func (SignedOtherwise) clientEvent()      {}
func (NoSignatureAlgorithm) clientEvent() {}
func (KeyHelperLine) clientEvent()        {}
func (KeyHelperFailed) clientEvent()      {}
func (MasterUnusable) clientEvent()       {}
func (AgentFailed) clientEvent()          {}
func (Restricted) clientEvent()           {}
func (WeakKeyExchange) clientEvent()      {}
func (Alive) clientEvent()                {}
