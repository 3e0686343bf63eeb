//go:build unix

package message

import (
	"log/syslog"
	"strings"

	"github.com/gossh-project/gossh/sshconfig"
)

// maxSyslog is the length to which ssh cuts a message.
const maxSyslog = 500

// openSyslog opens the system log; network and address "" select the local one.
// tag is the start of each line.
func openSyslog(network, address, facility, tag string) (log systemLog, ok bool) {
	w, err := syslog.Dial(network, address, syslogFacility(facility)|syslog.LOG_INFO, tag)
	if err != nil {
		return func(sshconfig.LogLevel, string) {}, true
	}
	return func(level sshconfig.LogLevel, text string) {
		prefix, write := "", w.Debug
		switch {
		case level <= sshconfig.LogFatal:
			prefix, write = "fatal: ", w.Crit
		case level == sshconfig.LogError:
			prefix, write = "error: ", w.Err
		case level <= sshconfig.LogVerbose:
			write = w.Info
		}
		text = syslogText(prefix + text)
		write(text[:min(len(text), maxSyslog)])
	}, true
}

// syslogText returns a message as one line: vis(3) with VIS_CSTYLE, VIS_NL,
// VIS_TAB and VIS_OCTAL.
func syslogText(text string) string {
	ends := strings.NewReplacer("\n", `\n`, "\t", `\t`, "\r", `\r`, "\a", `\a`, "\b", `\b`, "\v", `\v`, "\f", `\f`, "\x00", `\0`)
	return Printable(ends.Replace(strings.ReplaceAll(text, `\`, `\\`)))
}

// syslogFacility returns the facility for a name that sshconfig has checked.
func syslogFacility(name string) syslog.Priority {
	switch name {
	case "DAEMON":
		return syslog.LOG_DAEMON
	case "AUTH":
		return syslog.LOG_AUTH
	case "AUTHPRIV":
		return syslog.LOG_AUTHPRIV
	}
	if n, ok := strings.CutPrefix(name, "LOCAL"); ok && len(n) == 1 {
		return syslog.LOG_LOCAL0 + syslog.Priority(n[0]-'0')<<3
	}
	return syslog.LOG_USER
}
