package sshconfig

import (
	"slices"
	"strings"

	"github.com/gossh-project/gossh/internal/pattern"
)

// Algorithms are the algorithms that this program supports, for -Q.
type Algorithms struct {
	Ciphers              []string // -Q cipher
	AuthenticatedCiphers []string // -Q cipher-auth
	MACs                 []string // -Q mac
	KexAlgorithms        []string // -Q kex
	Keys                 []string // -Q key
	CertificateKeys      []string // -Q key-cert
	PlainKeys            []string // -Q key-plain
	KeySignatures        []string // -Q key-sig, HostKeyAlgorithms, PubkeyAcceptedAlgorithms
	Signatures           []string // -Q sig, CASignatureAlgorithms
}

// SupportedAlgorithms returns all supported algorithms, in the order in which `ssh
// -Q` prints them. Some are weak and in no default list.
func SupportedAlgorithms() Algorithms {
	a := Algorithms{
		Ciphers:       algorithmNames(cipherTable[:], supported),
		MACs:          algorithmNames(macTable[:], supported),
		KexAlgorithms: algorithmNames(kexTable[:], supported),
	}
	for _, c := range a.Ciphers {
		if strings.Contains(c, "gcm") || strings.Contains(c, "poly1305") {
			a.AuthenticatedCiphers = append(a.AuthenticatedCiphers, c)
		}
	}
	for i := range keyTable {
		k := &keyTable[i]
		if !k.supported {
			continue
		}
		a.KeySignatures = append(a.KeySignatures, k.name)
		if !k.cert() {
			a.Signatures = append(a.Signatures, k.name)
		}
		switch {
		case k.signatureOnly:
			continue
		case k.cert():
			a.CertificateKeys = append(a.CertificateKeys, k.name)
		default:
			a.PlainKeys = append(a.PlainKeys, k.name)
		}
		a.Keys = append(a.Keys, k.name)
	}
	return a
}

// algorithm is one that OpenSSH knows, and whether x/crypto has it.
type algorithm struct {
	name      string
	supported bool
}

// The tables are in the order of `ssh -Q`, which decides what a wildcard in a
// list stands for, and are read only.
var (
	cipherTable = [...]algorithm{
		{"3des-cbc", true}, {"aes128-cbc", true}, {"aes192-cbc", false}, {"aes256-cbc", false},
		{"aes128-ctr", true}, {"aes192-ctr", true}, {"aes256-ctr", true},
		{"aes128-gcm@openssh.com", true}, {"aes256-gcm@openssh.com", true},
		{"chacha20-poly1305@openssh.com", true},
	}
	macTable = [...]algorithm{
		{"hmac-sha1", true}, {"hmac-sha1-96", true}, {"hmac-sha2-256", true}, {"hmac-sha2-512", true},
		{"hmac-md5", false}, {"hmac-md5-96", false}, {"umac-64@openssh.com", false}, {"umac-128@openssh.com", false},
		{"hmac-sha1-etm@openssh.com", false}, {"hmac-sha1-96-etm@openssh.com", false},
		{"hmac-sha2-256-etm@openssh.com", true}, {"hmac-sha2-512-etm@openssh.com", true},
		{"hmac-md5-etm@openssh.com", false}, {"hmac-md5-96-etm@openssh.com", false},
		{"umac-64-etm@openssh.com", false}, {"umac-128-etm@openssh.com", false},
	}
	kexTable = [...]algorithm{
		{"diffie-hellman-group1-sha1", true}, {"diffie-hellman-group14-sha1", true},
		{"diffie-hellman-group14-sha256", true}, {"diffie-hellman-group16-sha512", true},
		{"diffie-hellman-group18-sha512", false},
		{"diffie-hellman-group-exchange-sha1", true}, {"diffie-hellman-group-exchange-sha256", true},
		{"ecdh-sha2-nistp256", true}, {"ecdh-sha2-nistp384", true}, {"ecdh-sha2-nistp521", true},
		{"mlkem768nistp256-sha256", false},
		{"curve25519-sha256", true}, {"curve25519-sha256@libssh.org", true},
		{"sntrup761x25519-sha512", false}, {"sntrup761x25519-sha512@openssh.com", false},
		{"mlkem768x25519-sha256", true},
	}
	keyTable = [...]keyAlgorithm{
		{"ssh-ed25519", true, false},
		{"ssh-ed25519-cert-v01@openssh.com", true, false},
		{"sk-ssh-ed25519@openssh.com", true, false},
		{"sk-ssh-ed25519-cert-v01@openssh.com", true, false},
		{"ssh-mldsa44-ed25519@openssh.com", false, false},
		{"ssh-mldsa44-ed25519-cert-v01@openssh.com", false, false},
		{"ecdsa-sha2-nistp256", true, false},
		{"ecdsa-sha2-nistp256-cert-v01@openssh.com", true, false},
		{"ecdsa-sha2-nistp384", true, false},
		{"ecdsa-sha2-nistp384-cert-v01@openssh.com", true, false},
		{"ecdsa-sha2-nistp521", true, false},
		{"ecdsa-sha2-nistp521-cert-v01@openssh.com", true, false},
		{"sk-ecdsa-sha2-nistp256@openssh.com", true, false},
		{"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", true, false},
		{"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", false, true},
		{"webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", false, true},
		{"ssh-rsa", true, false},
		{"ssh-rsa-cert-v01@openssh.com", true, false},
		{"rsa-sha2-256", true, true},
		{"rsa-sha2-256-cert-v01@openssh.com", true, true},
		{"rsa-sha2-512", true, true},
		{"rsa-sha2-512-cert-v01@openssh.com", true, true},
	}
	gssapiKexTable = [...]string{
		"gss-gex-sha1-", "gss-group1-sha1-", "gss-group14-sha1-", "gss-group14-sha256-", "gss-group16-sha512-",
		"gss-nistp256-sha256-", "gss-curve25519-sha256-",
	}
)

// keyAlgorithm is a type of key or of signature.
type keyAlgorithm struct {
	name          string
	supported     bool
	signatureOnly bool
}

func (k *keyAlgorithm) cert() bool { return strings.Contains(k.name, "-cert-v01@") }

// The default lists, of what x/crypto has, in OpenSSH's order of preference.
const (
	defaultCiphers = "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com," +
		"aes128-ctr,aes192-ctr,aes256-ctr"
	defaultMACs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1"
	defaultKex  = "mlkem768x25519-sha256,curve25519-sha256,curve25519-sha256@libssh.org," +
		"ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521," +
		"diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group14-sha256"
	defaultSignatures = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521," +
		"sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256"
	defaultKeys = "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com," +
		"ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com," +
		"sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com," +
		"rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com," + defaultSignatures
	defaultGSSAPIKex = "gss-group14-sha256-,gss-group16-sha512-,gss-nistp256-sha256-,gss-curve25519-sha256-," +
		"gss-group14-sha1-,gss-gex-sha1-"
)

func supported(a algorithm) bool { return a.supported }

func algorithmNames(table []algorithm, keep func(algorithm) bool) []string {
	var names []string
	for _, a := range table {
		if keep(a) {
			names = append(names, a.name)
		}
	}
	return names
}

func isCipher(name string) bool { return knownName(cipherTable[:], name) }
func isMAC(name string) bool    { return knownName(macTable[:], name) }
func isKex(name string) bool    { return knownName(kexTable[:], name) || isGSSAPIKex(name) }

func knownName(table []algorithm, name string) bool {
	return slices.ContainsFunc(table, func(a algorithm) bool { return a.name == name })
}

// isGSSAPIKex takes any mechanism behind a known prefix.
func isGSSAPIKex(name string) bool {
	return slices.ContainsFunc(gssapiKexTable[:], func(p string) bool { return strings.HasPrefix(name, p) })
}

// isKeyType takes names, and patterns that match or exclude some name.
func isKeyType(name string) bool {
	return slices.ContainsFunc(keyTable[:], func(k keyAlgorithm) bool { return matchList(k.name, name, false) != noMatch })
}

// validNames checks a comma-separated list up to its first empty item. bad is
// the first name that is not known; an empty list has none and is not valid.
func validNames(list string, known func(string) bool) (bad string, ok bool) {
	if list == "" {
		return "", false
	}
	for name := range strings.SplitSeq(list, ",") {
		if name == "" {
			break
		}
		if !known(name) {
			return name, false
		}
	}
	return "", true
}

// algorithmSet names one of the lists of algorithms that a keyword may set.
type algorithmSet uint8

const (
	noAlgorithms algorithmSet = iota
	listCiphers
	listMACs
	listKex
	listHostKeys
	listHostbased
	listPubkey
	listCASignatures
)

// algorithmList says how the list of one keyword is checked and completed.
type algorithmList struct {
	known    func(string) bool
	complain string // the message for a list with an unknown name
	defaults string
	all      func() []string // what is supported
	internal string          // OpenSSH's name of the option in messages
}

const badKeyTypes = "Bad key types '%s'."

// algorithmLists is read only.
var algorithmLists = [...]algorithmList{
	listCiphers:      {isCipher, "Bad SSH2 cipher spec '%s'.", defaultCiphers, supportedCiphers, "ciphers"},
	listMACs:         {isMAC, "Bad SSH2 MAC spec '%s'.", defaultMACs, supportedMACs, "macs"},
	listKex:          {isKex, "Bad SSH2 KexAlgorithms '%s'.", defaultKex, supportedKex, "kex_algorithms"},
	listHostKeys:     {isKeyType, badKeyTypes, defaultKeys, supportedKeySignatures, ""},
	listHostbased:    {isKeyType, badKeyTypes, defaultKeys, supportedKeySignatures, "hostbased_accepted_algos"},
	listPubkey:       {isKeyType, badKeyTypes, defaultKeys, supportedKeySignatures, "pubkey_accepted_algos"},
	listCASignatures: {isKeyType, badKeyTypes, defaultSignatures, supportedSignatures, "ca_sign_algorithms"},
}

func supportedCiphers() []string       { return algorithmNames(cipherTable[:], supported) }
func supportedMACs() []string          { return algorithmNames(macTable[:], supported) }
func supportedKex() []string           { return algorithmNames(kexTable[:], supported) }
func supportedKeySignatures() []string { return SupportedAlgorithms().KeySignatures }
func supportedSignatures() []string    { return SupportedAlgorithms().Signatures }

// algorithms describes the list of a keyword.
func (l *loader) algorithms(id keyword) *algorithmList {
	list := &algorithmLists[l.rows[l.st.index[id]].algs]
	return list
}

// setAlgorithms checks a list and keeps it as it is; assemble completes it once
// everything has been read. A list that takes away is not checked.
func (l *loader) setAlgorithms(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	if arg[0] != '-' {
		info := &algorithmLists[d.row.algs]
		list := arg
		if arg[0] == '+' || arg[0] == '^' {
			list = arg[1:]
		}
		bad, ok := validNames(list, info.known)
		if (d.row.algs == listCiphers || d.row.algs == listMACs) && strings.HasPrefix(list, ",") {
			ok = false
		}
		if !ok {
			if d.row.algs == listKex && bad != "" {
				l.plain(d, "Unsupported KEX algorithm \"%.100s\"", bad)
			}
			return l.badLine(d, info.complain, arg)
		}
	}
	if v := l.slot(d); v != nil {
		v.text = arg
	}
	return nil
}

// assemble completes the list of a keyword: + adds to the default, ^ puts in
// front of it, - takes away from it, and wildcards stand for what is supported.
// What is not supported is dropped; a list of nothing else is a mistake.
func (l *loader) assemble(id keyword) ([]string, error) {
	info := l.algorithms(id)
	v := l.st.get(id)
	defaults := strings.Split(info.defaults, ",")
	if v.text == "" {
		return defaults, nil
	}
	list := strings.Split(v.text[1:], ",")
	switch v.text[0] {
	case '-':
		rest := []string{}
		for _, name := range defaults {
			if matchList(name, v.text[1:], false) != matched {
				rest = append(rest, name)
			}
		}
		return rest, nil
	case '+':
		list = joinNames(defaults, list)
	case '^':
		list = joinNames(list, defaults)
	default:
		list = strings.Split(v.text, ",")
	}
	all := info.all()
	var result []string
	for _, p := range list {
		if strings.HasPrefix(p, "!") {
			return nil, l.assembleError(id)
		}
		var matching []string
		for _, name := range all {
			if pattern.Match(name, p) {
				matching = append(matching, name)
			}
		}
		result = joinNames(result, matching)
	}
	if len(result) == 0 {
		return nil, l.nothingLeft(id, v)
	}
	return result, nil
}

// joinNames appends the names of b that are not in a, up to an empty one.
func joinNames(a, b []string) []string {
	a = slices.Clone(a)
	for _, name := range b {
		if name == "" {
			break
		}
		if !slices.Contains(a, name) {
			a = append(a, name)
		}
	}
	return a
}

// assembleError is a list that OpenSSH finds to be no list only at the end.
func (l *loader) assembleError(id keyword) error {
	name := l.algorithms(id).internal
	if name == "" {
		return l.fatal("", 0, "dump_client_config: expand HostKeyAlgorithms: invalid argument")
	}
	l.bad("", 0, "fill_default_options: %s: invalid argument", name)
	return errFatal
}

// nothingLeft tells a list that is empty for OpenSSH too from one that only
// this program cannot do anything with.
func (l *loader) nothingLeft(id keyword, v *value) error {
	list := strings.TrimLeft(v.text, "+^")
	for name := range strings.SplitSeq(list, ",") {
		isKey := func(k keyAlgorithm) bool {
			return pattern.Match(k.name, name) && !(id == kwCASignatureAlgorithms && k.cert())
		}
		if isCipher(name) || isMAC(name) || isKex(name) || slices.ContainsFunc(keyTable[:], isKey) {
			// Only said once nothing that OpenSSH says is left to say.
			if l.unusable == kwNone {
				l.unusable = id
			}
			return nil
		}
	}
	return l.assembleError(id)
}

// refuseUnusable ends the resolution if a list holds nothing that this program
// can do.
func (l *loader) refuseUnusable() error {
	if l.unusable == kwNone {
		return nil
	}
	v, text := l.st.get(l.unusable), "%s line %d: "+l.algorithms(l.unusable).complain
	return l.fatal(v.at.file, v.at.line, text, v.at.file, v.at.line, v.text)
}
