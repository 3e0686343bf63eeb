package sshconfig

import "github.com/gossh-project/gossh/forward"

// origin is where a value was set.
type origin struct {
	file string // "command-line" for the command line
	line int
}

// value is what one keyword has been set to. Which parts are used depends on
// the keyword's kind: text for words and strings, n and m for numbers and
// times in seconds, list for lists.
type value struct {
	at   origin
	set  bool
	n, m int64
	text string
	list []string
}

// is reports whether a word or flag has the given constant.
func (v *value) is(constant string) bool { return v.set && v.text == constant }

// isNone reports whether a string is missing or says none.
func (v *value) isNone() bool { return !v.set || equalFoldASCII(v.text, "none") }

// equalFoldASCII is strcasecmp(3): only ASCII letters fold.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// provided says who named a file; OpenSSH takes the same file named by two of
// these for two.
type provided uint8

const (
	byDefault provided = iota // a default or the system's file
	byFlag                    // -i
	byUser                    // -o or the user's file
)

// fileEntry is one IdentityFile or CertificateFile.
type fileEntry struct {
	text string
	by   provided
}

// state is a configuration in the making: what has been set so far.
type state struct {
	values      []value            // one for each row of keywordTable
	index       [numKeywords]uint8 // the rows of keywords
	identity    []fileEntry
	certificate []fileEntry
	local       []forward.Spec // LocalForward and DynamicForward, in order
	remote      []forward.Spec
	cnames      []CNAMERule
	jump        jump
	stdio       *forward.Spec // -W
}

// newState returns the state in which nothing has been set.
func newState(rows []row) state {
	s := state{values: make([]value, len(rows))}
	for i := range rows {
		s.index[rows[i].id] = uint8(i)
	}
	return s
}

// get returns the value of a keyword for reading and writing.
func (s *state) get(id keyword) *value { return &s.values[s.index[id]] }

// limits of OpenSSH
const (
	maxIdentityFiles = 100
	maxHostFiles     = 32
	maxDepth         = 16 // of Include
)

// addFile appends a file unless the same one is there already.
func addFile(list []fileEntry, f fileEntry) []fileEntry {
	for _, have := range list {
		if have == f {
			return list
		}
	}
	return append(list, f)
}

// addSpec appends a forwarding unless the same one is there already.
func addSpec(list []forward.Spec, s forward.Spec) []forward.Spec {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
