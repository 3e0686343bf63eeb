package cli

import (
	"io"
	"strings"

	"github.com/gossh-project/gossh/sshconfig"
)

// query is -Q: the names that can be asked for, one a line.
func (p *program) query(what string) (int, error) {
	a := sshconfig.SupportedAlgorithms()
	var names []string
	switch strings.ToLower(what) {
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
		return 0, linef("Unsupported query \"%s\"", what)
	}
	if len(names) == 0 {
		return 0, nil
	}
	_, err := io.WriteString(p.std.Stdout, strings.Join(names, "\n")+"\n")
	return 0, err
}
