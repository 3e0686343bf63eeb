package sshconfig

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/gossh-project/gossh/forward"
)

// Dump prints the configuration as `ssh -G` does: the same keywords in the same
// order and form, one on each line. The keywords that only this program has are
// printed if they were set. Dump returns the error of w, or ErrNotLoaded.
func (c *Config) Dump(w io.Writer) error {
	if c.res == nil || c.inCode() {
		return ErrNotLoaded
	}
	d := dumper{bufio.NewWriter(w), c, &c.res.st}
	for i := range keywordTable {
		r, v := &keywordTable[i], &d.st.values[i]
		if r.dump != nil && (!r.own || v.at.file != "") {
			r.dump(d, r, v)
		}
	}
	return d.w.Flush()
}

type dumper struct {
	w  *bufio.Writer
	c  *Config
	st *state
}

func (d dumper) text(name, value string) {
	for _, s := range [...]string{name, " ", value, "\n"} {
		_, _ = d.w.WriteString(s) // Flush returns the error
	}
}

// dumpHost and dumpHostName print the names that were resolved.
func (d dumper) dumpHost(r *row, _ *value)     { d.text(r.lower(), d.c.Host) }
func (d dumper) dumpHostName(r *row, _ *value) { d.text(r.lower(), d.c.HostName) }

// dumpWord prints a flag or word by the first of its synonyms.
func (d dumper) dumpWord(r *row, v *value) { d.text(r.lower(), r.words.printed(v.text)) }

// dumpString prints a value that is set.
func (d dumper) dumpString(r *row, v *value) {
	if v.set {
		d.text(r.lower(), v.text)
	}
}

// dumpOrNone prints a value, or none.
func (d dumper) dumpOrNone(r *row, v *value) {
	if v.text == "" {
		d.text(r.lower(), "none")
		return
	}
	d.text(r.lower(), v.text)
}

func (d dumper) dumpNumber(r *row, v *value) { fmt.Fprintf(d.w, "%s %d\n", r.lower(), v.n) }

// dumpTimeout prints a number of seconds, or none if it is not set.
func (d dumper) dumpTimeout(r *row, v *value) {
	if !v.set {
		d.text(r.lower(), "none")
		return
	}
	d.dumpNumber(r, v)
}

func (d dumper) dumpAlgorithms(r *row, v *value) { d.text(r.lower(), strings.Join(v.list, ",")) }

// dumpLines prints each item on its own line.
func (d dumper) dumpLines(r *row, v *value) {
	for _, item := range v.list {
		d.text(r.lower(), item)
	}
}

// dumpOneLine prints all items on one line, or none.
func (d dumper) dumpOneLine(r *row, v *value) {
	if len(v.list) == 0 {
		d.text(r.lower(), "none")
		return
	}
	d.text(r.lower(), strings.Join(v.list, " "))
}

func (d dumper) dumpLogLevel(r *row, v *value) { d.text(r.lower(), LogLevel(v.n).String()) }

func (d dumper) dumpObscure(r *row, v *value) {
	switch v.n {
	case 0:
		d.text(r.lower(), "no")
	case obscureDefault:
		d.text(r.lower(), "yes")
	default:
		d.dumpNumber(r, v)
	}
}

// OpenSSH recognizes dynamic forwardings by a target named socks. A target that
// is a socket is printed as both kinds.

func (d dumper) dumpDynamic(r *row, _ *value) {
	for _, s := range d.st.local {
		if s.Kind == forward.Dynamic || s.Connect.Socket != "" || s.Connect.Host == "socks" {
			s.Kind, s.Connect = forward.Dynamic, forward.Addr{}
			d.text(r.lower(), s.ConfigArgs())
		}
	}
}

func (d dumper) dumpLocal(r *row, _ *value) {
	for _, s := range d.st.local {
		if s.Kind == forward.Local && (s.Connect.Socket != "" || s.Connect.Host != "socks") {
			d.text(r.lower(), s.ConfigArgs())
		}
	}
}

func (d dumper) dumpRemote(r *row, _ *value) {
	for _, s := range d.st.remote {
		d.text(r.lower(), s.ConfigArgs())
	}
}

func (d dumper) dumpIdentities(r *row, _ *value)   { d.dumpFiles(r, d.st.identity) }
func (d dumper) dumpCertificates(r *row, _ *value) { d.dumpFiles(r, d.st.certificate) }

func (d dumper) dumpFiles(r *row, files []fileEntry) {
	for _, f := range files {
		d.text(r.lower(), f.text)
	}
}

func (d dumper) dumpAddKeys(r *row, v *value) {
	switch {
	case v.n == 0:
		d.dumpWord(r, v)
	case v.text == "confirm":
		fmt.Fprintf(d.w, "%s confirm %d\n", r.lower(), v.n)
	default:
		d.dumpNumber(r, v)
	}
}

func (d dumper) dumpForwardAgent(r *row, v *value) {
	switch {
	case v.text != "":
		d.text(r.lower(), v.text)
	case v.n > 0:
		d.text(r.lower(), "yes")
	default:
		d.text(r.lower(), "no")
	}
}

func (d dumper) dumpTunnelDevice(r *row, v *value) {
	d.text(r.lower(), tunName(v.n)+":"+tunName(v.m))
}

func (d dumper) dumpCNAMEs(*row, *value) {
	fmt.Fprint(d.w, "canonicalizePermittedcnames") // OpenSSH's spelling
	if len(d.st.cnames) == 0 {
		fmt.Fprint(d.w, " none")
	}
	for _, rule := range d.st.cnames {
		fmt.Fprintf(d.w, " %s:%s", rule.Source, rule.Target)
	}
	fmt.Fprintln(d.w)
}

func (d dumper) dumpControlPersist(r *row, v *value) {
	if v.n == 0 {
		d.text(r.lower(), v.text)
		return
	}
	d.dumpNumber(r, v)
}

func (d dumper) dumpEscapeChar(r *row, v *value) { d.text(r.lower(), visible(v.n)) }
func (d dumper) dumpIPQoS(r *row, v *value)      { d.text(r.lower(), qosName(v.n)+" "+qosName(v.m)) }

func (d dumper) dumpRekeyLimit(r *row, v *value) {
	fmt.Fprintf(d.w, "%s %d %d\n", r.lower(), v.n, v.m)
}

func (d dumper) dumpMask(r *row, v *value) { fmt.Fprintf(d.w, "%s 0%o\n", r.lower(), v.n) }

func (d dumper) dumpProxyCommand(r *row, v *value) {
	if !d.st.jump.set {
		d.dumpString(r, v)
	}
}

func (d dumper) dumpProxyJump(r *row, _ *value) {
	j := d.st.jump
	if !j.set {
		return
	}
	var out strings.Builder
	if j.extra != "" {
		out.WriteString(j.extra + ",")
	}
	if j.user != "" {
		out.WriteString(j.user + "@")
	}
	if strings.Contains(j.host, ":") || strings.Trim(j.host, "1234567890.") == "" {
		out.WriteString("[" + j.host + "]")
	} else {
		out.WriteString(j.host)
	}
	if j.port > 0 {
		fmt.Fprintf(&out, ":%d", j.port)
	}
	d.text(r.lower(), out.String())
}

func tunName(n int64) string {
	if n == tunAny {
		return "any"
	}
	return fmt.Sprint(n)
}

func qosName(n int64) string {
	for _, q := range qosNames {
		if q.value == n {
			return q.name
		}
	}
	return fmt.Sprintf("0x%02x", n)
}

// visible writes a character as vis(3) does with VIS_WHITE.
func visible(n int64) string {
	c := byte(n)
	switch {
	case n == int64(EscapeNone):
		return "none"
	case c == '\\':
		return `\\`
	case c > ' ' && c < 0x7f:
		return string(rune(c))
	case c&0x7f == ' ':
		return fmt.Sprintf(`\%03o`, c)
	}
	out := `\`
	if c >= 0x80 {
		out += "M"
		c &= 0x7f
	}
	switch {
	case c == 0x7f:
		return out + "^?"
	case c < ' ':
		return out + "^" + string(rune(c+'@'))
	}
	return out + "-" + string(rune(c))
}

// visibleText writes a message as strvis(3) does with VIS_SAFE and VIS_OCTAL,
// which is how ssh keeps odd bytes away from the terminal.
func visibleText(s string) string {
	plain := func(c byte) bool {
		return c >= ' ' && c < 0x7f && c != '\\' || strings.IndexByte("\t\n\b\a\r", c) >= 0
	}
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	var out strings.Builder
	for _, c := range []byte(s) {
		switch {
		case plain(c):
			out.WriteByte(c)
		case c == '\\':
			out.WriteString(`\\`)
		default:
			fmt.Fprintf(&out, `\%03o`, c)
		}
	}
	return out.String()
}
