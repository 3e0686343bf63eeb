package message

import (
	"fmt"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/sshconfig"
)

// Alive returns when the server last sent something, and the round-trip times.
func Alive(s keepalive.Stats) string {
	text := fmt.Sprintf("server last heard %v ago", time.Since(s.LastHeard).Round(100*time.Millisecond))
	if s.RTT > 0 {
		text += fmt.Sprintf(", round trip %v (smoothed %v, worst %v)", short(s.RTT), short(s.SmoothedRTT), short(s.WorstRTT))
	}
	if s.ProbesSent > 0 {
		text += fmt.Sprintf(", %d probes sent, %d missed", s.ProbesSent, s.ProbesMissed)
	}
	return text
}

// Transferred prints how much data the connection has carried, as ssh does when
// it exits.
func (p *Printer) Transferred(c *client.Client, started time.Time) {
	s, took := c.Stats(), time.Since(started).Seconds()
	p.Printf(sshconfig.LogVerbose, "Transferred: sent %d, received %d bytes, in %.1f seconds", s.BytesOut, s.BytesIn, took)
	if took > 0 {
		p.Printf(sshconfig.LogVerbose, "Bytes per second: sent %.1f, received %.1f",
			float64(s.BytesOut)/took, float64(s.BytesIn)/took)
	}
}

func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
