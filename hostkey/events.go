package hostkey

import (
	"errors"

	"golang.org/x/crypto/ssh"
)

// Event is an event of a Check or an Update. The concrete types are the structs of
// this file, passed by value.
type Event interface{ event() }

// Matched means that the key or its CA is known ("Host 'x' is known and matches
// the ED25519 host key."). VisualHostKey shows its picture then.
type Matched struct {
	Host        string
	Key         ssh.PublicKey
	KeyType     string
	Certificate bool
	Location    Location
}

// Added means that a key was added: "Warning: Permanently added 'x' (ED25519) to
// the list of known hosts."
type Added struct {
	Host    string // "host" or "host,address"
	KeyType string
	File    string
}

// AddFailed means that a key could not be added: "Failed to add the host to the
// list of known hosts (file)." The connection continues.
type AddFailed struct {
	Host    string
	KeyType string
	File    string
	Err     error
}

// AddressAdded means that a key was added for an address: "Warning: Permanently
// added the ED25519 host key for IP address 'a' to the list of known hosts."
type AddressAdded struct {
	Address string
	KeyType string
	File    string
}

// AddressAddFailed means that a key could not be added for an address: "Failed to
// add the ED25519 host key for IP address …".
type AddressAddFailed struct {
	Address string
	KeyType string
	File    string
	Err     error
}

// AddressUnknown means that no key is known for an address and none can be added:
// "ED25519 host key for IP address 'a' not in list of known hosts."
type AddressUnknown struct {
	Address string
	KeyType string
}

// AddressDiffers means that another key is known for the address: "Warning: the
// ED25519 host key for 'x' differs from the key for the IP address 'a'". It has
// both lines.
type AddressDiffers struct {
	Host      string
	Address   string
	KeyType   string
	Offending Location
	Matching  *Location // the line of the name; nil if the host is new
}

// CertRejected means that a certificate of a known CA is not valid. The certified
// key is checked next.
type CertRejected struct {
	Err *CertError
}

// ChangedTolerated means that the host's key has changed and that
// StrictHostKeyChecking is no. The banner is the same as for a refusal, and the
// connection continues with Verdict.Restricted.
type ChangedTolerated struct {
	Err *ChangedError
}

// RevokedTolerated means that a key marked @revoked was accepted because
// StrictHostKeyChecking is no. The connection continues with Verdict.Restricted.
type RevokedTolerated struct {
	Err *RevokedError
}

// DNSMismatch means that the key does not match the SSHFP records of the host.
// OpenSSH prints the banner of a changed key and "Update the SSHFP RR in DNS with
// the new host key to get rid of this message.", and continues with known_hosts.
type DNSMismatch struct {
	Key         ssh.PublicKey
	KeyType     string
	Fingerprint string
}

// BadLine means that a relevant line was skipped because it cannot be parsed.
type BadLine struct {
	File string
	Line int
	Err  error
}

// CommandUnusable means that KnownHostsCommand cannot be run. The check continues
// without it.
type CommandUnusable struct {
	Purpose Purpose
	Path    string
	Err     error // ErrNotAbsolute, or why it was not found
}

// ErrNotAbsolute means that KnownHostsCommand is not an absolute path.
var ErrNotAbsolute = errors.New("path is not absolute")

// FileUnreadable means that a known_hosts file exists but cannot be read. It is
// treated as empty.
type FileUnreadable struct {
	File string
	Err  error
}

// SearchFailed means that a file could not be searched for other names of a new
// host's key. It is reported for one file only, as by ssh.
type SearchFailed struct {
	File string
	Err  error
}

// UserDirFailed means that the directory could not be created: "Could not create
// directory '…/.ssh' (Permission denied)." Writing the file fails after it.
type UserDirFailed struct {
	Dir string
	Err error
}

// KeyLearned means that a key was added by UpdateHostKeys: "Learned new hostkey:
// ED25519 SHA256:…".
type KeyLearned struct {
	Key         ssh.PublicKey
	KeyType     string
	Fingerprint string
}

// KeyDeprecated means that a key was removed: "Deprecating obsolete hostkey:
// ED25519 SHA256:…".
type KeyDeprecated struct {
	Key         ssh.PublicKey
	KeyType     string
	Fingerprint string
}

func (Matched) event()          {}
func (Added) event()            {}
func (AddFailed) event()        {}
func (AddressAdded) event()     {}
func (AddressAddFailed) event() {}
func (AddressUnknown) event()   {}
func (AddressDiffers) event()   {}
func (CertRejected) event()     {}
func (ChangedTolerated) event() {}
func (RevokedTolerated) event() {}
func (DNSMismatch) event()      {}
func (BadLine) event()          {}
func (FileUnreadable) event()   {}
func (CommandUnusable) event()  {}
func (SearchFailed) event()     {}
func (UserDirFailed) event()    {}
func (KeyLearned) event()       {}
func (KeyDeprecated) event()    {}

// Question is a question of Options.Ask. The concrete types are NewHostQuestion,
// AddressQuestion and UpdateQuestion, passed by value.
type Question interface{ question() }

// NewHostQuestion asks whether to accept a new host: "The authenticity of host 'x
// (a)' can't be established." The answer is yes, no or the fingerprint.
type NewHostQuestion struct {
	Host        string // in the form of known_hosts
	Address     string // likewise; "" behind a proxy command
	Key         ssh.PublicKey
	KeyType     string
	Fingerprint string
	// DNS is nil unless VerifyHostKeyDNS is on.
	DNS *DNSResult
	// OtherNames are the lines that have this very key under other names, in
	// the order of reading; OpenSSH shows the first eight.
	OtherNames []OtherName
}

// OtherName is a host list for which the same key is known.
type OtherName struct {
	Location
	Hosts  string // the field as it stands in the file
	Hashed bool   // ssh prints "[hashed name]" instead
}

// AddressQuestion asks after the warning of AddressDiffers: "Are you sure you want
// to continue connecting (yes/no)?".
type AddressQuestion struct {
	AddressDiffers
}

// UpdateQuestion asks whether to update the keys: "The server has updated its host
// keys. These changes were verified by the server's existing trusted key." and
// "Accept updated hostkeys? (yes/no)". KeyLearned and KeyDeprecated events come
// before it.
type UpdateQuestion struct {
	Host    string
	Learned []ssh.PublicKey
	Removed []ssh.PublicKey
}

func (NewHostQuestion) question() {}
func (AddressQuestion) question() {}
func (UpdateQuestion) question()  {}
