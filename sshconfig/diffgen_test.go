package sshconfig_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/gossh-project/gossh/sshconfig"
)

// testCase is a set of configuration files and a command line.
type testCase struct {
	files map[string]string // by name; "main" is the one that -F names
	args  []string
}

func (c testCase) write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range c.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c testCase) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "args: %q\n", c.args)
	for name, text := range c.files {
		fmt.Fprintf(&out, "--- %s\n", name)
		for line := range strings.Lines(text) {
			fmt.Fprintf(&out, "\t%q\n", line)
		}
	}
	return out.String()
}

// generator makes test cases: what is written is well formed more often than
// not, since the first mistake hides the rest of a case.
type generator struct {
	r     *rand.Rand
	dir   string
	files map[string]string
	// clean cases have no mistakes on purpose, so that they get to the end.
	clean bool
	// uri is set if the destination is one: then 9.2 checks User as if it came
	// from the command line, even if the URI has none.
	uri bool
	// ten cases are for OpenSSH 10, which knows more.
	ten bool
}

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }
func (g *generator) chance(percent int) bool    { return g.r.IntN(100) < percent }

// bad decides for a mistake.
func (g *generator) bad(percent int) bool { return !g.clean && g.chance(percent) }

func (g *generator) generate() testCase {
	g.files = map[string]string{}
	g.clean = g.chance(60)
	destination := g.destination()
	g.uri = strings.HasPrefix(destination, "ssh:")
	g.files["main"] = g.file(0)
	args := []string{"-G", "-F", filepath.Join(g.dir, "main")}
	if _, err := sshconfig.ParseDestination(destination); err == nil {
		args = append(args, g.flags(3)...)
	}
	args = append(args, destination)
	if g.chance(20) {
		args = append(args, g.flags(2)...)
	}
	if g.chance(15) {
		args = append(args, "echo", "a b")
	}
	return testCase{g.files, args}
}

func (g *generator) host() string {
	return g.pick("alpha", "alpha", "alpha", "beta.example.com", "Gamma", "127.1", "::1", "10.0.0.1", "0x7f.1", "localhost", "a_b-c.d")
}

func (g *generator) destination() string {
	host := g.host()
	switch g.r.IntN(12) {
	case 0:
		return "joe@" + host
	case 1:
		return "joe@corp@" + host
	case 2:
		return "ssh://" + g.pick("", "joe@", "j%6fe@", "a+b;x=y@") + g.pick("alpha", "[::1]", "beta.example.com.") + g.pick("", ":2200", ":ssh", "/", ":22/", ":")
	case 3:
		if !g.clean {
			return g.pick("ssh://", "@alpha", "joe;@alpha", "al pha", "al,pha", "ssh://alpha/path", "ssh://al%pha", "a$b", "joe\\@alpha", "joe@", "a@b:c")
		}
	}
	return host
}

// flags makes up to n options of ssh(1).
func (g *generator) flags(n int) []string {
	var out []string
	for range g.r.IntN(n + 1) {
		switch g.r.IntN(5) {
		case 0: // not -v, whose debug lines are not compared
			out = append(out, "-"+g.pick("4", "6", "n", "x", "X", "Y", "g", "a", "A", "k", "K", g.onlyTen("T", "C"), "T", "t", "tt", "M", "MM", "N", "q", "f"))
		case 1:
			out = append(out, g.flagWithValue()...)
		default:
			keyword := g.keyword()
			line := keyword + g.separator(true) + g.arguments(keyword)
			if g.bad(10) {
				line = strings.ReplaceAll(g.mutate(line, 1), "\x00", "")
			}
			if g.bad(5) {
				line = g.pick("Host x", g.onlyTen("Match all", "Host y"), "Include /x", "Foo=bar", "Port", "", "#", "Port=", " Port 22", "\"Port\" 22", "Port \"22", "=")
			}
			out = append(out, "-o", line)
		}
	}
	return out
}

func (g *generator) flagWithValue() []string {
	letter := g.pick("b", "B", "c", "D", "e", "i", "I", "J", "L", "l", "m", "p", "R", "S", "W", "w")
	var value string
	switch letter {
	case "c":
		value = g.algorithms("Ciphers")
	case "m":
		value = strings.TrimLeft(g.algorithms("MACs"), "+-^")
	case "D":
		value = g.listen()
	case "L", "R":
		value = g.listen() + ":" + g.target()
		if letter == "R" && g.chance(30) {
			value = g.listen()
		}
	case "W":
		// A port or a socket alone is not written: forward.ParseSpec refuses the
		// one, which ssh 9.2 takes, and ssh 9.2 half forgets the other.
		value = g.pick("web:80", "[::1]:80", "web:http", g.oneBad("web", "web:80"))
	case "e":
		value = g.escape()
	case "i":
		value = g.pick(filepath.Join(g.dir, "main"), "/nowhere", "~/nowhere", "~nobodyatall/x")
	case "J":
		value = g.jump()
	case "l":
		value = g.pick("ann", "a b", "a;b", "-x", "back\\", "a -b")
		if g.clean {
			value = "ann"
		}
	case "p":
		value = g.port()
	case "w":
		value = g.tun()
	default:
		value = g.pick("value", "a b", "~/x", "%h")
		if g.clean || letter == "S" {
			value = g.pick("value", "/run/%h")
		}
	}
	return []string{"-" + letter, value}
}

// file makes the text of one file.
func (g *generator) file(depth int) string {
	var out strings.Builder
	for range 1 + g.r.IntN(12) {
		switch n := g.r.IntN(20); {
		case n == 0:
			odd := g.pick("", " ", "# comment", "\t# x", "#", "   ", "\r", "\f", "\"unclosed", "= x\n#")
			if g.clean {
				odd = strings.Trim(odd, "\f= x")
			}
			out.WriteString(odd)
		case n < 4:
			out.WriteString(g.line("Host", g.hostPatterns()))
		case n < 7:
			out.WriteString(g.line("Match", g.criteria()))
		case n == 7 && depth < 3:
			out.WriteString(g.line("Include", g.include(depth)))
		case n == 8 && g.bad(50): // well-formed but odd, or wrong
			out.WriteString(g.pick("Foo bar", "Port", "Port ", "Host", "Match", "\"Port\"22", "Port\"22\"", "Tunnel\x00no", "Port 22 \x00 33",
				"User \"a", "User 'a", "User a\"", "=", "==", "Port==22", "User = = x", "Port\f22", "Po rt 22", "\u00c4Port 22", "Reconnect yes"))
		default:
			keyword := g.keyword()
			out.WriteString(g.line(keyword, g.arguments(keyword)))
		}
		if g.chance(98) {
			out.WriteString("\n")
		} else {
			out.WriteString("\r\n")
		}
	}
	text := out.String()
	if g.chance(10) {
		text = strings.TrimSuffix(text, "\n")
	}
	if g.bad(2) { // more than there is room for
		line := g.pick("IdentityFile f%d", "CertificateFile f%d", "LocalForward %d web:80", "SendEnv E%d", "Host h%d")
		for i := range 110 {
			text += "\n" + fmt.Sprintf(line, i+1)
		}
		long := g.pick("GlobalKnownHostsFile", "UserKnownHostsFile", g.onlyTen("CanonicalDomains", "PermitRemoteOpen"), "PermitRemoteOpen",
			g.onlyTen("CanonicalizePermittedCNAMEs", "PermitRemoteOpen"))
		text += "\n" + long + strings.Repeat(g.pick(" x", " a:1", " x.y"), 30+g.r.IntN(5)) + "\n"
	}
	// 9.2 splits the words of Match in another way.
	if g.bad(25) && (g.ten || !strings.Contains(strings.ToLower(text), "match")) {
		text = g.mutate(text, 1+g.r.IntN(5))
	}
	return text
}

// mutate changes a few bytes. None of the bytes that it writes lets a command
// of Match exec do more than fail.
func (g *generator) mutate(text string, n int) string {
	const alphabet = " \t\n\r\f\"'\\=#,!*?:%{}[]@/.-+^~_019ax\x00\x01\x7f\xc3\xa9"
	b := []byte(text)
	for range n {
		if len(b) == 0 {
			break
		}
		i, c := g.r.IntN(len(b)), alphabet[g.r.IntN(len(alphabet))]
		switch g.r.IntN(4) {
		case 0:
			b[i] = c
		case 1:
			b = append(b[:i], b[i+1:]...)
		case 2:
			b = append(b[:i], append([]byte{c}, b[i:]...)...)
		default: // a piece of the text once more, elsewhere
			j := min(len(b), i+1+g.r.IntN(8))
			k := g.r.IntN(len(b))
			b = append(b[:k:k], append([]byte(string(text[min(i, len(text)):min(j, len(text))])), b[k:]...)...)
		}
	}
	return string(b)
}

// line writes a keyword and its arguments in one of the many ways.
func (g *generator) line(keyword, args string) string {
	var out strings.Builder
	out.WriteString(g.pick("", "", "", " ", "\t", "    "))
	switch g.r.IntN(8) {
	case 0:
		keyword = strings.ToLower(keyword)
	case 1:
		keyword = strings.ToUpper(keyword)
	case 2:
		if g.chance(30) {
			keyword = `"` + keyword + `"`
		}
	}
	out.WriteString(keyword)
	if strings.EqualFold(strings.Trim(keyword, `"`), "Match") && !g.ten { // see file
		out.WriteString(" " + args)
		return out.String()
	}
	out.WriteString(g.separator(false))
	out.WriteString(args)
	out.WriteString(g.pick("", "", "", "", " ", "\t", " \r", " \f"))
	if g.chance(8) {
		out.WriteString(g.pick(" # comment", " #", "\t#x", " # \"quo\"te"))
	}
	if g.bad(2) {
		out.WriteString(g.pick(" extra", "#no comment", " \"", "\\", " '"))
	}
	return out.String()
}

func (g *generator) separator(commandLine bool) string {
	if commandLine {
		return g.pick("=", "=", "=", " ", " = ", "= ")
	}
	return g.pick(" ", " ", " ", " ", "=", " = ", "= ", " =", "\t", "  \t ")
}

// quote writes an argument in one of the ways that mean the same, mostly.
func (g *generator) quote(s string) string {
	if g.clean && strings.ContainsAny(s, " \t'") {
		return `"` + s + `"`
	}
	switch g.r.IntN(14) {
	case 0:
		return `"` + s + `"`
	case 1:
		return `'` + s + `'`
	case 2:
		if len(s) > 1 {
			i := 1 + g.r.IntN(len(s)-1)
			return s[:i] + `"` + s[i:] + `"`
		}
	case 3:
		return strings.ReplaceAll(s, " ", `\ `)
	case 4:
		if g.bad(20) {
			return g.pick(`"`+s, s+`'`, s+`\`, `\"`+s, `\`+s, s+`\\`, `""`, `''`, s+`\"`)
		}
	}
	return s
}

func (g *generator) words(max int, one func() string) string {
	var out []string
	for range 1 + g.r.IntN(max) {
		out = append(out, g.quote(one()))
	}
	return strings.Join(out, g.pick(" ", " ", "\t", "  "))
}

func (g *generator) hostPatterns() string {
	return g.words(3, func() string {
		if g.clean {
			return g.pick("alpha", "*", "*", "a*", "!alpha", "!beta*", "*.example.com", "?lpha", "Gamma", "gamma", "127.*", "b**a*", "l*t", "::1")
		}
		return g.pick("alpha", "*", "*", "a*", "!alpha", "!beta*", "*.example.com", "?lpha", "Gamma", "gamma", "127.*", "!*", "", "b**a*", "l*t", "10.0.0.?", "::1") + g.pick("", "", "", "", ",beta")
	})
}

func (g *generator) criteria() string {
	if !g.ten { // 10 words mistakes in another way
		defer func(clean bool) { g.clean = clean }(g.clean)
		g.clean = true
	}
	if g.clean && g.chance(15) {
		return g.pick("all", "!all", "canonical all", "final all", "host alpha all", "ALL", "all # x")
	}
	if g.chance(15) {
		return g.pick("all", "all", "!all", "canonical all", "final all", "all host x", "host alpha all", "ALL", "all # x", "host a host b all")
	}
	var out []string
	for range 1 + g.r.IntN(3) {
		c := g.pick("host", "host", "originalhost", "user", "localuser", "exec", "final", "canonical")
		if g.ten && g.chance(25) {
			c = g.pick("version", "version", "tagged", "command", "sessiontype", "localnetwork")
		}
		if g.bad(4) {
			c = g.pick("hosts", "address", "", "#", "group")
		}
		switch g.r.IntN(6) {
		case 0:
			c = strings.ToUpper(c)
		case 1:
			if g.ten || c != "final" {
				c = "!" + c
			}
		}
		switch strings.ToLower(strings.TrimPrefix(c, "!")) {
		case "host", "originalhost":
			c += g.pick(" ", " ", "=", g.onlyTen(" = ", " "), "\t") + g.matchArg("alpha", "*", "a*,beta*", "!alpha,*", "*.example.com", "ALPHA", "gamma", "127.*", "10.0.0.1", "l*", "realname*", "web")
		case "user", "localuser":
			c += g.pick(" ", "=") + g.matchArg("root", "joe", "*", "!root,*", "j*", "ann,joe", "bob", "ROOT")
		case "version":
			c += g.pick(" ", "=") + g.matchArg("OpenSSH_10.*", "OpenSSH_9.*", "*", "!OpenSSH_10*,*", "OpenSSH_9*,OpenSSH_1*", "openssh*", "gossh*")
		case "tagged":
			c += g.pick(" ", "=") + g.matchArg("x", "a*", "*", "!a*,*", `""`)
		case "command":
			c += g.pick(" ", "=") + g.matchArg("ls", "l*", "*", "!ls,*", `""`)
		case "sessiontype":
			c += " " + g.matchArg("shell", "exec", "none", "sub*", "*", "!shell,*")
		case "localnetwork":
			c += g.pick(" ", "=") + g.matchArg("127.0.0.0/8", "192.0.2.0/24", "192.0.2.0/24,127.0.0.1", "127.0.0.1/8", "a")
		case "exec":
			c += g.pick(" ", "=") + g.matchArg("true", "false", "test %h = alpha", "test %p = 22", "test %r = joe", "exit 3", "test %n = %h", "test %u%% = root%%", "test -n %C", "test %i = 0", "test %k = %h", "true %L %l %d")
			if g.bad(3) {
				c += g.pick(" exec %Z", " exec %", " exec", " exec \"kill -9 $$\"")
			}
		}
		out = append(out, c)
	}
	return strings.Join(out, g.pick(" ", " ", "  ", g.onlyTen("=", " ")))
}

func (g *generator) matchArg(list ...string) string {
	s := g.pick(list...)
	if strings.Contains(s, " ") || g.chance(20) {
		s = `"` + s + `"`
	}
	if g.bad(3) {
		s = g.pick("", `""`, `"`+s, "#", "# x", s+"\"")
	}
	return s
}

func (g *generator) include(depth int) string {
	var out []string
	for range 1 + g.r.IntN(2) {
		name := fmt.Sprintf("inc%d", len(g.files))
		switch n := g.r.IntN(10); {
		case n < 6:
			g.files[name] = "" // the name is taken before the file is made
			g.files[name] = g.file(depth + 1)
			out = append(out, g.quote(filepath.Join(g.dir, name)))
		case n == 6:
			out = append(out, g.quote(filepath.Join(g.dir, "nothing*")), g.quote(filepath.Join(g.dir, "absent")))
		case n == 7:
			g.files[name+".conf"] = ""
			g.files[name+".conf"] = g.file(depth + 1)
			g.files["."+name+".conf"] = "Port 1\n"
			pattern := g.pick("*.conf", "inc?.conf", "inc[0-9].conf", "inc[!a-z]*f", "[i]nc*.conf", `inc\*`, "*.con[f]", "inc*/x", "{a,b}")
			out = append(out, g.quote(filepath.Join(g.dir)+"/"+pattern))
		case n == 8 && g.bad(40):
			out = append(out, g.pick(`""`, filepath.Join(g.dir, "main"), g.dir, "~nobodyatall/x"))
		default:
			out = append(out, g.pick("does-not-exist-here", "~/does-not-exist-here", "/does/not/exist"))
		}
	}
	return strings.Join(out, " ")
}
