package client

import (
	"context"
	"errors"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/hostkey"
)

// ErrNoAnswer is the error of a password or challenge question for which
// PrompterFuncs has no function.
var ErrNoAnswer = errors.New("client: no function answers this question")

// PrompterFuncs is a Prompter of functions, each of which may be nil. Without its
// function a method of authentication, a key or a token is passed over, an
// unknown host key is refused, and a key is not added to the agent.
//
//	opts.Prompter = client.PrompterFuncs{OnChallenge: answerCode}
type PrompterFuncs struct {
	OnPassword        func(context.Context, PasswordQuestion) (string, error)
	OnChallenge       func(context.Context, ChallengeQuestion) ([]string, error)
	OnPassphrase      func(context.Context, PassphraseQuestion) (string, error)
	OnAddKey          func(context.Context, AddKeyQuestion) (bool, error)
	OnHostKey         func(context.Context, hostkey.Question) (bool, error)
	OnPIN             func(context.Context, PINQuestion) ([]byte, error)
	OnTouch           func(context.Context, TouchNotice) (over func(confirmed bool))
	OnConfirmAgentUse func(context.Context, agentfwd.Use) (bool, error)
}

var (
	_ KeyPrompter    = PrompterFuncs{}
	_ AgentConfirmer = PrompterFuncs{}
)

// answer calls f. It returns none if f is nil.
func answer[Q, A any](ctx context.Context, f func(context.Context, Q) (A, error), q Q, none error) (a A, err error) {
	if f == nil {
		return a, none
	}
	return f(ctx, q)
}

// Password calls OnPassword.
func (p PrompterFuncs) Password(ctx context.Context, q PasswordQuestion) (string, error) {
	return answer(ctx, p.OnPassword, q, ErrNoAnswer)
}

// Challenge calls OnChallenge.
func (p PrompterFuncs) Challenge(ctx context.Context, q ChallengeQuestion) ([]string, error) {
	return answer(ctx, p.OnChallenge, q, ErrNoAnswer)
}

// Passphrase calls OnPassphrase.
func (p PrompterFuncs) Passphrase(ctx context.Context, q PassphraseQuestion) (string, error) {
	return answer(ctx, p.OnPassphrase, q, nil)
}

// AddKey calls OnAddKey.
func (p PrompterFuncs) AddKey(ctx context.Context, q AddKeyQuestion) (bool, error) {
	return answer(ctx, p.OnAddKey, q, nil)
}

// HostKey calls OnHostKey.
func (p PrompterFuncs) HostKey(ctx context.Context, q hostkey.Question) (bool, error) {
	return answer(ctx, p.OnHostKey, q, nil)
}

// PIN calls OnPIN.
func (p PrompterFuncs) PIN(ctx context.Context, q PINQuestion) ([]byte, error) {
	return answer(ctx, p.OnPIN, q, nil)
}

// Touch calls OnTouch.
func (p PrompterFuncs) Touch(ctx context.Context, n TouchNotice) (over func(confirmed bool)) {
	if p.OnTouch == nil {
		return func(bool) {}
	}
	return p.OnTouch(ctx, n)
}

// ConfirmAgentUse calls OnConfirmAgentUse.
func (p PrompterFuncs) ConfirmAgentUse(ctx context.Context, use agentfwd.Use) (bool, error) {
	return answer(ctx, p.OnConfirmAgentUse, use, ErrAgentConfirm)
}
