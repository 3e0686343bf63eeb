package xssh

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// disconnectPrefix begins the text of the error for a disconnect message, whose
// type is not exported (messages.go, disconnectMsg.Error).
const disconnectPrefix = "ssh: disconnect, reason "

// Disconnect returns the reason and the text of the disconnect message that err
// is about. ok is false if err is about something else.
func Disconnect(err error) (reason uint32, message string, ok bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		text, ok := strings.CutPrefix(err.Error(), disconnectPrefix)
		if !ok {
			continue
		}
		if _, scanErr := fmt.Sscanf(text, "%d:", &reason); scanErr != nil {
			continue
		}
		_, message, _ = strings.Cut(text, ": ")
		if plain, err := strconv.Unquote(message); err == nil {
			message = plain
		}
		return reason, message, true
	}
	return 0, "", false
}

// IsFixedKeyMismatch reports whether err is the refusal of ssh.FixedHostKey
// (client.go, fixedHostKey.check).
func IsFixedKeyMismatch(err error) bool { return err.Error() == "ssh: host key mismatch" }

// IsDamagedPacket reports whether err is about a packet with a wrong
// authentication code (cipher.go; crypto/cipher for AES-GCM).
func IsDamagedPacket(err error) bool {
	text := err.Error()
	return strings.Contains(text, "MAC failure") || strings.Contains(text, "message authentication failed")
}

// IsBadPacketLength reports whether err is about a packet with an impossible
// length (cipher.go).
func IsBadPacketLength(err error) bool { return strings.Contains(err.Error(), "packet length") }
