package sshkey

import (
	"bytes"
	"encoding/base64"

	"golang.org/x/crypto/ssh"
)

// ParsePublic returns the first public key or certificate in a file that has
// keys one a line, as .pub files and authorized_keys do, with its comment.
// Options may stand in front of a key. As in OpenSSH, what follows the begin of
// a private key is not looked at.
func ParsePublic(file []byte) (key ssh.PublicKey, comment string, err error) {
	text, _ := normalize(file)
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if bytes.HasPrefix(line, []byte("-----BEGIN")) || isPuTTY(line) {
			break
		}
		line = bytes.TrimLeft(line, " \t")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if key, comment, ok := parsePublicLine(line); ok {
			return key, comment, nil
		}
		if key, comment, ok := parsePublicLine(afterOptions(line)); ok {
			return key, comment, nil
		}
	}
	return nil, "", ErrFormat
}

// parsePublicLine parses the type, the key in base64, and the comment.
func parsePublicLine(line []byte) (ssh.PublicKey, string, bool) {
	kind, rest := cutField(line)
	encoded, comment := cutField(rest)
	if len(encoded) == 0 {
		return nil, "", false
	}
	blob := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	n, err := base64.StdEncoding.Decode(blob, encoded)
	if err != nil {
		return nil, "", false
	}
	comment, _, _ = bytes.Cut(comment, []byte{'\r'})
	key, err := ssh.ParsePublicKey(blob[:n])
	if err != nil || key.Type() != string(kind) {
		return nil, "", false
	}
	return key, string(comment), true
}

// cutField splits a line at its first space or tab.
func cutField(line []byte) (field, rest []byte) {
	end := bytes.IndexAny(line, " \t")
	if end < 0 {
		return line, nil
	}
	return line[:end], bytes.TrimLeft(line[end:], " \t")
}

// afterOptions strips the options of a line in authorized_keys, where spaces
// may be quoted.
func afterOptions(line []byte) []byte {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && line[i+1] == '"':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t'):
			return bytes.TrimLeft(line[i:], " \t")
		}
	}
	return nil
}
