package hostkey

import (
	"errors"

	"golang.org/x/crypto/ssh"
)

// Event is something that a Check or an Update wants to be told. The concrete
// types are the structs of this file; all are passed by value.
type Event interface{ event() }

// Matched: the key or the CA's key is on file ("Host 'x' is known and matches
// the ED25519 host key."). It is also the moment for VisualHostKey's picture.
type Matched struct {
	Host        string
	Key         ssh.PublicKey
	KeyType     string
	Certificate bool
	Location    Location
}

// Added: "Warning: Permanently added 'x' (ED25519) to the list of known hosts."
type Added struct {
	Host    string // "host" or "host,address"
	KeyType string
	File    string
}

// AddFailed: "Failed to add the host to the list of known hosts (file)." The
// connection goes on.
type AddFailed struct {
	Host    string
	KeyType string
	File    string
	Err     error
}

// AddressAdded: "Warning: Permanently added the ED25519 host key for IP address
// 'a' to the list of known hosts."
type AddressAdded struct {
	Address string
	KeyType string
	File    string
}

// AddressAddFailed: "Failed to add the ED25519 host key for IP address …".
type AddressAddFailed struct {
	Address string
	KeyType string
	File    string
	Err     error
}

// AddressUnknown: "ED25519 host key for IP address 'a' not in list of known
// hosts.", said where nothing can be added.
type AddressUnknown struct {
	Address string
	KeyType string
}

// AddressDiffers: "Warning: the ED25519 host key for 'x' differs from the key
// for the IP address 'a'", with the two lines that say so.
type AddressDiffers struct {
	Host      string
	Address   string
	KeyType   string
	Offending Location
	Matching  *Location // the line of the name; nil if the host is new
}

// CertRejected: a certificate of a known CA is not good; the plain key inside
// it is judged next.
type CertRejected struct {
	Err *CertError
}

// ChangedTolerated: the host's key has changed and StrictHostKeyChecking is no:
// the same banner as for a refusal, then the connection goes on with
// Verdict.Restricted.
type ChangedTolerated struct {
	Err *ChangedError
}

// RevokedTolerated is the same for a key marked @revoked.
type RevokedTolerated struct {
	Err *RevokedError
}

// DNSMismatch: the key does not agree with the host's SSHFP records. OpenSSH
// prints the changed-key banner and "Update the SSHFP RR in DNS with the new
// host key to get rid of this message.", and goes on to known_hosts.
type DNSMismatch struct {
	Key         ssh.PublicKey
	KeyType     string
	Fingerprint string
}

// BadLine: a line that matters was skipped because it cannot be understood.
type BadLine struct {
	File string
	Line int
	Err  error
}

// CommandUnusable: KnownHostsCommand names no program that can be run. It is
// as good as none.
type CommandUnusable struct {
	Purpose Purpose
	Path    string
	Err     error // ErrNotAbsolute, or why it was not found
}

// ErrNotAbsolute is a KnownHostsCommand that is not an absolute path.
var ErrNotAbsolute = errors.New("path is not absolute")

// FileUnreadable: a known_hosts file exists but could not be read; it counts
// as empty.
type FileUnreadable struct {
	File string
	Err  error
}

// SearchFailed: the key of a new host was to be looked up under other names,
// for the question, and this file could not be searched. ssh complains of one
// file and leaves it at that.
type SearchFailed struct {
	File string
	Err  error
}

// UserDirFailed: "Could not create directory '…/.ssh' (Permission denied)." What
// was to be written into it fails next.
type UserDirFailed struct {
	Dir string
	Err error
}

// KeyLearned: "Learned new hostkey: ED25519 SHA256:…".
type KeyLearned struct {
	Key         ssh.PublicKey
	KeyType     string
	Fingerprint string
}

// KeyDeprecated: "Deprecating obsolete hostkey: ED25519 SHA256:…".
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

// Question is what Options.Ask is asked. The concrete types are NewHostQuestion,
// AddressQuestion and UpdateQuestion, all passed by value.
type Question interface{ question() }

// NewHostQuestion: "The authenticity of host 'x (a)' can't be established." The
// answer is yes, no or the fingerprint.
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

// OtherName is a host list under which a key is also known.
type OtherName struct {
	Location
	Hosts  string // the field as it stands in the file
	Hashed bool   // ssh prints "[hashed name]" instead
}

// AddressQuestion: the warning of AddressDiffers, and "Are you sure you want to
// continue connecting (yes/no)?".
type AddressQuestion struct {
	AddressDiffers
}

// UpdateQuestion: "The server has updated its host keys. These changes were
// verified by the server's existing trusted key." and "Accept updated
// hostkeys? (yes/no)". KeyLearned and KeyDeprecated events came before it.
type UpdateQuestion struct {
	Host    string
	Learned []ssh.PublicKey
	Removed []ssh.PublicKey
}

func (NewHostQuestion) question() {}
func (AddressQuestion) question() {}
func (UpdateQuestion) question()  {}
