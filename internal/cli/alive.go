package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/gossh-project/gossh/keepalive"
)

// aliveText says when the server was last heard, and how quick it is.
func aliveText(s keepalive.Stats) string {
	text := fmt.Sprintf("server last heard %v ago", time.Since(s.LastHeard).Round(100*time.Millisecond))
	if s.RTT > 0 {
		text += fmt.Sprintf(", round trip %v (smoothed %v, worst %v)", short(s.RTT), short(s.SmoothedRTT), short(s.WorstRTT))
	}
	if s.ProbesSent > 0 {
		text += fmt.Sprintf(", %d probes sent, %d missed", s.ProbesSent, s.ProbesMissed)
	}
	return text
}

func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func isPeerLost(err error) bool { return errors.Is(err, keepalive.ErrPeerLost) }
