package sshconfig

import (
	"strings"
)

func (l *loader) setPort(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	port, ok := parsePort(arg)
	if !ok || port <= 0 {
		return l.badLine(d, "Bad port '%s'.", arg)
	}
	if v := l.slot(d); v != nil {
		v.n = int64(port)
	}
	return nil
}

// setAddKeysToAgent reads yes, no, ask, a lifetime, or confirm with an
// optional lifetime. v.n is the lifetime.
func (l *loader) setAddKeysToAgent(d *directive) error {
	arg, ok := d.args.next()
	arg2, two := d.args.next()
	text, _, found := l.word(d, wordsAgentAdd, arg, ok)
	var lifetime int64
	switch {
	case text == "confirm" && two:
		if lifetime, ok = parseTime(arg2); !ok {
			return l.badLine(d, "invalid time value.")
		}
	case !found && !two:
		if lifetime, ok = parseTime(arg); !ok {
			return l.badLine(d, "unsupported option")
		}
		text = "yes"
	case !found || two:
		return l.badLine(d, "unsupported option")
	}
	if v := l.slot(d); v != nil {
		v.text, v.n = text, lifetime
	}
	return nil
}

func (l *loader) setControlPersist(d *directive) error {
	arg, _ := d.args.next()
	if arg == "" {
		return l.badLine(d, "Missing ControlPersist argument.")
	}
	text, timeout, ok := "yes", int64(0), true
	switch arg {
	case "no", "false":
		text = "no"
	case "yes", "true":
	default:
		timeout, ok = parseTime(arg)
	}
	if !ok {
		return l.badLine(d, "Bad ControlPersist argument.")
	}
	if v := l.slot(d); v != nil {
		v.text, v.n = text, timeout
	}
	return nil
}

func (l *loader) setEscapeChar(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	c, ok := parseEscape(arg)
	if !ok {
		return l.badLine(d, "Bad escape character.")
	}
	if v := l.slot(d); v != nil {
		v.n = c
	}
	return nil
}

func (l *loader) setFingerprintHash(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	for _, hash := range []string{"MD5", "SHA1", "SHA256", "SHA384", "SHA512"} {
		if !equalFoldASCII(arg, hash) {
			continue
		}
		if v := l.slot(d); v != nil {
			v.text = hash
		}
		return nil
	}
	return l.badLine(d, "Invalid hash algorithm \"%s\".", arg)
}

func (l *loader) setGSSAPIKex(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	if bad, ok := validNames(arg, isGSSAPIKex); !ok {
		if bad != "" {
			l.say(origin{d.file, d.line}, LogError, "Unsupported KEX algorithm \"%.100s\"", bad)
		}
		return l.badLine(d, "Bad GSSAPI KexAlgorithms '%s'.", arg)
	}
	if v := l.slot(d); v != nil {
		v.text = arg
	}
	return nil
}

// noQoS is the value of none: 0 is a class of its own.
const (
	noQoS  = int64(QoSNone)
	oldQoS = -1 // a word of old, which means none
)

// qosNames are the names of IPQoS and their values. -G prints the first name
// of a value.
var qosNames = [...]struct {
	name  string
	value int64
}{
	{"none", noQoS},
	{"af11", 0x28}, {"af12", 0x30}, {"af13", 0x38},
	{"af21", 0x48}, {"af22", 0x50}, {"af23", 0x58},
	{"af31", 0x68}, {"af32", 0x70}, {"af33", 0x78},
	{"af41", 0x88}, {"af42", 0x90}, {"af43", 0x98},
	{"cs0", 0x00}, {"cs1", 0x20}, {"cs2", 0x40}, {"cs3", 0x60},
	{"cs4", 0x80}, {"cs5", 0xa0}, {"cs6", 0xc0}, {"cs7", 0xe0},
	{"ef", 0xb8}, {"va", 0xb0}, {"le", 0x04},
	{"lowdelay", oldQoS}, {"throughput", oldQoS}, {"reliability", oldQoS},
}

func parseQoS(s string) (int64, bool) {
	for _, q := range qosNames {
		if equalFoldASCII(s, q.name) {
			return q.value, true
		}
	}
	n, rest, ok := strtol(s, 10)
	return n, ok && rest == "" && n >= 0 && n <= 255
}

// qosArgument reads one value.
func (l *loader) qosArgument(d *directive, arg string) (int64, error) {
	n, ok := parseQoS(arg)
	if !ok {
		return 0, l.badLine(d, "Bad IPQoS value: %s", arg)
	}
	if n == oldQoS {
		l.debugLine(d, levelDebug1, "Deprecated IPQoS value \"%s\" ignored - using system default instead. "+
			"Consider using DSCP values.", arg)
		n = noQoS
	}
	return n, nil
}

// setIPQoS reads one value for all sessions, or two.
func (l *loader) setIPQoS(d *directive) error {
	arg, ok := d.args.next()
	if !ok {
		return l.badLine(d, "Bad IPQoS value: (null)")
	}
	n, err := l.qosArgument(d, arg)
	if err != nil {
		return err
	}
	m := n
	if arg, two := d.args.next(); two {
		if m, err = l.qosArgument(d, arg); err != nil {
			return err
		}
	}
	if v := l.slot(d); v != nil {
		v.n, v.m = n, m
	}
	return nil
}

// parseLogLevel reads a log level in any case.
func parseLogLevel(s string) (LogLevel, bool) {
	if equalFoldASCII(s, "debug1") {
		return LogDebug1, true
	}
	for level := LogQuiet; level <= LogDebug3; level++ {
		if equalFoldASCII(s, level.String()) {
			return level, true
		}
	}
	return 0, false
}

func (l *loader) setLogLevel(d *directive) error {
	arg, ok := d.args.next()
	if !ok {
		arg = "<NONE>"
	}
	level, ok := parseLogLevel(arg)
	if !ok {
		return l.badLine(d, "unsupported log level '%s'", arg)
	}
	if v := l.slot(d); v != nil {
		v.n = int64(level)
	}
	return nil
}

// setSyslogFacility is one of the two keywords that OpenSSH sets even in a
// block that does not apply.
func (l *loader) setSyslogFacility(d *directive) error {
	arg, ok := d.args.next()
	if !ok {
		arg = "<NONE>"
	}
	for _, name := range []string{"DAEMON", "USER", "AUTH", "AUTHPRIV", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3",
		"LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7"} {
		if !equalFoldASCII(arg, name) {
			continue
		}
		if v := l.value(d); !v.set {
			*v = value{set: true, text: name, at: origin{d.file, d.line}}
		}
		return nil
	}
	return l.badLine(d, "unsupported log facility '%s'", arg)
}

// setBindMask is the other such keyword, and here the last line wins.
func (l *loader) setBindMask(d *directive) error {
	arg, _ := d.args.next()
	if arg == "" {
		return l.badLine(d, "Missing StreamLocalBindMask argument.")
	}
	mode, ok := parseMask(arg)
	if !ok {
		return l.badLine(d, "Bad mask.")
	}
	*l.value(d) = value{set: true, n: mode, at: origin{d.file, d.line}}
	return nil
}

// timeSet in the text of RekeyLimit says that v.m has been set. Data and time
// are set each on its own, perhaps by different lines.
const timeSet = "time"

// setRekeyLimit reads an amount of data and an optional time.
func (l *loader) setRekeyLimit(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	var bytes int64
	if arg != "default" {
		n, problem := parseScaled(arg)
		if problem != "" {
			return l.badLine(d, "Bad number '%s': %s", arg, problem)
		}
		if n != 0 && n < 16 {
			return l.badLine(d, "RekeyLimit too small")
		}
		bytes = n
	}
	v := l.value(d)
	if d.active && !v.set {
		v.n = bytes
		l.markSet(d, v)
	}
	if len(d.args) == 0 {
		return nil
	}
	seconds, none, err := l.time(d)
	if err != nil || none {
		return err
	}
	if d.active && v.text != timeSet {
		v.m, v.text = seconds, timeSet
	}
	return nil
}

func (l *loader) setTunnelDevice(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	local, remote, ok := parseTun(arg)
	if !ok {
		return l.badLine(d, "Bad tun device.")
	}
	if v := l.slot(d); v != nil {
		v.n, v.m = local, remote
	}
	return nil
}

// obscureDefault is the interval of ObscureKeystrokeTiming yes, in milliseconds.
const obscureDefault = 20

// setObscure reads yes, no or interval:milliseconds (OpenSSH 10).
func (l *loader) setObscure(d *directive) error {
	n := int64(-1)
	for {
		arg, more := d.args.next()
		if !more {
			break
		}
		if n != -1 {
			return l.badLine(d, "invalid arguments")
		}
		number, ok := strings.CutPrefix(arg, "interval:")
		switch {
		case arg == "yes" || arg == "true":
			n = obscureDefault
		case arg == "no" || arg == "false":
			n = 0
		case !ok:
			return l.badLine(d, "unsupported argument \"%s\"", arg)
		default:
			var problem string
			if n, problem = parseInt(number); problem != "" {
				return l.badLine(d, "integer value %s.", problem)
			}
			if n <= 0 || n > 1000 {
				return l.badLine(d, "value out of range.")
			}
		}
	}
	if n == -1 {
		return l.badLine(d, "missing argument")
	}
	if v := l.slot(d); v != nil {
		v.n = n
	}
	return nil
}

// setVersionAddendum takes the rest of the line as it stands (OpenSSH 10).
func (l *loader) setVersionAddendum(d *directive) error {
	if strings.Contains(d.rest, "\r") {
		return l.fatalLine(d, "Invalid %s argument", d.keyword)
	}
	text := d.rest
	if equalFoldASCII(text, "none") {
		text = ""
	}
	if v := l.slot(d); v != nil {
		v.text = text
	}
	d.args.consume()
	return nil
}

// trimCommand takes off the equals sign that may stand between a keyword and
// its command.
func trimCommand(s string) string { return strings.TrimLeft(s, blanks+"=") }
