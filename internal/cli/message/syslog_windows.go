package message

// openSyslog returns false: Windows has no syslog.
func openSyslog(_, _, _, _ string) (log systemLog, ok bool) { return nil, false }
