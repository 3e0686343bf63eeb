package sshconfig

import "strings"

// matchPattern reports whether s matches a pattern of ssh_config(5): * stands
// for any run of characters and ? for one. It goes back to the last * only, so
// that its time is bounded by len(s)*len(pattern) whatever the pattern is.
func matchPattern(s, pattern string) bool {
	i, j := 0, 0
	star, from := -1, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, from = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == s[i]):
			i++
			j++
		case star >= 0:
			from++
			i, j = from, star+1
		default:
			return false
		}
	}
	for j < len(pattern) && pattern[j] == '*' {
		j++
	}
	return j == len(pattern)
}

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
		pattern, rest, _ := strings.Cut(list, ",")
		if len(pattern) >= maxSubpattern {
			return noMatch
		}
		list = rest
		if matchPattern(s, pattern) {
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
