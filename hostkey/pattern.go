package hostkey

import "strings"

// matchHosts matches a host, in lower case, against the comma list of a
// known_hosts line (PATTERNS in ssh_config(5)). One negated match refuses the
// whole list, wherever it stands.
func matchHosts(host, list string) bool {
	matched := false
	for pattern := range strings.SplitSeq(list, ",") {
		negated := strings.HasPrefix(pattern, "!")
		if negated {
			pattern = pattern[1:]
		}
		if !matchPattern(host, pattern) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}

// matchPattern matches s, in lower case, against a pattern of any case with *
// and ?. It backtracks to the last star only, so its time is len(s)*len(pattern)
// at worst, whatever a file contains.
func matchPattern(s, pattern string) bool {
	star, mark := -1, 0
	i, p := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || lower(pattern[p]) == s[i]):
			i++
			p++
		case star >= 0:
			mark++
			i, p = mark, star+1
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// lower is tolower(3) in the C locale.
func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
