package reconnect

import (
	"errors"
	"fmt"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
)

// waitView shows how the wait for a connection goes.
type waitView interface {
	show(client.KeepState)
	// ticks returns a channel after each of whose values tick has to be called.
	ticks() <-chan time.Time
	tick()
	// keys returns the keys that the user presses.
	keys() <-chan key
	close()
}

// waitLog prints lines with the time, for a file or a journal.
type waitLog struct{ options Options }

func (w *waitLog) ticks() <-chan time.Time { return nil }
func (w *waitLog) tick()                   {}
func (w *waitLog) keys() <-chan key        { return nil }
func (w *waitLog) close()                  {}

func (w *waitLog) show(st client.KeepState) {
	c, host := w.options.Print, w.options.Config.HostName
	now := time.Now().Format(time.DateTime)
	switch st.Phase {
	case client.KeepWaiting:
		what := fmt.Sprintf("Attempt %d to connect to %s again has failed", st.Attempt-1, host)
		if st.Up > 0 {
			what = fmt.Sprintf("Connection to %s lost after %v", host, message.Roughly(st.Up))
		}
		c.Infof("%s %s: %s. Attempt %d in %v.", now, what, message.Loss(st.Cause), st.Attempt, message.Roughly(time.Until(st.Until)))
	case client.KeepConnecting:
		c.Printf(sshconfig.LogVerbose, "%s Connecting to %s again, attempt %d.", now, host, st.Attempt)
	case client.KeepConnected:
		c.Infof("%s Connection to %s re-established after %v, at attempt %d.", now, host, message.Roughly(st.Down), st.Attempt)
	case client.KeepEnded:
		if !errors.Is(st.Cause, client.ErrClosed) {
			c.Infof("%s Connection to %s given up after attempt %d.", now, host, st.Attempt)
		}
	}
}
