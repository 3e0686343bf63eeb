package client

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wipe"
	"github.com/gossh-project/gossh/userauth"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// methodsByDefault returns the methods in OpenSSH's default order, without
// hostbased and gssapi-with-mic, which are not supported.
func methodsByDefault() []string {
	return []string{"publickey", "keyboard-interactive", "password"}
}

// authenticator chooses the next method each time the server has answered, as
// OpenSSH's userauth does: the preferred methods in order, each one until it has
// nothing left to send.
type authenticator struct {
	ctx context.Context
	d   *dialer

	started   bool
	attempted bool     // a method was chosen before
	allowed   []string // the methods that the server accepts now
	current   string   // the method in use
	exhausted []string // methods that have nothing left to send
	keys      *keyring

	passwords, challenges int // the number of attempts
	ownPassword           bool
	questioned            bool // the server has sent a challenge (RFC 4256)

	tried   []string
	offered []string // the fingerprints of the keys offered
	partial int
	failed  error
	errs    []error // see AuthError.Errs

	hostKeyAlgorithm string // as negotiated
}

func newAuthenticator(ctx context.Context, d *dialer) *authenticator {
	return &authenticator{ctx: ctx, d: d}
}

// close closes the connection to the agent.
func (a *authenticator) close() {
	if a.keys != nil {
		a.keys.close()
		a.keys = nil
	}
}

func (a *authenticator) began() bool { return a.started }

// err returns the error with which next gave up, or nil.
func (a *authenticator) err() error { return a.failed }

func (a *authenticator) lastMethod() string {
	if a.current == "" {
		return "none"
	}
	return a.current
}

// authState is what the server has sent so far.
type authState struct {
	sessionID        []byte
	algorithms       ssh.NegotiatedAlgorithms
	allowed, partial []string
}

// authMethod is one attempt to authenticate. One of its fields is set.
type authMethod struct {
	key       *identity
	password  func() (string, error)
	challenge ssh.KeyboardInteractiveChallenge
}

// nextOfCrypto is the ssh.ClientAuthCallback of x/crypto.
func (a *authenticator) nextOfCrypto(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	st := authState{sessionID: c.Metadata.SessionID(), algorithms: c.Algorithms,
		allowed: c.AllowedMethods, partial: c.PartialSuccessMethods}
	m, err := a.next(&st)
	switch {
	case err != nil || m == nil:
		return nil, err
	case m.key != nil:
		return ssh.PublicKeys(m.key), nil
	case m.password != nil:
		return ssh.PasswordCallback(m.password), nil
	}
	return ssh.KeyboardInteractive(m.challenge), nil
}

// own returns the method for package userauth.
func (m *authMethod) own(d *dialer) userauth.Method {
	switch {
	case m.key != nil:
		return userauth.PublicKey(m.key)
	case m.password != nil:
		return userauth.Password(m.password, nil)
	}
	var devices []string
	if d.cfg.KbdInteractiveDevices != "" {
		devices = strings.Split(d.cfg.KbdInteractiveDevices, ",")
	}
	return userauth.KeyboardInteractive(devices, m.challenge)
}

// begin records that the key exchange is done. Further calls do nothing.
func (a *authenticator) begin(st *authState) {
	if !a.started {
		a.started = true
		a.logNegotiated(st)
	}
}

// next returns the next attempt.
func (a *authenticator) next(st *authState) (*authMethod, error) {
	a.begin(st)
	if a.failed != nil {
		return nil, a.failed
	}
	if goOn, err := a.d.engine.mayAuthenticate(!a.attempted); !goOn {
		return nil, err
	}
	a.attempted = true
	a.d.limit.restart()
	a.allowed = st.allowed
	if n := len(st.partial); n > a.partial {
		a.partial = n
		a.d.logf(levelVerbose, "Authenticated using \"%s\" with partial success.", st.partial[n-1])
		a.current = ""
		if a.keys != nil {
			a.keys.reset()
		}
	}
	a.d.debugf("Authentications that can continue: %s", strings.Join(a.allowed, ","))
	method, err := a.choose(st)
	if err != nil && context.Cause(a.ctx) == nil {
		a.failed = err
	}
	return method, err
}

func (a *authenticator) choose(st *authState) (*authMethod, error) {
	for {
		name := a.nextName()
		if name == "" {
			a.d.debugf("No more authentication methods to try.")
			return nil, a.denied(st)
		}
		if name != a.current {
			a.current = name
			a.d.debugf("Next authentication method: %s", name)
		}
		method, err := a.method(name, st)
		if err != nil {
			return nil, err
		}
		if method != nil {
			if !slices.Contains(a.tried, name) {
				a.tried = append(a.tried, name)
			}
			return method, nil
		}
		a.exhausted = append(a.exhausted, name)
	}
}

// nextName returns the first preferred method that the server accepts and that
// has something left to send. A server that names no methods is assumed to
// accept all.
func (a *authenticator) nextName() string {
	preferred := a.d.cfg.PreferredAuthentications
	if len(preferred) == 0 {
		preferred = methodsByDefault()
	}
	for _, name := range preferred {
		if (len(a.allowed) == 0 || slices.Contains(a.allowed, name)) && a.enabled(name) && !slices.Contains(a.exhausted, name) {
			return name
		}
	}
	return ""
}

// enabled reports whether the configuration permits a method. After a changed
// host key, methods that send secrets are disabled: an attacker could read them.
func (a *authenticator) enabled(name string) bool {
	cfg := a.d.cfg
	asks := cfg.PasswordAuthentication
	switch name {
	case "publickey":
		return cfg.PubkeyAuthentication != "no"
	case "keyboard-interactive":
		asks = cfg.KbdInteractiveAuthentication
	case "password":
	default:
		return false
	}
	if !asks || (cfg.BatchMode && !a.hasOwnPassword()) || a.d.keys.restricted() {
		return false
	}
	return a.d.opts.Prompter != nil || a.hasOwnPassword()
}

func (a *authenticator) hasOwnPassword() bool { return a.d.opts.Password != nil && !a.ownPassword }

// method returns the next attempt of a method, or nil if it has none.
func (a *authenticator) method(name string, st *authState) (*authMethod, error) {
	switch name {
	case "publickey":
		return a.publicKey(st)
	case "password":
		return a.password(), nil
	default:
		return a.keyboardInteractive(), nil
	}
}

// publicKey returns an attempt with one key. Each key is an attempt of its own,
// so that the keyring decides the order.
func (a *authenticator) publicKey(st *authState) (*authMethod, error) {
	if a.keys == nil {
		// Private keys are read if there is no public key file.
		wipe.OnOwnStack(func() { a.keys = a.d.newKeyring(a.ctx, st.sessionID) })
	}
	id, err := a.keys.next()
	if err != nil || id == nil {
		return nil, err
	}
	if id.only == "" {
		a.offered = append(a.offered, sshkey.Fingerprint(id.pub))
	}
	return &authMethod{key: id}, nil
}

func (a *authenticator) password() *authMethod {
	if !a.hasOwnPassword() && a.passwords >= a.d.cfg.NumberOfPasswordPrompts {
		return nil
	}
	a.passwords++
	return &authMethod{password: func() (password string, err error) {
		if a.hasOwnPassword() {
			return a.programPassword()
		}
		q := PasswordQuestion{User: a.d.cfg.User, Host: a.d.promptHost(), Attempt: a.passwords}
		err = a.d.untimed(func() error {
			password, err = a.d.opts.Prompter.Password(a.ctx, q)
			return err
		})
		a.d.notify(SecretRead{})
		return password, a.giveUp(err)
	}}
}

// programPassword calls Options.Password, once. Its error ends the Dial: the
// server has refused nothing.
func (a *authenticator) programPassword() (string, error) {
	a.ownPassword = true
	password, err := a.d.opts.Password(a.ctx)
	if err != nil && context.Cause(a.ctx) == nil {
		a.failed = &CallbackError{Name: "Password", Err: err}
	}
	return password, err
}

func (a *authenticator) keyboardInteractive() *authMethod {
	if a.challenges >= a.d.cfg.NumberOfPasswordPrompts || (a.challenges > 0 && !a.questioned) {
		return nil
	}
	a.challenges++
	return &authMethod{challenge: func(name, instruction string, prompts []string, echos []bool) (answers []string, err error) {
		a.questioned = true
		q := ChallengeQuestion{User: a.d.cfg.User, Host: a.d.promptHost(), Name: name,
			Instruction: instruction, Attempt: a.challenges}
		for i, text := range prompts {
			q.Prompts = append(q.Prompts, ChallengePrompt{Text: text, Echo: echos[i]})
		}
		if len(prompts) == 1 && !echos[0] && a.hasOwnPassword() {
			password, err := a.programPassword()
			return []string{password}, err
		}
		if a.d.opts.Prompter == nil {
			return nil, a.giveUp(errors.New("client: nobody to ask"))
		}
		err = a.d.untimed(func() error {
			answers, err = a.d.opts.Prompter.Challenge(a.ctx, q)
			return err
		})
		a.d.notify(SecretRead{})
		return answers, a.giveUp(err)
	}}
}

// giveUp marks the current method as exhausted after a failed prompt. It returns
// err.
func (a *authenticator) giveUp(err error) error {
	if err != nil {
		a.note(err)
		a.exhausted = append(a.exhausted, a.current)
		a.d.debugf("%s: %v", a.current, err)
	}
	return err
}

// note records an error for AuthError.Errs. A nil authenticator is that of
// OfferedKeys and records nothing.
func (a *authenticator) note(err error) {
	if a != nil && err != nil && !errors.Is(err, ErrNoAnswer) {
		a.errs = append(a.errs, err)
	}
}

// promptHost returns the host name for questions.
func (d *dialer) promptHost() string {
	if d.cfg.HostKeyAlias != "" {
		return d.cfg.HostKeyAlias
	}
	return d.cfg.HostName
}

// denied returns the error for a server that accepts none of the methods that
// are left.
func (a *authenticator) denied(st *authState) error {
	if ended := contextError(a.ctx); ended != nil {
		return ended
	}
	return &AuthError{
		User: a.d.cfg.User, Host: a.d.cfg.HostName, Methods: a.allowed,
		Tried: a.tried, Keys: a.offered, Partial: st.partial, Errs: a.errs,
	}
}

// logNegotiated logs the negotiated algorithms as ssh -v does.
func (a *authenticator) logNegotiated(st *authState) {
	n := st.algorithms
	a.hostKeyAlgorithm = n.HostKey
	a.d.warnWeak(n.KeyExchange)
	a.d.debugf("kex: algorithm: %s", n.KeyExchange)
	a.d.debugf("kex: host key algorithm: %s", n.HostKey)
	a.d.debugf("kex: server->client cipher: %s MAC: %s compression: none", n.Read.Cipher, macName(n.Read))
	a.d.debugf("kex: client->server cipher: %s MAC: %s compression: none", n.Write.Cipher, macName(n.Write))
	a.d.debugf("SSH2_MSG_NEWKEYS sent")
	a.d.debugf("SSH2_MSG_NEWKEYS received")
	a.d.debugf("SSH2_MSG_SERVICE_ACCEPT received")
}

func macName(d ssh.DirectionAlgorithms) string {
	if d.MAC == "" {
		return "<implicit>"
	}
	return d.MAC
}
