package client

import (
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/keepalive"
)

// Event is something that happens during a Dial or on the connection and may be
// of interest to a person. It is one of the structs of this file.
type Event interface{ clientEvent() }

// Banner is the text that the server sent before authentication (RFC 4252,
// section 5.4).
type Banner struct{ Text string }

// HostKeyEvent is an event of package hostkey.
type HostKeyEvent struct{ Event hostkey.Event }

// KeyFileSkipped reports a private key file that could not be used.
// Authentication continues with the next key.
type KeyFileSkipped struct{ Err *KeyFileError }

// KeyMissing reports a key file that the user named, and that does not exist or
// cannot be read.
type KeyMissing struct {
	File string
	Err  error
}

// SecretRead reports that a private key, or a secret that a person typed, was
// read into memory. The Client drops its references before Dial returns, but the
// bytes stay until the memory is reused.
type SecretRead struct{}

// CertMissing reports a certificate file that could not be read.
type CertMissing struct {
	File string
	Err  error
}

// SignFailed reports a key with which the agent, or this process, could not
// sign.
type SignFailed struct {
	Key  string // type, file or comment, and whether the agent holds it
	Algo string
	Err  error
}

// KeyHelperLine is a line that a helper program for tokens has written to its
// standard error. It may hold control characters.
type KeyHelperLine struct{ Program, Line string }

// KeyHelperFailed reports a PKCS11Provider that has no usable key.
// Authentication continues without it.
type KeyHelperFailed struct {
	Program string
	Err     error
}

// SignedOtherwise reports that an agent signed with another algorithm than the
// one requested. The key is offered again with another one, if one is permitted.
type SignedOtherwise struct{ Key string } // type and fingerprint

// NoSignatureAlgorithm reports a key that cannot sign with any algorithm that
// the server and PubkeyAcceptedAlgorithms permit.
type NoSignatureAlgorithm struct{}

// MasterUnusable reports a control socket whose master cannot be used, for
// example because it does not answer. Dial connects without it.
type MasterUnusable struct {
	Path string
	Err  error // of package mux, or context.DeadlineExceeded
}

// AgentFailed reports that the agent cannot be reached or used.
type AgentFailed struct{ Err error }

// Restricted reports what is disabled because the host key has changed and
// StrictHostKeyChecking no accepted it.
type Restricted struct{ What string }

// WeakKeyExchange reports a key exchange that is not post-quantum
// (WarnWeakCrypto).
type WeakKeyExchange struct{ Algorithm string }

// Alive reports a change of the state of the keepalive. It is sent by the
// goroutine of the keepalive, which Notify must not block.
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
