package message

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// Information returns the answer to ~I and -O conninfo in the lines of OpenSSH
// 10.5. The counts of packets and blocks are missing: x/crypto has none.
func (p *Printer) Information(c *client.Client, started time.Time) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(Printable(fmt.Sprintf(format, args...)) + "\r\n") }
	line("Connection information for %s pid %d", host, os.Getpid())
	meta := c.Conn()
	from, ok := meta.LocalAddr().(*net.TCPAddr)
	if to, ok2 := meta.RemoteAddr().(*net.TCPAddr); ok && ok2 {
		line("  tcp %s:%d -> %s:%d", from.AddrPort().Addr().Unmap(), from.Port, to.AddrPort().Addr().Unmap(), to.Port)
	}
	line("  duration %s", timeframe(time.Since(started)))
	blocks := "none"
	if m, ok := meta.(ssh.AlgorithmsConnMetadata); ok {
		a := m.Algorithms()
		line("  kexalgorithm %s", a.KeyExchange)
		line("  hostkeyalgorithm %s", a.HostKey)
		line("  cipher %s", bothWays(a.Read.Cipher, a.Write.Cipher))
		line("  mac %s", bothWays(cmp.Or(a.Read.MAC, "<implicit>"), cmp.Or(a.Write.MAC, "<implicit>")))
		if limit := p.Config.RekeyLimit.Bytes; limit > 0 {
			blocks = "blocks " + bothWays(fmt.Sprint(limit/blockSize(a.Read.Cipher)), fmt.Sprint(limit/blockSize(a.Write.Cipher)))
		}
	}
	line("  compression none")
	line("  rekey limit %s interval none", blocks)
	s := c.Stats()
	line("  traffic %sB in, %sB out", scaled(s.BytesIn), scaled(s.BytesOut))
	return b.String()
}

// bothWays returns one value if it is the same in both directions, else both.
func bothWays(in, out string) string {
	if in == out {
		return in
	}
	return in + " in, " + out + " out"
}

// blockSize returns the block size of a cipher as OpenSSH counts it.
func blockSize(cipher string) int64 {
	if strings.HasPrefix(cipher, "chacha20") || strings.HasPrefix(cipher, "3des") {
		return 8
	}
	return 16
}

// timeframe formats a duration as OpenSSH does: 00:01:02, 3d04h05m or 06w1d02h.
func timeframe(d time.Duration) string {
	seconds := int64(d / time.Second)
	minutes, hours := seconds/60%60, seconds/3600%24
	days, weeks := seconds/86400%7, seconds/(7*86400)
	switch {
	case weeks > 0:
		return fmt.Sprintf("%02dw%dd%02dh", weeks, days, hours)
	case days > 0:
		return fmt.Sprintf("%dd%02dh%02dm", days, hours, minutes)
	}
	return fmt.Sprintf("%02d:%02d:%02d", hours, minutes, seconds%60)
}

// scaled formats a number like fmt_scaled(3): at most three digits, or two with
// one decimal, and the letter of a power of 1024.
func scaled(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	unit := uint64(1024)
	letters := "KMGTPE"
	for n/unit >= 1024 && len(letters) > 1 {
		unit, letters = unit*1024, letters[1:]
	}
	whole := n / unit
	tenths := (n%unit/(unit/1024)*10 + 512) / 1024
	if tenths == 10 {
		whole, tenths = whole+1, 0
	}
	if whole >= 100 {
		if tenths >= 5 {
			whole++
		}
		return fmt.Sprintf("%d%c", whole, letters[0])
	}
	return fmt.Sprintf("%d.%d%c", whole, tenths, letters[0])
}

// SessionChannel is ssh's name for the channel of a session.
const SessionChannel = "client-session"

// SessionRequests prints what is requested on a session channel that the server
// has opened.
func (p *Printer) SessionRequests(number int, cmd *session.Cmd) {
	if cmd.X11 != nil {
		p.Debugf("Requesting X11 forwarding with authentication spoofing.")
	}
	if cmd.ForwardAgent {
		p.Debugf("Requesting agent forwarding on channel %d via auth-agent-req@openssh.com", number)
	}
	if len(p.Config.SendEnv) > 0 {
		p.Debugf("Sending environment.")
	}
	for _, v := range cmd.Env {
		p.Debugf("channel %d: setting env %s = \"%s\"", number, v.Name, v.Value)
	}
	switch {
	case cmd.Subsystem:
		p.Debugf("Sending subsystem: %s", cmd.Line)
	case cmd.Line != "":
		p.Debugf("Sending command: %s", cmd.Line)
	}
}

// SessionEnded prints how a session channel ended. exit is the result of
// ExitRequest. open is the number of open channels, this one included.
func (p *Printer) SessionEnded(number int, exit string, open int) {
	if exit != "" {
		p.Debugf("client_input_channel_req: channel %d rtype %s reply 0", number, exit)
	}
	p.ChannelFreed(number, SessionChannel, open)
}

// OutputLost reports whether output of a program that exited is missing, and
// prints the cause if so. ssh exits with 0 if the server has sent everything
// before ssh notices.
func (p *Printer) OutputLost(e *session.OutputError) bool {
	if !e.Lost() || errors.Is(e, terminal.ErrCanceled) {
		return false
	}
	p.Errorf("%s: write: %s", p.Program, Errno(e.Err))
	return true
}

// ExitRequest returns the name of the request that reported the program's exit,
// or "" if the session ended otherwise. err is what Wait returned.
func ExitRequest(err error) string {
	var exit *session.ExitError
	var output *session.OutputError
	switch {
	case errors.As(err, &exit) && exit.Signal != "":
		return "exit-signal"
	case err == nil, errors.As(err, &exit), errors.As(err, &output):
		return "exit-status"
	}
	return ""
}

// SessionBegins prints the line that ssh prints before its session loop.
func (p *Printer) SessionBegins() {
	p.Debugf("Entering interactive session.")
}

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
