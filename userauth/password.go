package userauth

import (
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

type password struct {
	ask    func() (string, error)
	change func(prompt string) (old, replacement string, err error)
}

// Password returns the method "password" (RFC 4252, section 8). If the server
// wants the password changed, change is asked, if it is not nil.
func Password(ask func() (string, error), change func(prompt string) (old, replacement string, err error)) Method {
	return &password{ask, change}
}

func (*password) name() string { return "password" }

func (m *password) run(c *client) (outcome, error) {
	secret, err := m.ask()
	if err != nil {
		return outcome{}, &methodError{err}
	}
	p := wire.AppendString(wire.AppendBool(c.request("password"), false), secret)
	err = c.send(p)
	clear(p)
	if err != nil {
		return outcome{}, err
	}
	out, other, err := c.answer()
	for err == nil && other != nil {
		out, other, err = m.expired(c, other)
	}
	return out, err
}

// expired handles the server's wish for another password.
func (m *password) expired(c *client, p []byte) (outcome, []byte, error) {
	var req struct {
		Prompt   string `sshtype:"60"`
		Language string
	}
	if err := ssh.Unmarshal(p, &req); err != nil {
		return outcome{}, nil, protocolErrorf("malformed request to change the password")
	}
	if m.change == nil {
		return outcome{}, nil, &methodError{errPasswordExpired}
	}
	old, replacement, err := m.change(req.Prompt)
	if err != nil {
		return outcome{}, nil, &methodError{err}
	}
	msg := wire.AppendString(wire.AppendString(wire.AppendBool(c.request("password"), true), old), replacement)
	err = c.send(msg)
	clear(msg)
	if err != nil {
		return outcome{}, nil, err
	}
	return c.answer()
}

type keyboardInteractive struct {
	devices []string
	answer  ssh.KeyboardInteractiveChallenge
}

// KeyboardInteractive returns the method "keyboard-interactive" (RFC 4256).
// devices are the submethods to ask for, none for the server's choice. answer is
// called for each request of the server's, with one echo flag for each question.
func KeyboardInteractive(devices []string, answer ssh.KeyboardInteractiveChallenge) Method {
	return &keyboardInteractive{devices, answer}
}

func (*keyboardInteractive) name() string { return "keyboard-interactive" }

// Limits on what a server may ask.
const (
	maxQuestions = 100 // at once
	maxRounds    = 100
)

func (m *keyboardInteractive) run(c *client) (outcome, error) {
	p := wire.AppendString(c.request("keyboard-interactive"), "")
	if err := c.send(wire.AppendString(p, join(m.devices))); err != nil {
		return outcome{}, err
	}
	for range maxRounds {
		out, other, err := c.answer()
		if err != nil || other == nil {
			return out, err
		}
		if err := m.respond(c, other); err != nil {
			return outcome{}, err
		}
	}
	return outcome{}, protocolErrorf("more than %d requests for information", maxRounds)
}

func (m *keyboardInteractive) respond(c *client, p []byte) error {
	var req struct {
		Name, Instruction, Language string `sshtype:"60"`
		Count                       uint32
		Questions                   []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(p, &req); err != nil || req.Count > maxQuestions {
		return protocolErrorf("malformed request for information")
	}
	questions, echos := make([]string, req.Count), make([]bool, req.Count)
	rest := req.Questions
	for i := range questions {
		var q struct {
			Text string
			Echo bool
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(rest, &q); err != nil {
			return protocolErrorf("malformed request for information")
		}
		questions[i], echos[i], rest = q.Text, q.Echo, q.Rest
	}
	answers, err := m.answer(req.Name, req.Instruction, questions, echos)
	if err != nil {
		return &methodError{err}
	}
	if len(answers) != len(questions) {
		return &methodError{errAnswers}
	}
	n := len(answers)
	msg := []byte{msgInfoResponse, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	for _, a := range answers {
		msg = wire.AppendString(msg, a)
	}
	err = c.send(msg)
	clear(msg)
	return err
}
