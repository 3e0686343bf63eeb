package sshconfig

import "strings"

// blanks separate a keyword from its arguments.
const blanks = " \t\r\n"

// lowerASCII lowers A to Z and leaves every other byte alone, as tolower(3)
// does on the bytes of UTF-8.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// trimLine takes off what follows a NUL and the white space at the end of a
// line, of which the form feed is part only there. The first byte always stays.
func trimLine(line string) string {
	if i := strings.IndexByte(line, 0); i >= 0 {
		line = line[:i]
	}
	for len(line) > 1 && strings.IndexByte(blanks+"\f", line[len(line)-1]) >= 0 {
		line = line[:len(line)-1]
	}
	return line
}

// scanner hands out the words of a line by the older of OpenSSH's two rules,
// which keywords and Match criteria follow: words end at white space or at one
// equals sign, and a double quote, wherever it stands, runs to the next one.
type scanner struct {
	rest string
	done bool // nothing is left, not even an empty word
}

// next returns the next word. ok is false at the end, and also if a quote is
// not closed, which ends the line without a word.
func (s *scanner) next() (word string, ok bool) {
	if s.done {
		return "", false
	}
	text := s.rest
	i := strings.IndexAny(text, blanks+`"=`)
	if i < 0 {
		s.rest, s.done = "", true
		return text, true
	}
	if text[i] == '"' {
		j := strings.IndexByte(text[i+1:], '"')
		if j < 0 {
			s.rest, s.done = "", true
			return "", false
		}
		s.rest = strings.TrimLeft(text[i+j+2:], blanks)
		return text[:i] + text[i+1:i+1+j], true
	}
	s.rest = strings.TrimLeft(text[i+1:], blanks)
	// Only one equals sign is skipped, before or after white space.
	if text[i] != '=' && strings.HasPrefix(s.rest, "=") {
		s.rest = strings.TrimLeft(s.rest[1:], blanks)
	}
	return text[:i], true
}

// splitKeyword takes the keyword, in lower case, off a trimmed line. rest is
// what follows, without white space in front. ok is false if the line says
// nothing: it is empty, a comment, or its first quote is not closed.
func splitKeyword(line string) (keyword, rest string, ok bool) {
	s := scanner{rest: line}
	word, ok := s.next()
	if !ok {
		return "", "", false
	}
	if word == "" { // white space in front of the keyword
		if word, ok = s.next(); !ok {
			return "", "", false
		}
	}
	if word == "" || word[0] == '#' {
		return "", "", false
	}
	return lowerASCII(word), strings.TrimLeft(s.rest, blanks), true
}

// splitArgs cuts the arguments of a keyword by the newer rule: words end at a
// space or tab, quotes are single or double and may begin inside a word, a
// backslash takes away the meaning of a quote, a backslash or, outside quotes,
// a space, and stands for itself otherwise. With comments, a word that starts
// with # ends the line. ok is false if a quote is not closed.
func splitArgs(s string, comments bool) (args []string, ok bool) {
	for i := 0; i < len(s); {
		switch {
		case s[i] == ' ' || s[i] == '\t':
			i++
			continue
		case s[i] == '#' && comments:
			return args, true
		}
		arg, n, ok := nextArg(s[i:])
		if !ok {
			return nil, false
		}
		args = append(args, arg)
		i += n
	}
	return args, true
}

// nextArg reads one word from the start of s and returns its length in s.
func nextArg(s string) (arg string, n int, ok bool) {
	if i := strings.IndexAny(s, " \t\\\"'"); i < 0 {
		return s, len(s), true
	} else if s[i] == ' ' || s[i] == '\t' {
		return s[:i], i, true
	}
	var out strings.Builder
	var quote byte
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			if i+1 < len(s) && (s[i+1] == '\'' || s[i+1] == '"' || s[i+1] == '\\' || quote == 0 && s[i+1] == ' ') {
				i++
			}
			out.WriteByte(s[i])
		case quote == 0 && (c == ' ' || c == '\t'):
			return out.String(), i, true
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), i, quote == 0
}

// args is what is left of the arguments of a line.
type args []string

// next takes the first argument off. ok is false if there is none.
func (a *args) next() (arg string, ok bool) {
	if len(*a) == 0 {
		return "", false
	}
	arg, *a = (*a)[0], (*a)[1:]
	return arg, true
}

// consume drops what is left.
func (a *args) consume() { *a = nil }
