package client

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"

	"github.com/gossh-project/gossh/sshconfig"
)

// sshConfig returns the configuration of x/crypto. It sets every list of
// algorithms, since x/crypto's defaults include SHA-1.
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

// offerHostKeys sets the host key algorithms to offer, unless they are set.
func (d *dialer) offerHostKeys(ctx context.Context) (err error) {
	if d.hostKeyAlgorithms == nil {
		d.hostKeyAlgorithms, err = d.keys.algorithms(ctx)
	}
	return err
}

// ciphers returns the ciphers in order of preference. OpenSSH's order begins
// with ChaCha20, for which x/crypto has no assembly on amd64: it takes three
// times as long as in ssh, while AES-GCM with the processor's instructions takes
// a third of ssh's ChaCha20. So AES-GCM comes first on such machines, unless
// Ciphers is set.
func (d *dialer) ciphers() []string {
	hardware := runtime.GOARCH == "amd64" && cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ
	if !hardware || d.cfg.IsSet("Ciphers") {
		return d.cfg.Ciphers
	}
	return gcmFirst(d.cfg.Ciphers)
}

// gcmFirst reorders OpenSSH's default list and returns any other list unchanged.
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
// from the first byte, but OpenSSH's server does not answer a key exchange
// before the user is authenticated.
const leastRekeyThreshold = 64 << 10

// rekeyThreshold returns RekeyLimit for x/crypto. Zero is x/crypto's default.
func rekeyThreshold(limit int64) uint64 {
	if limit <= 0 {
		return 0
	}
	return max(uint64(limit), leastRekeyThreshold)
}

// list returns a copy of names. For an empty list it returns a name that does
// not exist, since x/crypto would use its defaults.
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

// clientVersion returns the identification string, with VersionAddendum as the
// comment (RFC 4253, section 4.2).
func (d *dialer) clientVersion() string {
	if d.cfg.VersionAddendum == "" {
		return d.opts.ClientVersion
	}
	return d.opts.ClientVersion + " " + d.cfg.VersionAddendum
}

// warnWeak reports a key exchange that is not post-quantum, as WarnWeakCrypto of
// OpenSSH 10 does. It does not if KexAlgorithms is set, or if the server offers
// a post-quantum method that is not supported here.
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

// postQuantum reports whether a key exchange method resists quantum computers.
func postQuantum(kex string) bool {
	switch kex {
	case ssh.KeyExchangeMLKEM768X25519, "mlkem768nistp256-sha256",
		"sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com":
		return true
	}
	return false
}
