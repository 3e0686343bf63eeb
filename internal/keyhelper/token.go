package keyhelper

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// Messages of ssh-pkcs11-helper. It speaks the protocol of ssh-agent.
const (
	agentFailure           = 5
	agentIdentitiesAnswer  = 12
	agentSignRequest       = 13
	agentSignResponse      = 14
	agentAddSmartcardKey   = 20
	maxProvider            = 4 << 10
	maxPIN                 = 1 << 10
	smallestIdentityLength = 8 // two empty strings
)

var (
	// ErrPINRequired says that a token needs a PIN and there is none.
	ErrPINRequired = errors.New("keyhelper: PIN required")
	// ErrNoKeys says that the provider has no keys, or could not be loaded;
	// the helper's lines say which.
	ErrNoKeys = errors.New("keyhelper: provider has no keys")
	// ErrRefused says that the token made no signature.
	ErrRefused = errors.New("keyhelper: token refused to sign")
)

// LoginError says that a token refused the PIN.
type LoginError struct {
	Code uint64 // CK_RV of PKCS#11
}

// The codes that have words in OpenSSH.
const (
	PINIncorrect   = 0xa0 // CKR_PIN_INCORRECT
	PINLengthRange = 0xa2 // CKR_PIN_LEN_RANGE
	PINLocked      = 0xa4 // CKR_PIN_LOCKED
)

func (e *LoginError) Error() string { return fmt.Sprintf("keyhelper: login failed: error %d", e.Code) }

// Token is a PKCS#11 provider that is loaded in a helper, logged in to its
// tokens if they want that. Close must be called. It is safe for concurrent
// use.
type Token struct {
	keys []TokenKey
	opts Options
	ctx  context.Context

	mu      sync.Mutex // guards the conversation
	process *process
	dialect dialect
	broken  error
}

// TokenKey is a key on a token.
type TokenKey struct {
	Public ssh.PublicKey
	Label  string // as the token has it; not to be trusted with control characters
}

// OpenToken loads the PKCS#11 library provider and lists its keys. pin is
// called with the labels of the tokens if one of them wants a PIN before it
// shows its keys; all of them get the same one. It may be nil. The PIN is
// cleared. The helper ends with ctx, of which the error may be the cause.
// Other errors are ErrNoKeys, ErrPINRequired, a *LoginError, a *ProgramError or
// that of pin.
func OpenToken(ctx context.Context, provider string, pin func(ctx context.Context, labels []string) ([]byte, error), o Options) (*Token, error) {
	if len(provider) > maxProvider || strings.ContainsRune(provider, 0) {
		return nil, ErrNoKeys
	}
	t := &Token{opts: o, ctx: ctx}
	lines, err := t.load(provider, nil)
	if err == nil || !errors.Is(err, ErrNoKeys) || !wantPIN(lines) {
		return t.opened(err)
	}
	if pin == nil {
		return nil, ErrPINRequired
	}
	secret, err := pin(ctx, tokenLabels(lines))
	defer clear(secret)
	switch {
	case err != nil:
		return nil, err
	case len(secret) == 0 || len(secret) > maxPIN || strings.ContainsRune(string(secret), 0):
		return nil, ErrPINRequired
	}
	lines, err = t.load(provider, secret)
	if code, failed := loginFailure(lines); failed && errors.Is(err, ErrNoKeys) {
		err = &LoginError{Code: code}
	}
	return t.opened(err)
}

func (t *Token) opened(err error) (*Token, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// load starts a helper and lets it load the provider, which a helper of
// OpenSSH 10.1 or later does once. It returns the helper's lines if there are
// no keys.
func (t *Token) load(provider string, pin []byte) ([]string, error) {
	p, err := t.start()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(t.ctx, t.opts.answerTime(), ErrTimeout)
	defer cancel()
	answer, err := p.converse(ctx, addRequest(provider, pin))
	if err == nil {
		t.keys, err = parseIdentities(answer)
		if errors.Is(err, ErrProtocol) {
			err = p.failed(err)
		}
	}
	if err != nil {
		if errors.Is(err, ErrNoKeys) {
			p.leave()
		}
		p.kill()
		return p.log.lines(), err
	}
	t.process = p
	return nil, nil
}

// start runs a helper whose lines are sorted out: what the caller gets to know
// by an error is not logged.
func (t *Token) start() (*process, error) {
	o := t.opts
	o.Log = func(line string) {
		_, login := loginFailure([]string{line})
		switch {
		case t.opts.Log == nil, line == linePIN, login:
		case !t.opts.Debug && strings.HasPrefix(line, "debug"):
		default:
			t.opts.Log(line)
		}
	}
	level := "-v" // the labels are at debug1
	if t.opts.Debug {
		level = "-vvv"
	}
	return start(t.ctx, PKCS11Helper, &o, level)
}

// Keys returns the keys in the token's order.
func (t *Token) Keys() []TokenKey { return t.keys }

// Close ends the helper, which logs out of the tokens.
func (t *Token) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.process.leave()
	return nil
}

// addRequest is copied nowhere, so that the sender can clear it.
func addRequest(provider string, pin []byte) []byte {
	b := make([]byte, 0, 16+len(provider)+len(pin))
	b = append(b, agentAddSmartcardKey)
	b = wire.AppendString(b, provider)
	return wire.AppendString(b, pin)
}

// parseIdentities reads the answer to addRequest: ErrNoKeys if it failed. A key
// of a type that is not known is left out.
func parseIdentities(answer []byte) ([]TokenKey, error) {
	r := wire.NewReader(answer)
	switch kind := r.Byte(); {
	case kind == agentFailure:
		return nil, ErrNoKeys
	case kind != agentIdentitiesAnswer:
		return nil, fmt.Errorf("%w: message type %d", ErrProtocol, kind)
	}
	n := r.Uint32()
	if uint64(n) > uint64(len(r.Rest())/smallestIdentityLength) {
		return nil, fmt.Errorf("%w: %d keys", ErrProtocol, n)
	}
	var keys []TokenKey
	for range n {
		blob, label := r.Bytes(), r.Bytes()
		if r.Err() != nil {
			return nil, malformed(r.Err())
		}
		if key, err := ssh.ParsePublicKey(blob); err == nil {
			keys = append(keys, TokenKey{Public: key, Label: string(label)})
		}
	}
	if err := malformed(r.End()); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, ErrNoKeys
	}
	return keys, nil
}

// The helper gives reasons in its lines alone.
const (
	linePIN   = "pin required"
	lineLogin = "C_Login failed: "
)

func wantPIN(lines []string) bool {
	for _, line := range lines {
		if line == linePIN {
			return true
		}
	}
	return false
}

func loginFailure(lines []string) (code uint64, failed bool) {
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, lineLogin); ok {
			code, err := strconv.ParseUint(text, 10, 64)
			return code, err == nil
		}
	}
	return 0, false
}

// tokenLabels finds the labels of the tokens that want a PIN.
func tokenLabels(lines []string) []string {
	const loginRequired = 0x4 // CKF_LOGIN_REQUIRED
	var labels []string
	for _, line := range lines {
		_, rest, found := strings.Cut(line, ": label <")
		label, rest, ended := strings.Cut(rest, "> manufacturerID <")
		if !strings.HasPrefix(line, "debug1: provider ") || !found || !ended {
			continue
		}
		if at := strings.LastIndex(rest, "flags 0x"); at >= 0 {
			flags, err := strconv.ParseUint(rest[at+len("flags 0x"):], 16, 64)
			if err == nil && flags&loginRequired == 0 {
				continue
			}
		}
		labels = append(labels, label)
	}
	return labels
}

// signRequest begins in the same way in both dialects.
func signRequest(key ssh.PublicKey, data []byte) []byte {
	b := wire.AppendString([]byte{agentSignRequest}, key.Marshal())
	return wire.AppendString(b, data)
}

// parseSignResponse returns what was signed with, in the form of the dialect.
func parseSignResponse(answer []byte) ([]byte, error) {
	r := wire.NewReader(answer)
	switch kind := r.Byte(); {
	case kind == agentFailure:
		return nil, ErrRefused
	case kind != agentSignResponse:
		return nil, fmt.Errorf("%w: message type %d", ErrProtocol, kind)
	}
	blob := r.Bytes()
	if err := malformed(r.End()); err != nil {
		return nil, err
	}
	return blob, nil
}

// modern is the rest of a request in the dialect of OpenSSH 10.1 and later: an
// algorithm, and no compatibility flags.
func modern(request []byte, algo string) []byte {
	return binary.BigEndian.AppendUint32(wire.AppendString(request, algo), 0)
}

// classic is the rest of a request in the dialect before: no flags.
func classic(request []byte) []byte { return binary.BigEndian.AppendUint32(request, 0) }
