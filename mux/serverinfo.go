package mux

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The status of an INFO reply.
const (
	infoUnsupported = 0 // the text says that there is none of that name
	infoOK          = 1
)

// info answers -O conninfo, -O channels, and Client.Alive.
func (c *serverConn) info(m *infoMessage) error {
	s := c.s
	text := ""
	switch m.name {
	case "connection":
		if text = s.connectionText(); s.opts.ConnectionInfo != nil {
			text = s.opts.ConnectionInfo()
		}
	case "channels":
		text = s.channelsText()
	case extStatus:
		text = s.statusText()
	default:
		return c.write(&infoReplyMessage{m.id, infoUnsupported, "info request type not supported"})
	}
	return c.write(&infoReplyMessage{m.id, infoOK, text})
}

func (s *Server) connectionText() string {
	stats := s.conn.Stats()
	return fmt.Sprintf("Connection to %s: %v, last heard %v ago, received %d bytes, sent %d bytes\r\n",
		s.opts.Host, stats.State, time.Since(stats.LastHeard).Round(time.Millisecond), stats.BytesIn, stats.BytesOut)
}

// statusText is how the connection does, one "name value" to a line, times in
// microseconds. Names that a reader does not know are passed over.
func (s *Server) statusText() string {
	stats := s.conn.Stats()
	text := fmt.Sprintf("state %v\nsilence %d\nrtt %d\n", stats.State,
		time.Since(stats.LastHeard).Microseconds(), stats.SmoothedRTT.Microseconds())
	if r, ok := s.conn.(ReconnectingConn); ok {
		if o, ok := r.Outage(); ok {
			text += fmt.Sprintf("attempt %d\n", o.Attempt)
			if !o.Next.IsZero() {
				text += fmt.Sprintf("next %d\n", max(0, time.Until(o.Next).Microseconds()))
			}
		}
	}
	return text
}

// parseStatus reads statusText.
func parseStatus(text string, status *MasterStatus) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		number, err := strconv.ParseInt(value, 10, 64)
		switch {
		case name == "state":
			status.State = value
		case err != nil || number < 0 || number > int64(1<<62)/1000:
		case name == "silence":
			status.Silence, status.Known = time.Duration(number)*time.Microsecond, true
		case name == "rtt":
			status.RTT = time.Duration(number) * time.Microsecond
		case name == "attempt":
			status.Attempt = int(number)
		case name == "next":
			status.Next = time.Duration(number) * time.Microsecond
		}
	}
}
