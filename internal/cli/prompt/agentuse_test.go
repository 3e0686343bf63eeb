package prompt

import (
	"context"
	"errors"
	"testing"

	"github.com/gossh-project/gossh/agentfwd"
)

// TestUseConfirmer checks that refusals in a row, or the answer never, end the
// questions, and that an agreement resets the count.
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
		notes := 0
		u := &useConfirmer{giveUp: func() { notes++ }}
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
			before := notes
			yes, err := u.confirm(t.Context(), agentfwd.Use{})
			switch {
			case yes && err == nil:
				got += "y"
			case errors.Is(err, errRefusedBefore):
				got += "-"
			case notes > before:
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
