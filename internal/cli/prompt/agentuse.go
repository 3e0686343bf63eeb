package prompt

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
)

// maxRefusals is how many refusals in a row end the questions of a connection.
const maxRefusals = 3

// useConfirmer implements ForwardAgentConfirm for one connection. After
// maxRefusals refusals in a row, or the answer never, it refuses without asking:
// a remote host could otherwise ask until the user agrees by mistake. Package
// agentfwd calls confirm for one use at a time.
type useConfirmer struct {
	ask      func(ctx context.Context, use agentfwd.Use) (answer useAnswer, err error)
	giveUp   func() // called once, when there are no further questions
	refusals int
}

// useAnswer is the answer to a question about a use of the agent.
type useAnswer int

const (
	answerNo useAnswer = iota
	answerYes
	answerNever
)

// errRefusedBefore is the cause of a refusal without a question.
var errRefusedBefore = errors.New("refused before, not asked again")

// confirm asks whether the remote host may use the agent.
func (c *useConfirmer) confirm(ctx context.Context, use agentfwd.Use) (bool, error) {
	if c.refusals >= maxRefusals {
		return false, errRefusedBefore
	}
	answer, err := c.ask(ctx, use)
	switch {
	case ctx.Err() != nil: // the session ended before the answer
		return false, err
	case err == nil && answer == answerYes:
		c.refusals = 0
		return true, nil
	case err == nil && answer == answerNever:
		c.refusals = maxRefusals
	default:
		c.refusals++
	}
	if c.refusals == maxRefusals {
		c.giveUp()
	}
	return false, err
}

// AgentUse returns the function that asks about each use of the agent through one
// connection.
func AgentUse(print *message.Printer, turns *Turns) func(context.Context, agentfwd.Use) (bool, error) {
	a := agentAsker{print, turns}
	return (&useConfirmer{ask: a.ask, giveUp: print.NoMoreAgentUses}).confirm
}

// agentAsker asks on the terminal, where the session makes way, or by askpass.
type agentAsker struct {
	print *message.Printer
	turns *Turns
}

func (a agentAsker) ask(ctx context.Context, use agentfwd.Use) (answer useAnswer, err error) {
	asker := NewAsker(a.print)
	text := message.AgentUseQuestion(use)
	err = a.turns.Ask(ctx, func(ctx context.Context) error {
		if asker.PrefersAskpass() || !haveTerminal() {
			yes, err := asker.Confirm(ctx, text)
			if yes {
				answer = answerYes
			}
			return err
		}
		typed, err := asker.Ask(ctx, clearTerminal()+text+"\nAnswer (yes/no/never): ", terminal.Echo)
		switch strings.ToLower(strings.TrimSpace(typed)) {
		case "yes":
			answer = answerYes
		case "never":
			answer = answerNever
		}
		return err
	})
	return answer, err
}

// haveTerminal reports whether there is a terminal to ask on.
func haveTerminal() bool {
	tty, err := terminal.OpenTTY()
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

// clearTerminal returns the control sequences that begin a question during a
// session. The remote host may have left the terminal in any state; the question
// starts on a new line, in ASCII, without attributes, and with nothing below.
func clearTerminal() string {
	switch os.Getenv("TERM") {
	case "", "dumb":
		return "\n"
	}
	const (
		shiftIn = "\x0f"    // character set G0,
		ascii   = "\x1b(B"  // which is ASCII
		noSGR   = "\x1b[0m" // no attributes
		erase   = "\x1b[J"  // to the end of the screen
	)
	return shiftIn + ascii + noSGR + "\n" + erase
}
