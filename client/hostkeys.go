package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/xssh"
	"github.com/gossh-project/gossh/sshconfig"
)

// hostKeys verifies the server's host key for one connection.
type hostKeys struct {
	d        *dialer
	checker  *hostkey.Checker
	target   hostkey.Target
	verifier *hostkey.Verifier
	only     []ssh.PublicKey // Options.HostKeys

	mu        sync.Mutex
	refused   error         // the first refusal
	mismatch  bool          // refused is the error of ssh.FixedHostKey, for shown
	shown     ssh.PublicKey // set with mismatch
	exchanges int           // the number of key exchanges
}

func (d *dialer) newHostKeys(ctx context.Context, peer net.Addr) *hostKeys {
	h := &hostKeys{d: d}
	if len(d.opts.HostKeys) > 0 {
		h.only = d.opts.HostKeys
		return h
	}
	if d.opts.HostKeyCallback != nil {
		return h
	}
	h.checker = hostkey.NewChecker(d.hostKeyOptions())
	h.target = hostkey.Target{Host: d.cfg.HostName, Alias: d.cfg.HostKeyAlias, Port: d.cfg.Port}
	if d.direct() {
		if ap, err := netip.ParseAddrPort(peer.String()); err == nil {
			h.target.Addr = ap.Addr().Unmap()
		}
	}
	h.verifier = h.checker.Verifier(ctx, h.target)
	return h
}

// direct reports whether the network connection leads to the server itself.
func (d *dialer) direct() bool {
	return len(d.cfg.ProxyJump) == 0 && d.cfg.ProxyCommand == ""
}

// hostKeyOptions returns the options of package hostkey for the configuration.
func (d *dialer) hostKeyOptions() hostkey.Options {
	cfg := d.cfg
	o := hostkey.Options{
		UserFiles:                        cfg.UserKnownHostsFile,
		GlobalFiles:                      cfg.GlobalKnownHostsFile,
		Strict:                           strictness(cfg.StrictHostKeyChecking),
		HashKnownHosts:                   cfg.HashKnownHosts,
		CheckHostIP:                      cfg.CheckHostIP && d.direct(),
		NoHostAuthenticationForLocalhost: cfg.NoHostAuthenticationForLocalhost,
		UpdateHostKeys:                   updateMode(cfg.UpdateHostKeys),
		CASignatureAlgorithms:            list(cfg.CASignatureAlgorithms),
		RequiredRSASize:                  cfg.RequiredRSASize,
		RevokedHostKeys:                  cfg.RevokedHostKeys,
		Earlier:                          d.earlier.of(d.path),
		VerifyHostKeyDNS:                 dnsMode(cfg.VerifyHostKeyDNS),
		Notify:                           func(e hostkey.Event) { d.notify(HostKeyEvent{e}) },
		Logger:                           d.opts.Logger,
		Rand:                             d.opts.Rand,
	}
	if d.opts.NoFiles {
		o.UserFiles, o.GlobalFiles, o.RevokedHostKeys, o.UpdateHostKeys = nil, nil, nil, hostkey.UpdateNo
	}
	if cfg.KnownHostsCommand != "" && !d.opts.NoFiles {
		o.KnownHostsCommand = d.knownHostsCommand
	}
	if p := d.opts.Prompter; p != nil && !cfg.BatchMode {
		o.Ask = func(ctx context.Context, q hostkey.Question) (yes bool, err error) {
			err = d.untimed(func() error {
				yes, err = p.HostKey(ctx, q)
				return err
			})
			return yes, err
		}
	}
	return o
}

func strictness(s sshconfig.StrictHostKeyChecking) hostkey.Strictness {
	switch s {
	case sshconfig.StrictYes:
		return hostkey.StrictYes
	case sshconfig.StrictNo:
		return hostkey.StrictNo
	case sshconfig.StrictAcceptNew:
		return hostkey.StrictAcceptNew
	}
	return hostkey.StrictAsk
}

func updateMode(v sshconfig.YesNoAsk) hostkey.UpdateMode {
	switch v {
	case sshconfig.Yes:
		return hostkey.UpdateYes
	case sshconfig.Ask:
		return hostkey.UpdateAsk
	}
	return hostkey.UpdateNo
}

func dnsMode(v sshconfig.YesNoAsk) hostkey.DNSMode {
	switch v {
	case sshconfig.Yes:
		return hostkey.DNSYes
	case sshconfig.Ask:
		return hostkey.DNSAsk
	}
	return hostkey.DNSNo
}

// knownHostsCommand runs KnownHostsCommand, without a shell, as ssh does.
func (d *dialer) knownHostsCommand(ctx context.Context, r hostkey.CommandRequest) ([]byte, error) {
	tokens := sshconfig.KnownHostsTokens{Hostname: r.Host, Invocation: string(r.Purpose)}
	if r.Key != nil {
		tokens.KeyType = r.Key.Type()
		tokens.Fingerprint = hostkey.Fingerprint(r.Key)
		tokens.Key = base64.StdEncoding.EncodeToString(r.Key.Marshal())
	}
	argv, err := d.cfg.ExpandKnownHostsCommand(tokens)
	if err != nil {
		return nil, err
	}
	if len(argv) == 0 {
		return nil, errors.New("empty KnownHostsCommand")
	}
	if err := usable(argv[0]); err != nil {
		d.notify(HostKeyEvent{hostkey.CommandUnusable{Purpose: r.Purpose, Path: argv[0], Err: err}})
		return nil, nil
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	if d.opts.ProxyStderr != nil {
		cmd.Stderr = d.opts.ProxyStderr
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return nil, &hostkey.CommandError{Purpose: r.Purpose, Command: strings.Join(argv, " "), Err: err}
	}
	return out.Bytes(), nil
}

// usable returns an error for a program that ssh would not try to run.
func usable(path string) error {
	if !filepath.IsAbs(path) {
		return hostkey.ErrNotAbsolute
	}
	_, err := os.Stat(path)
	return err
}

// algorithms returns the host key algorithms to offer, in order.
func (h *hostKeys) algorithms(ctx context.Context) ([]string, error) {
	cfg := h.d.cfg
	if len(h.only) > 0 {
		return h.typesFirst(cfg.HostKeyAlgorithms), nil
	}
	if h.checker == nil {
		return cfg.HostKeyAlgorithms, nil
	}
	return h.checker.Algorithms(ctx, h.target, cfg.HostKeyAlgorithms, cfg.HostKeyAlgorithmsByFile)
}

// typesFirst puts the algorithms of the expected keys first, so that a server
// with keys of several types shows one of them.
func (h *hostKeys) typesFirst(algorithms []string) []string {
	expected := func(algorithm string) bool {
		return slices.ContainsFunc(h.only, func(k ssh.PublicKey) bool { return k.Type() == keyTypeOf(algorithm) })
	}
	var first, last []string
	for _, algorithm := range algorithms {
		if expected(algorithm) {
			first = append(first, algorithm)
		} else {
			last = append(last, algorithm)
		}
	}
	return append(first, last...)
}

// checkOnly accepts the keys of Options.HostKeys, and certificates for these
// keys.
func (h *hostKeys) checkOnly(_ string, _ net.Addr, key ssh.PublicKey) error {
	plain := key
	if cert, ok := key.(*ssh.Certificate); ok {
		plain = cert.Key
	}
	for _, k := range h.only {
		if bytes.Equal(k.Marshal(), key.Marshal()) || bytes.Equal(k.Marshal(), plain.Marshal()) {
			return nil
		}
	}
	return &hostkey.ChangedError{Host: h.d.cfg.HostName, Key: plain,
		KeyType: hostkey.KeyType(plain), Fingerprint: hostkey.Fingerprint(plain)}
}

// callback verifies the host key. It is called at every key exchange.
func (h *hostKeys) callback(host string, peer net.Addr, key ssh.PublicKey) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.exchanges++; h.exchanges == 1 {
		h.d.debugf("SSH2_MSG_KEXINIT received")
		h.d.debugf("Server host key: %s %s", key.Type(), hostkey.Fingerprint(key))
	} else {
		h.d.debugf("SSH2_MSG_NEWKEYS sent")
	}
	check := h.d.opts.HostKeyCallback
	switch {
	case len(h.only) > 0:
		check = h.checkOnly
	case h.verifier != nil:
		check = h.verifier.Callback
	}
	err := check(host, peer, key)
	if err != nil && h.refused == nil {
		h.refused = err
		if h.verifier == nil && len(h.only) == 0 {
			h.refused = &CallbackError{Name: hostKeyCallback, Err: err}
			h.mismatch = h.exchanges == 1 && xssh.IsFixedKeyMismatch(err)
			h.shown = key
		}
	}
	if err == nil && h.exchanges == 1 && h.verifier != nil {
		h.d.earlier.accepted(h.d.path, h.verifier)
	}
	return err
}

// otherTypes returns the algorithms that are left after ssh.FixedHostKey has
// refused the key that was shown: the server may have the right one, of another
// type. It returns nil after any other refusal, and if no type is left.
func (h *hostKeys) otherTypes(offered []string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.mismatch {
		return nil
	}
	shown := h.shown.Type()
	return slices.DeleteFunc(slices.Clone(offered), func(algorithm string) bool {
		return keyTypeOf(algorithm) == shown
	})
}

// otherHostKeys returns the algorithms for another connection after a refusal by
// ssh.FixedHostKey, or nil.
func (d *dialer) otherHostKeys() []string {
	if d.keys == nil || d.cfg.ProxyCommand == "-" { // standard input can be used once
		return nil
	}
	return d.keys.otherTypes(d.hostKeyAlgorithms)
}

// keyTypeOf returns the key type of a signature algorithm (RFC 8332, section 3).
func keyTypeOf(algorithm string) string {
	switch algorithm {
	case ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
		return ssh.KeyAlgoRSA
	case ssh.CertAlgoRSASHA256v01, ssh.CertAlgoRSASHA512v01:
		return ssh.CertAlgoRSAv01
	}
	return algorithm
}

// err returns why the host key was refused, or nil.
func (h *hostKeys) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refused
}

// restricted reports whether the server's identity is in doubt; see
// hostkey.Verdict.
func (h *hostKeys) restricted() bool {
	if h.verifier == nil {
		return false
	}
	v := h.verifier.Verdict()
	return v != nil && v.Restricted
}

// earlierKeys are the host keys that Keep has accepted so far, for the target
// and each jump host. Later connections are checked against them. With
// StrictHostKeyChecking no and no known_hosts nothing else would detect that
// another server answers.
//
// A host is identified by the name that it was given (see hopPath), not by its
// address or canonical name: those come from DNS.
type earlierKeys struct {
	mu    sync.Mutex
	hosts map[string]*earlierHost
}

type earlierHost struct {
	keys []ssh.PublicKey
	last *hostkey.Verifier // may accept further keys while it is connected
}

func newEarlierKeys() *earlierKeys { return &earlierKeys{hosts: make(map[string]*earlierHost)} }

// of returns the keys of a host. A nil *earlierKeys has none.
func (e *earlierKeys) of(path string) []ssh.PublicKey {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.hosts[path]
	if h == nil {
		return nil
	}
	h.settle()
	return slices.Clone(h.keys)
}

// accepted records that v has accepted a key.
func (e *earlierKeys) accepted(path string, v *hostkey.Verifier) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.hosts[path]
	if h == nil {
		h = new(earlierHost)
		e.hosts[path] = h
	}
	h.settle()
	h.last = v
}

// settle adds the keys of the last connection.
func (h *earlierHost) settle() {
	if h.last == nil {
		return
	}
	for _, key := range h.last.Accepted() {
		text := key.Marshal()
		if !slices.ContainsFunc(h.keys, func(k ssh.PublicKey) bool { return bytes.Equal(k.Marshal(), text) }) {
			h.keys = append(h.keys, key)
		}
	}
}

// hopPath returns the name of a jump host of the host named of.
func hopPath(of string, hop sshconfig.JumpHost) string {
	return of + "," + net.JoinHostPort(hop.Host, strconv.Itoa(hop.Port))
}
