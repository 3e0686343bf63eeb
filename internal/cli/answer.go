package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
)

// answerRunner prints something without a connection.
type answerRunner struct {
	inv  *invocation
	what answer
}

func (r *answerRunner) run(ctx context.Context) (int, error) {
	inv := r.inv
	switch r.what {
	case answerVersion:
		io.WriteString(inv.std.Stderr, versionLine()+"\n")
		return 0, nil
	case answerQuery:
		return 0, printQuery(inv.std.Stdout, *inv.flags.query)
	case answerConfig:
		inv.printConfig()
		return 0, nil
	}
	return 0, inv.printKeys(ctx)
}

// printConfig prints the configuration in ssh's form (-G) and, at -v, where each
// value was set.
func (inv *invocation) printConfig() {
	if inv.flags.verbose {
		for _, k := range sshconfig.Keywords() {
			if file, line, ok := inv.cfg.Origin(k.Name); ok && k.Alias == "" {
				inv.print.Debugf("%s from %s:%d", strings.ToLower(k.Name), file, line)
			}
		}
	}
	inv.cfg.Dump(inv.std.Stdout) // like ssh it ignores an error
}

// printKeys prints the keys that authentication would offer, in that order (-Z).
func (inv *invocation) printKeys(ctx context.Context) error {
	options := newConnector(inv, false, false).options()
	keys, err := client.OfferedKeys(ctx, inv.flags.host, options)
	for _, k := range keys {
		fmt.Fprintln(inv.std.Stdout, message.OneLine(k.String()))
	}
	return err
}

// queryName folds the case of names that are keywords, which ssh compares without
// case. The other names are compared as they are.
func queryName(what string) string {
	lower := strings.ToLower(what)
	switch lower {
	case "help", "cipher", "cipher-auth", "compression", "mac", "kex", "kex-gss", "key", "key-cert", "key-plain",
		"key-sig", "sig", "protocol-version":
		return what
	}
	return lower
}

// printQuery prints the names that -Q asks for, one on each line.
func printQuery(w io.Writer, what string) error {
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
		// GSSAPI is not supported.
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
		return message.Errorf("Unsupported query \"%s\"", what)
	}
	if len(names) == 0 {
		return nil
	}
	io.WriteString(w, strings.Join(names, "\n")+"\n") // like ssh it ignores an error
	return nil
}
