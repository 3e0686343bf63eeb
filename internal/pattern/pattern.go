// Package pattern matches strings against the patterns of ssh_config(5),
// section PATTERNS, which known_hosts files and certificates use too.
package pattern

// Match reports whether s matches p. In p, * stands for any number of bytes,
// including none, and ? for one byte. Every other byte stands for itself.
//
// Match takes time in proportion to len(s)*len(p) at most, whatever p contains.
func Match(s, p string) bool { return match(s, p, exact) }

// MatchFold is like Match but ignores the case of ASCII letters.
func MatchFold(s, p string) bool { return match(s, p, lower) }

// match compares bytes after conversion by fold. It backtracks to the last *
// only: an earlier one could not match more than the last one can.
func match(s, p string, fold func(byte) byte) bool {
	i, j := 0, 0
	star, mark := -1, 0 // the last * in p, and the end of the bytes it stands for
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == '*':
			star, mark = j, i
			j++
		case j < len(p) && (p[j] == '?' || fold(p[j]) == fold(s[i])):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '*' {
		j++
	}
	return j == len(p)
}

func exact(b byte) byte { return b }

// lower converts a byte as tolower(3) does in the C locale.
func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
