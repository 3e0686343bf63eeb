package sshconfig

import (
	"math"

	"github.com/gossh-project/gossh/forward"
)

// process acts on one line whose arguments have been split. It leaves in
// d.args what it did not understand.
func (l *loader) process(d *directive) error {
	if d.row == nil {
		l.debugLine(d, levelDebug1, "Ignored unknown option \"%s\"", d.keyword)
		d.args.consume()
		return nil
	}
	if len(d.args) == 0 && d.row.items { // a comment in their place
		return l.fatalLine(d, "no %s specified", d.keyword)
	}
	return d.row.set(l, d)
}

func (l *loader) deprecated(d *directive) error {
	l.debugLine(d, levelDebug1, "Deprecated option \"%s\"", d.keyword)
	d.args.consume()
	return nil
}

func (l *loader) unsupported(d *directive) error {
	l.say(origin{d.file, d.line}, LogError, "%s line %d: Unsupported option \"%s\"", d.file, d.line, d.keyword)
	d.args.consume()
	return nil
}

func (l *loader) ignore(d *directive) error {
	d.args.consume()
	return nil
}

// value returns the value of the directive's keyword.
func (l *loader) value(d *directive) *value { return &l.st.values[d.index] }

// slot returns the value of the directive's keyword if the directive may set
// it: its block applies, and nothing has set it before. It notes the origin.
func (l *loader) slot(d *directive) *value {
	v := l.value(d)
	if !d.active || v.set {
		return nil
	}
	v.set, v.at = true, origin{d.file, d.line}
	return v
}

// note records the origin of the first of several lines that a keyword that
// adds up is set by.
func (l *loader) note(d *directive) {
	if v := l.value(d); v.at.file == "" {
		v.at = origin{d.file, d.line}
	}
}

// argument takes an argument that must be there and must not be empty.
func (l *loader) argument(d *directive) (string, error) {
	arg, _ := d.args.next()
	if arg == "" {
		return "", l.badLine(d, "Missing argument.")
	}
	return arg, nil
}

// word looks an argument up and says what is wrong with a missing one. A
// missing argument is "(null)" in the messages, as C's printf writes it.
func (l *loader) word(d *directive, words wordSet, arg string, ok bool) (value, printed string, found bool) {
	printed = arg
	if !ok {
		printed = "(null)"
	}
	if arg == "" {
		l.badLine(d, "missing argument.")
		return "", printed, false
	}
	value, found = words.lookup(arg)
	return value, printed, found
}

func (l *loader) setWord(d *directive) error {
	arg, ok := d.args.next()
	text, printed, found := l.word(d, d.row.words, arg, ok)
	if !found {
		return l.badLine(d, "unsupported option \"%s\".", printed)
	}
	if v := l.slot(d); v != nil {
		v.text = text
	}
	return nil
}

func (l *loader) setInt(d *directive) error {
	arg, _ := d.args.next()
	n, problem := parseInt(arg)
	if problem != "" {
		return l.badLine(d, "integer value %s.", problem)
	}
	if v := l.slot(d); v != nil {
		v.n = n
	}
	return nil
}

// setTime reads a time format. "none" leaves the keyword open for a later line.
func (l *loader) setTime(d *directive) error {
	n, none, err := l.time(d)
	if err != nil || none {
		return err
	}
	if v := l.slot(d); v != nil {
		v.n = n
	}
	return nil
}

func (l *loader) time(d *directive) (seconds int64, none bool, err error) {
	arg, _ := d.args.next()
	switch {
	case arg == "":
		return 0, false, l.badLine(d, "missing time value.")
	case arg == "none":
		return 0, true, nil
	}
	n, ok := parseTime(arg)
	if !ok {
		return 0, false, l.badLine(d, "invalid time value.")
	}
	return n, false, nil
}

func (l *loader) setString(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	if v := l.slot(d); v != nil {
		v.text = arg
	}
	return nil
}

// setCommand takes the line as it stands, quotes and all.
func (l *loader) setCommand(d *directive) error {
	if v := l.slot(d); v != nil {
		v.text = trimCommand(d.rest)
	}
	d.args.consume()
	return nil
}

// setFiles reads a list of files, or none alone.
func (l *loader) setFiles(d *directive) error {
	v := l.value(d)
	empty := len(v.list) == 0
	for i := 0; ; i++ {
		arg, more, err := l.listItem(d, i, "none")
		if err != nil || !more {
			return err
		}
		if !d.active || !empty {
			continue
		}
		if len(v.list) >= maxHostFiles && d.row.id != kwRevokedHostKeys {
			return l.badLine(d, "too many %s entries.", d.keyword)
		}
		v.list, v.set = append(v.list, arg), true
		l.note(d)
	}
}

// listItem takes the next item of a list, which must not be empty. The words
// in alone may only stand alone.
func (l *loader) listItem(d *directive, i int, alone ...string) (arg string, more bool, err error) {
	arg, more = d.args.next()
	if !more {
		return "", false, nil
	}
	if arg == "" {
		return "", false, l.badLine(d, "keyword %s empty argument", d.keyword)
	}
	return arg, true, l.aloneOnly(d, arg, i, alone...)
}

func (l *loader) aloneOnly(d *directive, arg string, i int, alone ...string) error {
	for _, word := range alone {
		if equalFoldASCII(arg, word) && (i > 0 || len(d.args) > 0) {
			return l.badLine(d, "keyword %s \"%s\" argument must appear alone.", d.keyword, word)
		}
	}
	return nil
}

// setAgentPath reads the path of an agent socket, which may be a variable.
func (l *loader) setAgentPath(d *directive, arg string, set func(string)) error {
	if _, missing, err := l.expandEnv(arg); err != nil || missing {
		return l.badLine(d, "Invalid environment expansion %s.", arg)
	}
	if arg[0] == '$' && (len(arg) < 2 || arg[1] != '{') && !validEnvName(arg[1:]) {
		return l.badLine(d, "Invalid environment name %s.", arg)
	}
	set(arg)
	return nil
}

func validEnvName(s string) bool {
	for i := 0; i < len(s); i++ {
		if digit(s[i]) == 99 && s[i] != '_' {
			return false
		}
	}
	return s != ""
}

// int32Of is C's conversion of a long to an int.
func int32Of(n int64) int64 { return int64(int32(n & math.MaxUint32)) }

// setIdentityAgent reads a path, none, or a variable.
func (l *loader) setIdentityAgent(d *directive) error {
	arg, err := l.argument(d)
	if err != nil {
		return err
	}
	return l.setAgentPath(d, arg, func(path string) {
		if v := l.slot(d); v != nil {
			v.text = path
		}
	})
}

func (l *loader) setKeyFile(d *directive) error {
	arg, err := l.argument(d)
	if err != nil || !d.active {
		return err
	}
	f := fileEntry{text: arg, by: byDefault}
	if d.flags.user {
		f.by = byUser
	}
	list, what := &l.st.identity, "identity"
	if d.row.id == kwCertificateFile {
		list, what = &l.st.certificate, "certificate"
	}
	if len(*list) >= maxIdentityFiles {
		return l.badLine(d, "Too many %s files specified (max %d).", what, maxIdentityFiles)
	}
	*list = addFile(*list, f)
	l.note(d)
	return nil
}

// refuseConnection ends the resolution where its block applies.
func (l *loader) refuseConnection(d *directive) error {
	arg, err := l.argument(d)
	if err != nil || !d.active {
		return err
	}
	return l.fatalLine(d, "RefuseConnection: %s", arg)
}

// maxForwardText is the room that OpenSSH has for the two arguments of a
// forwarding, joined by a colon; what is over it is lost.
const maxForwardText = 255

func (l *loader) setForward(d *directive) error {
	text, err := l.argument(d)
	if err != nil {
		return err
	}
	kind := forward.Dynamic
	switch d.row.id {
	case kwLocalForward:
		kind = forward.Local
	case kwRemoteForward:
		kind = forward.Remote
	}
	target := false
	if kind != forward.Dynamic {
		arg2, _ := d.args.next()
		if target = arg2 != ""; target {
			text += ":" + arg2
		} else if kind == forward.Local {
			return l.badLine(d, "Missing target argument.")
		}
	}
	if len(text) > maxForwardText {
		text = text[:maxForwardText]
	}
	spec, ok := l.parseForward(kind, text, target)
	if !ok {
		return l.badLine(d, "Bad forwarding specification.")
	}
	if d.active {
		l.addForward(spec)
		l.note(d)
	}
	return nil
}

// parseForward parses a forwarding after expanding its variables: one that
// becomes a path makes a socket. Without target, a Remote must have none.
func (l *loader) parseForward(kind forward.Kind, text string, target bool) (forward.Spec, bool) {
	expanded, missing, err := l.expandEnv(text)
	if err != nil || missing {
		return forward.Spec{}, false
	}
	spec, err := forward.ParseSpec(kind, expanded)
	if err != nil || kind == forward.Remote && target == spec.SOCKS() {
		return forward.Spec{}, false
	}
	return spec, true
}

func (l *loader) addForward(spec forward.Spec) {
	if spec.Kind == forward.Remote {
		l.st.remote = addSpec(l.st.remote, spec)
	} else {
		l.st.local = addSpec(l.st.local, spec)
	}
}

// setForwardAgent reads yes, no, or the path of a socket, which may join an
// earlier yes or no.
func (l *loader) setForwardAgent(d *directive) error {
	arg, _ := d.args.next()
	if arg == "" {
		return l.badLine(d, "missing argument.")
	}
	v := l.value(d)
	if word, ok := wordsFlag.lookup(arg); ok {
		if d.active && v.n == 0 {
			v.n = flagNumber(word)
			l.markSet(d, v)
		}
		return nil
	}
	if d.active && v.n == 0 {
		v.n = flagNumber("yes")
		l.markSet(d, v)
	}
	return l.setAgentPath(d, arg, func(path string) {
		if d.active && v.text == "" {
			v.text = path
		}
	})
}

// flagNumber tells yes, no and unset apart in a number.
func flagNumber(word string) int64 {
	if word == "yes" {
		return 1
	}
	return -1
}

func (l *loader) markSet(d *directive, v *value) {
	v.set = true
	if v.at.file == "" {
		v.at = origin{d.file, d.line}
	}
}

// parseMask reads an octal mode. Like OpenSSH it does not mind what follows.
func parseMask(s string) (mode int64, ok bool) {
	n, _, ok := strtol(s, 8)
	n = int32Of(n)
	return n, ok && n >= 0 && n <= 0o777
}
