package sshtest

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// defaultVersion names OpenSSH, because its clients use extensions such as
// eow@openssh.com and no-more-sessions@openssh.com only with OpenSSH servers.
const defaultVersion = "SSH-2.0-OpenSSH_9.9 gossh-sshtest"

// errDenied is the error for wrong credentials.
var errDenied = errors.New("sshtest: denied")

// login is the state of the authentication of one connection. x/crypto calls its
// methods one at a time.
type login struct {
	c    *Conn
	step int // how many methods of User.Sequence have succeeded

	used     []string // fingerprints of the keys that succeeded
	reported bool     // the current publickey attempt is in the journal already
}

// config returns x/crypto's configuration for one connection, with callbacks
// that hold its state.
func (c *Conn) config() *ssh.ServerConfig {
	o := &c.srv.opts
	l := &login{c: c}
	config := &ssh.ServerConfig{
		Config:                    o.Config,
		PublicKeyAuthAlgorithms:   o.PublicKeyAlgorithms,
		MaxAuthTries:              o.MaxAuthTries,
		ServerVersion:             o.Version,
		VerifiedPublicKeyCallback: l.verified,
		AuthLogCallback:           l.log,
	}
	if config.ServerVersion == "" {
		config.ServerVersion = defaultVersion
	}
	if o.Banner != "" {
		config.BannerCallback = func(ssh.ConnMetadata) string { return o.Banner }
	}
	methods := c.srv.methods()
	next := l.callbacks(methods)
	config.PasswordCallback = next.PasswordCallback
	config.PublicKeyCallback = next.PublicKeyCallback
	config.KeyboardInteractiveCallback = next.KeyboardInteractiveCallback
	if slices.Contains(methods, "none") {
		config.NoClientAuth = true
		config.NoClientAuthCallback = l.none
	}
	if f := o.Faults; f.StallAt == StageAuth || f.CloseAt == StageAuth {
		config.PreAuthConnCallback = func(ssh.ServerPreAuthConn) { c.reach(StageAuth) }
	}
	for _, k := range c.srv.hostKeys {
		if f := o.Faults; f.StallAt == StageKex || f.CloseAt == StageKex {
			if a, ok := k.(ssh.AlgorithmSigner); ok {
				k = &kexFault{AlgorithmSigner: a, c: c}
			}
		}
		config.AddHostKey(k)
	}
	return config
}

// methods returns the methods that the server offers at the start.
func (s *Server) methods() []string {
	if len(s.opts.Methods) > 0 {
		return s.opts.Methods
	}
	if len(s.opts.Users) == 1 && len(s.opts.Users[0].Sequence) > 0 {
		return s.opts.Users[0].Sequence[:1]
	}
	var ms []string
	for _, u := range s.opts.Users {
		if u.None {
			ms = append(ms, "none")
		}
		if u.Password != "" {
			ms = append(ms, "password")
		}
		if len(u.Keys)+len(u.CAs) > 0 {
			ms = append(ms, "publickey")
		}
		if len(u.Rounds) > 0 {
			ms = append(ms, "keyboard-interactive")
		}
	}
	if len(ms) == 0 {
		// x/crypto requires a method; no user can use it
		ms = []string{"publickey"}
	}
	return ms
}

// callbacks returns the callbacks of the named methods.
func (l *login) callbacks(methods []string) ssh.ServerAuthCallbacks {
	var cb ssh.ServerAuthCallbacks
	if slices.Contains(methods, "password") {
		cb.PasswordCallback = l.password
	}
	if slices.Contains(methods, "publickey") {
		cb.PublicKeyCallback = l.publicKey
	}
	if slices.Contains(methods, "keyboard-interactive") {
		cb.KeyboardInteractiveCallback = l.interactive
	}
	return cb
}

// passed is called when a method has succeeded. It returns nil if the user is
// authenticated, x/crypto's partial success if another method is required, and
// errDenied if this method was not the next in the user's sequence.
func (l *login) passed(u *User, method string) error {
	if len(u.Sequence) == 0 {
		return nil
	}
	if l.step >= len(u.Sequence) || u.Sequence[l.step] != method {
		return fmt.Errorf("%w: %s is not the next method", errDenied, method)
	}
	l.step++
	if l.step == len(u.Sequence) {
		return nil
	}
	return &ssh.PartialSuccessError{Next: l.callbacks(u.Sequence[l.step : l.step+1])}
}

func (l *login) none(m ssh.ConnMetadata) (*ssh.Permissions, error) {
	u := l.c.srv.users[m.User()]
	if u == nil || !u.None {
		return nil, errDenied
	}
	return nil, l.passed(u, "none")
}

func (l *login) password(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	u := l.c.srv.users[m.User()]
	if u == nil || u.Password == "" || subtle.ConstantTimeCompare([]byte(u.Password), password) != 1 {
		return nil, errDenied
	}
	return nil, l.passed(u, "password")
}

// interactive sends all rounds of the user, even after a wrong answer. Users
// without rounds and unknown users are asked for a password, which is always
// wrong.
func (l *login) interactive(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	u := l.c.srv.users[m.User()]
	rounds := []Round{{Prompts: []Prompt{{Text: "Password: "}}}}
	known := u != nil && len(u.Rounds) > 0
	if known {
		rounds = u.Rounds
	}
	right := known
	for _, r := range rounds {
		texts, echos := make([]string, len(r.Prompts)), make([]bool, len(r.Prompts))
		for i, p := range r.Prompts {
			texts[i], echos[i] = p.Text, p.Echo
		}
		answers, err := ask(r.Name, r.Instruction, texts, echos)
		if err != nil {
			return nil, err
		}
		for i, p := range r.Prompts {
			right = right && answers[i] == p.Answer
		}
	}
	if !right {
		return nil, errDenied
	}
	return nil, l.passed(u, "keyboard-interactive")
}

// publicKey reports whether a signature with key would authenticate the user.
func (l *login) publicKey(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	l.reported = true
	err := l.allowed(m.User(), key)
	l.attempt(m, Attempt{Method: "publickey", OK: err == nil, Err: err}, key)
	return nil, err
}

func (l *login) allowed(user string, key ssh.PublicKey) error {
	u := l.c.srv.users[user]
	if u == nil {
		return errDenied
	}
	if slices.Contains(l.used, ssh.FingerprintSHA256(key)) {
		return fmt.Errorf("%w: key used already", errDenied)
	}
	for _, k := range u.Keys {
		if string(k.Marshal()) == string(key.Marshal()) {
			return nil
		}
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return errDenied
	}
	checker := ssh.CertChecker{IsUserAuthority: func(ca ssh.PublicKey) bool {
		return slices.ContainsFunc(u.CAs, func(k ssh.PublicKey) bool {
			return string(k.Marshal()) == string(ca.Marshal())
		})
	}}
	// for x/crypto an empty list of principals means any user; for sshd it does
	// not
	if cert.CertType != ssh.UserCert || len(cert.ValidPrincipals) == 0 || !checker.IsUserAuthority(cert.SignatureKey) {
		return errDenied
	}
	return checker.CheckCert(user, cert)
}

// verified is called after a good signature.
func (l *login) verified(m ssh.ConnMetadata, key ssh.PublicKey, _ *ssh.Permissions, algorithm string) (*ssh.Permissions, error) {
	err := l.passed(l.c.srv.users[m.User()], "publickey")
	var partial *ssh.PartialSuccessError
	a := Attempt{Method: "publickey", Signed: true, Algorithm: algorithm, Err: err}
	if errors.As(err, &partial) {
		a.Partial, a.Err = true, nil
	}
	a.OK = a.Err == nil
	if a.OK {
		l.used = append(l.used, ssh.FingerprintSHA256(key))
	}
	l.attempt(m, a, key)
	l.reported = true
	return nil, err
}

// log records every attempt, except accepted offers of keys.
func (l *login) log(m ssh.ConnMetadata, method string, err error) {
	if method == "publickey" && l.reported {
		l.reported = false
		return
	}
	var partial *ssh.PartialSuccessError
	a := Attempt{Method: method, OK: err == nil, Err: err}
	if errors.As(err, &partial) {
		a.OK, a.Partial, a.Err = true, true, nil
	}
	l.attempt(m, a, nil)
}

func (l *login) attempt(m ssh.ConnMetadata, a Attempt, key ssh.PublicKey) {
	a.Conn, a.User, a.At = l.c.ID, m.User(), time.Now()
	if key != nil {
		a.KeyType = key.Type()
		if cert, ok := key.(*ssh.Certificate); ok {
			key = cert.Key
		}
		a.Fingerprint = ssh.FingerprintSHA256(key)
	}
	l.c.srv.journal.attempt(a)
	l.c.srv.log.Debug("attempt", "conn", a.Conn, "user", a.User, "method", a.Method, "ok", a.OK, "err", a.Err)
}
