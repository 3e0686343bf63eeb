package task

// matchesPattern matches as ssh_config(5) describes under PATTERNS: * stands for
// any bytes, ? for one byte. It backtracks to the last * only, so that no input
// makes it slow.
func matchesPattern(pattern, name string) bool {
	p, n := 0, 0
	star, from := -1, 0 // the last *, and where what it stands for ends
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p, n = p+1, n+1
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
