package sshconfig

import (
	"strings"

	"github.com/gossh-project/gossh/internal/pattern"
)

// listMatch is the outcome of matching against a list of patterns.
type listMatch int

const (
	noMatch listMatch = iota
	matched
	negated // a pattern with ! in front matched
)

// maxSubpattern is the length from which OpenSSH gives up on a pattern and the
// rest of its list with it.
const maxSubpattern = 1023

// matchList matches s against a comma-separated list of patterns, each of
// which may be negated by a ! in front. One negated match outweighs all others.
// With lower, the patterns (not s) are taken in lower case.
func matchList(s, list string, lower bool) listMatch {
	if lower {
		list = lowerASCII(list)
	}
	result := noMatch
	for list != "" {
		not := list[0] == '!'
		if not {
			list = list[1:]
		}
		p, rest, _ := strings.Cut(list, ",")
		if len(p) >= maxSubpattern {
			return noMatch
		}
		list = rest
		if pattern.Match(s, p) {
			if not {
				return negated
			}
			result = matched
		}
	}
	return result
}

// matchHost matches a host name, in any case, against a list of patterns.
func matchHost(host, list string) bool {
	return matchList(lowerASCII(host), list, true) == matched
}
