package client

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"

	"github.com/gossh-project/gossh/sshconfig"
)

// sshConfig sets every list that x/crypto has a default for: its defaults
// still offer SHA-1.
func (d *dialer) sshConfig(ctx context.Context) (*ssh.ClientConfig, error) {
	if err := d.offerHostKeys(ctx); err != nil {
		return nil, err
	}
	return &ssh.ClientConfig{
		Config: ssh.Config{
			Rand:           d.opts.Rand,
			RekeyThreshold: rekeyThreshold(d.cfg.RekeyLimit.Bytes),
			KeyExchanges:   list(d.cfg.KexAlgorithms),
			Ciphers:        list(d.ciphers()),
			MACs:           list(d.cfg.MACs),
		},
		User:              d.cfg.User,
		AuthCallback:      d.auth.nextOfCrypto,
		HostKeyCallback:   d.keys.callback,
		HostKeyAlgorithms: list(d.hostKeyAlgorithms),
		BannerCallback:    d.banner,
		ClientVersion:     d.clientVersion(),
	}, nil
}

// offerHostKeys chooses the host key algorithms to offer, unless that was done.
func (d *dialer) offerHostKeys(ctx context.Context) (err error) {
	if d.hostKeyAlgorithms == nil {
		d.hostKeyAlgorithms, err = d.keys.algorithms(ctx)
	}
	return err
}

// ciphers gives the order of preference. OpenSSH's begins with ChaCha20, for
// which x/crypto has no assembly on amd64: there it takes thrice the time that
// ssh's takes, and AES-GCM a third of that, by the processor's instructions. So
// AES-GCM goes first where both are so, unless somebody chose the ciphers.
func (d *dialer) ciphers() []string {
	hardware := runtime.GOARCH == "amd64" && cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ
	if !hardware || d.cfg.IsSet("Ciphers") {
		return d.cfg.Ciphers
	}
	return gcmFirst(d.cfg.Ciphers)
}

// gcmFirst reorders OpenSSH's default list. Any other is a program's own.
func gcmFirst(ciphers []string) []string {
	openssh := []string{
		ssh.CipherChaCha20Poly1305, ssh.CipherAES128GCM, ssh.CipherAES256GCM,
		ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR,
	}
	if !slices.Equal(ciphers, openssh) {
		return ciphers
	}
	return slices.Concat(openssh[1:3], openssh[:1], openssh[3:])
}

// leastRekeyThreshold is more than any authentication sends. x/crypto counts
// from the first byte; OpenSSH's server does not answer a key exchange before
// it has authenticated the user, and its client begins none.
const leastRekeyThreshold = 64 << 10

// rekeyThreshold is RekeyLimit for x/crypto, 0 being its default.
func rekeyThreshold(limit int64) uint64 {
	if limit <= 0 {
		return 0
	}
	return max(uint64(limit), leastRekeyThreshold)
}

// list keeps x/crypto from taking an empty list for "the default": a name that
// nobody has leaves nothing to agree on.
func list(names []string) []string {
	if len(names) == 0 {
		return []string{"none-left"}
	}
	return slices.Clone(names)
}

func (d *dialer) banner(text string) error {
	if text != "" {
		d.notify(Banner{text})
	}
	return nil
}

// clientVersion is the identification string, with VersionAddendum as the
// comments that RFC 4253, section 4.2 allows.
func (d *dialer) clientVersion() string {
	if d.cfg.VersionAddendum == "" {
		return d.opts.ClientVersion
	}
	return d.opts.ClientVersion + " " + d.cfg.VersionAddendum
}

// warnWeak warns of a server without any post-quantum key exchange, as
// WarnWeakCrypto and OpenSSH 10 have it: what is recorded today can be broken
// one day. A user who has chosen the methods knows. A server that has such a
// method, but not the one that x/crypto has, is not the one to be upgraded.
func (d *dialer) warnWeak(kex string) {
	if d.cfg.WarnWeakCrypto == sshconfig.WarnWeakCryptoNo || d.cfg.IsSet("KexAlgorithms") || postQuantum(kex) {
		return
	}
	if slices.ContainsFunc(d.engine.serverKexAlgorithms(), postQuantum) {
		d.debugf("server has a post-quantum key exchange algorithm that is not supported here")
		return
	}
	d.notify(WeakKeyExchange{Algorithm: kex})
}

// postQuantum reports whether a quantum computer is not known to break a key
// exchange method.
func postQuantum(kex string) bool {
	switch kex {
	case ssh.KeyExchangeMLKEM768X25519, "mlkem768nistp256-sha256",
		"sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com":
		return true
	}
	return false
}
