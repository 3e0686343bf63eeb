package cli

import (
	"io"
	"strings"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
)

// queryName folds the case of keywords, as which they are compared; ssh's own
// names for what can be asked stay.
func queryName(what string) string {
	lower := strings.ToLower(what)
	switch lower {
	case "help", "cipher", "cipher-auth", "compression", "mac", "kex", "kex-gss", "key", "key-cert", "key-plain",
		"key-sig", "sig", "protocol-version":
		return what
	}
	return lower
}

// query is -Q: the names that can be asked for, one a line.
func (p *program) query(what string) (int, error) {
	a := sshconfig.SupportedAlgorithms()
	var names []string
	switch queryName(what) {
	case "help":
		names = []string{"cipher", "cipher-auth", "compression", "kex", "kex-gss", "key", "key-cert",
			"key-plain", "key-sig", "mac", "protocol-version", "sig"}
	case "cipher", "ciphers":
		names = a.Ciphers
	case "cipher-auth":
		names = a.AuthenticatedCiphers
	case "mac", "macs":
		names = a.MACs
	case "kex", "kexalgorithms":
		names = a.KexAlgorithms
	case "kex-gss", "gssapikexalgorithms":
		// There is no GSSAPI in here.
	case "key":
		names = a.Keys
	case "key-cert":
		names = a.CertificateKeys
	case "key-plain":
		names = a.PlainKeys
	case "key-sig", "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "hostkeyalgorithms",
		"hostbasedkeytypes", "hostbasedacceptedkeytypes", "hostbasedacceptedalgorithms":
		names = a.KeySignatures
	case "sig", "casignaturealgorithms":
		names = a.Signatures
	case "protocol-version":
		names = []string{"2"}
	case "compression":
		names = []string{"none"}
	default:
		return 0, message.Errorf("Unsupported query \"%s\"", what)
	}
	if len(names) == 0 {
		return 0, nil
	}
	io.WriteString(p.std.Stdout, strings.Join(names, "\n")+"\n") // whatever comes of it, as with ssh
	return 0, nil
}
