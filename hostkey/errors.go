package hostkey

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// ErrVerification is matched by every error that refuses a host, for which ssh
// prints "Host key verification failed." and exits with 255.
var ErrVerification = errors.New("host key verification failed")

// ErrLocked means that another process held a known_hosts file for too long.
var ErrLocked = errors.New("known_hosts file is locked")

// Location is a line of a known_hosts file.
type Location struct {
	File    string // as configured, or "KnownHostsCommand-HOSTNAME" and the like
	Line    int    // from 1
	KeyType string // of the line's key as ssh prints it: "ED25519"
}

// String returns "file:line".
func (l Location) String() string { return l.File + ":" + strconv.Itoa(l.Line) }

// UnknownError means that no key of the host is known, and that the shown key was
// not accepted.
type UnknownError struct {
	Host        string        // in the form of known_hosts
	Key         ssh.PublicKey // the plain key shown
	KeyType     string        // "ED25519"
	Fingerprint string        // "SHA256:…"
	Strict      Strictness    // StrictYes: never asked; StrictAsk: asked and refused, or nobody to ask
}

func (e *UnknownError) Error() string {
	if e.Strict == StrictYes {
		return fmt.Sprintf("no %s host key is known for %s and strict checking is on", e.KeyType, e.Host)
	}
	return fmt.Sprintf("%s host key %s of %s was not accepted", e.KeyType, e.Fingerprint, e.Host)
}

// Unwrap returns ErrVerification.
func (e *UnknownError) Unwrap() error { return ErrVerification }

// ChangedError means that other keys than the one that the server showed are known
// for the host. Keys of other types count, as in OpenSSH.
type ChangedError struct {
	Host        string
	Address     string // the peer's address, set if CheckHostIP compared it
	Key         ssh.PublicKey
	KeyType     string
	Fingerprint string
	// Offending are the lines that hold other keys, in the order of reading;
	// OpenSSH names the last of them.
	Offending []Location
	// Spoofing tells of a different answer for the address: "POSSIBLE DNS
	// SPOOFING DETECTED"; nil if CheckHostIP is off or has nothing to add.
	Spoofing *AddressStatus
	// AddTo is the file that the right key belongs in, "" if there is none.
	AddTo string
	// Earlier means that the key is not one of Options.Earlier, and that
	// nothing on file vouches for it.
	Earlier bool
}

// AddressStatus is the result of CheckHostIP for the peer's address.
type AddressStatus struct {
	Known     bool      // something is on file for the address
	Unchanged bool      // and it is the key shown
	Location  *Location // the line, if there is one
}

func (e *ChangedError) Error() string {
	if e.Earlier {
		return fmt.Sprintf("%s host key %s is not the one that %s had before", e.KeyType, e.Fingerprint, e.Host)
	}
	return fmt.Sprintf("%s host key %s is not the one known for %s", e.KeyType, e.Fingerprint, e.Host)
}

// Unwrap returns ErrVerification.
func (e *ChangedError) Unwrap() error { return ErrVerification }

// RevokedError means that the key, or the CA of its certificate, is revoked.
type RevokedError struct {
	Host        string
	Key         ssh.PublicKey
	KeyType     string
	Fingerprint string
	// File is the RevokedHostKeys file, or "" if a line marked @revoked in
	// known_hosts (Location) says so.
	File     string
	Location *Location
}

func (e *RevokedError) Error() string {
	where := e.File
	if e.Location != nil {
		where = e.Location.String()
	}
	return fmt.Sprintf("%s host key %s of %s is revoked by %s", e.KeyType, e.Fingerprint, e.Host, where)
}

// Unwrap returns ErrVerification.
func (e *RevokedError) Unwrap() error { return ErrVerification }

// AddressError means that the key is right for the name, but that another key is
// known for the address (CheckHostIP).
type AddressError struct {
	Differs AddressDiffers
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("%s host key for %s differs from the key for the address %s",
		e.Differs.KeyType, e.Differs.Host, e.Differs.Address)
}

// Unwrap returns ErrVerification.
func (e *AddressError) Unwrap() error { return ErrVerification }

// CertError means that a host certificate is not valid. Check returns it only if
// OpenSSH would not continue with the certified key.
type CertError struct {
	Reason string // in the words of OpenSSH's sshkey.c
}

func (e *CertError) Error() string { return e.Reason }

// Unwrap returns ErrVerification.
func (e *CertError) Unwrap() error { return ErrVerification }

// KeySizeError means that an RSA key is smaller than RequiredRSASize.
type KeySizeError struct {
	Bits, Required int
}

func (e *KeySizeError) Error() string {
	return fmt.Sprintf("server's RSA host key has %d bits, %d are required", e.Bits, e.Required)
}

// Unwrap returns ErrVerification.
func (e *KeySizeError) Unwrap() error { return ErrVerification }

// RekeyError means that the server showed another key in a later key exchange than
// in the first.
type RekeyError struct {
	Accepted, Shown string // fingerprints
}

func (e *RekeyError) Error() string {
	return "server changed its host key during the connection, from " + e.Accepted + " to " + e.Shown
}

// Unwrap returns ErrVerification.
func (e *RekeyError) Unwrap() error { return ErrVerification }

// RevocationListError means that the RevokedHostKeys file cannot be used, so
// that no host can be trusted.
type RevocationListError struct {
	File        string
	KeyType     string // of the key that was to be looked for
	Fingerprint string
	Err         error
}

func (e *RevocationListError) Error() string {
	return fmt.Sprintf("cannot check the revoked keys file %s: %v", e.File, e.Err)
}

// Unwrap returns ErrVerification and the cause.
func (e *RevocationListError) Unwrap() []error { return []error{ErrVerification, e.Err} }

// CommandError means that KnownHostsCommand failed.
type CommandError struct {
	Purpose Purpose
	Command string // with its arguments; "" if Options.KnownHostsCommand did not say
	Err     error  // for instance an *exec.ExitError
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("KnownHostsCommand (%s): %v", e.Purpose, e.Err)
}

// Unwrap returns ErrVerification and the cause.
func (e *CommandError) Unwrap() []error { return []error{ErrVerification, e.Err} }

// AskError means that a question could not be asked: there is no terminal, or the
// context has ended.
type AskError struct {
	Err error
}

func (e *AskError) Error() string { return "cannot ask about the host key: " + e.Err.Error() }

// Unwrap returns ErrVerification and the cause.
func (e *AskError) Unwrap() []error { return []error{ErrVerification, e.Err} }
