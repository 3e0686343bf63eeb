package cli

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
)

// TestLogOnlyPolicy: ForwardAgentLog alone takes nothing away.
func TestLogOnlyPolicy(t *testing.T) {
	p := &program{print: &message.Printer{Console: message.NewConsole(new(bytes.Buffer))}, cfg: &sshconfig.Config{}}
	p.cfg.Own.ForwardAgentLog = t.TempDir() + "/log"
	policy, closeLog, err := p.agentPolicy()
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog()
	if !policy.AllowAll || policy.Keys != nil || policy.Confirm != nil {
		t.Errorf("%+v", policy)
	}
}

// TestUseConfirmer: refusals in a row, or one for good, end the questions; an
// agreement begins the count anew.
func TestUseConfirmer(t *testing.T) {
	failed := errors.New("failed")
	for name, c := range map[string]struct {
		answers []any // one a question: a useAnswer or an error
		want    string
	}{
		"three":         {[]any{answerNo, answerNo, answerNo}, "nnN--"},
		"errors count":  {[]any{answerNo, failed, answerNo}, "nnN--"},
		"not in a row":  {[]any{answerNo, answerNo, answerYes, answerNo, answerNo, answerNo}, "nnynnN--"},
		"never":         {[]any{answerYes, answerNever}, "yN--"},
		"never at last": {[]any{answerNo, answerNo, answerNever}, "nnN--"},
	} {
		said := 0
		u := &useConfirmer{give: func() { said++ }}
		u.ask = func(context.Context, agentfwd.Use) (useAnswer, error) {
			if len(c.answers) == 0 {
				t.Errorf("%s: asked once more", name)
				return answerYes, nil
			}
			a := c.answers[0]
			c.answers = c.answers[1:]
			if err, ok := a.(error); ok {
				return answerYes, err
			}
			return a.(useAnswer), nil
		}
		got := ""
		for range c.want {
			before := said
			yes, err := u.confirm(t.Context(), agentfwd.Use{})
			switch {
			case yes && err == nil:
				got += "y"
			case errors.Is(err, errRefusedBefore):
				got += "-"
			case said > before:
				got += "N"
			default:
				got += "n"
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	u := &useConfirmer{ask: func(ctx context.Context, _ agentfwd.Use) (useAnswer, error) { return answerNo, ctx.Err() }}
	for range 2 * maxRefusals {
		if yes, err := u.confirm(gone, agentfwd.Use{}); yes || !errors.Is(err, context.Canceled) {
			t.Errorf("a question that went away: %v, %v", yes, err)
		}
	}
}
