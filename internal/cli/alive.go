package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/sshconfig"
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

// informationText is the answer to ~I, in lines named as ssh 10.3 names them.
func informationText(c *client.Client, started time.Time) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %s %s\r\n", name, printable(fmt.Sprintf(format, args...)))
	}
	meta := c.Conn()
	line("tcp", "%v -> %v", meta.LocalAddr(), meta.RemoteAddr())
	line("duration", "%v", time.Since(started).Round(time.Second))
	line("server", "%s", meta.ServerVersion())
	if m, ok := meta.(ssh.AlgorithmsConnMetadata); ok {
		a := m.Algorithms()
		line("kexalgorithm", "%s", a.KeyExchange)
		line("hostkeyalgorithm", "%s", a.HostKey)
		line("cipher", "%s in, %s out", a.Read.Cipher, a.Write.Cipher)
		line("mac", "%s in, %s out", cmp.Or(a.Read.MAC, "<implicit>"), cmp.Or(a.Write.MAC, "<implicit>"))
	}
	line("compression", "none")
	s := c.Stats()
	line("traffic", "%d bytes in, %d bytes out", s.BytesIn, s.BytesOut)
	return b.String() + "  " + aliveText(s) + "\r\n"
}

// transferred says what went over the connection, as ssh does at its end.
func (p *program) transferred(c *client.Client, started time.Time) {
	s, took := c.Stats(), time.Since(started).Seconds()
	p.console.printf(sshconfig.LogVerbose, "Transferred: sent %d, received %d bytes, in %.1f seconds", s.BytesOut, s.BytesIn, took)
	if took > 0 {
		p.console.printf(sshconfig.LogVerbose, "Bytes per second: sent %.1f, received %.1f",
			float64(s.BytesOut)/took, float64(s.BytesIn)/took)
	}
}

func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func isPeerLost(err error) bool { return errors.Is(err, keepalive.ErrPeerLost) }
