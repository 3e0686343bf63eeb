package hostkey

import (
	"strings"

	"github.com/gossh-project/gossh/internal/pattern"
)

// matchHosts reports whether a host matches the comma-separated list of a
// known_hosts line (PATTERNS in ssh_config(5)). It ignores case. A match of a
// negated pattern at any place in the list means that the list does not match.
func matchHosts(host, list string) bool {
	matched := false
	for p := range strings.SplitSeq(list, ",") {
		negated := strings.HasPrefix(p, "!")
		if negated {
			p = p[1:]
		}
		if !pattern.MatchFold(host, p) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}
