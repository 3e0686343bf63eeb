package hostkey

import (
	"strings"

	"golang.org/x/crypto/ssh"
)

// edit does what hostfile_replace_entries of OpenSSH's hostfile.c does: the
// host's lines with keys that the server no longer announces go, everything
// else stays byte for byte, and in the first file what is missing is added. nil
// is no change. The text is what the file holds now, which may be more than was
// planned on. A key that is in another user file stays there; OpenSSH moves it
// to the first.
func (o *Options) edit(text string, p *updatePlan, first bool) ([]byte, error) {
	var out strings.Builder
	have := make([]match, len(p.keys))
	changed := false
	num := 0
	for raw := range strings.Lines(text) {
		num++
		l, isEntry, err := parseLine(strings.TrimSuffix(raw, "\n"), num)
		if isEntry && err == nil && p.drop(&l, have) {
			changed = true
			continue
		}
		out.WriteString(raw)
	}
	if first {
		if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
			out.WriteByte('\n')
		}
		for i, k := range p.keys {
			names := p.missing(have[i] | k.onFile)
			if len(names) == 0 {
				continue
			}
			added, err := o.newLines(names, k.key)
			if err != nil {
				return nil, err
			}
			out.WriteString(added)
			changed = true
		}
	}
	if !changed {
		return nil, nil
	}
	return []byte(out.String()), nil
}

// drop decides on one line, and notes the announced keys that it has. Lines
// with markers, with names that ssh does not write, and those that cannot be
// understood are kept.
func (p *updatePlan) drop(l *line, have []match) bool {
	m, err := p.match(l)
	if err != nil || m == 0 || l.marker != MarkerNone || l.complexNames() {
		return false
	}
	key, err := l.publicKey()
	if err != nil {
		return false
	}
	for i, k := range p.keys {
		if sameKey(k.key, key) {
			have[i] |= m
			return false
		}
	}
	return p.isOld(key)
}

// isOld reports a key that was planned, and told, to be removed. One that came
// to the file meanwhile was put there by somebody who knew better.
func (p *updatePlan) isOld(key ssh.PublicKey) bool {
	for _, old := range p.old {
		if sameKey(old, key) {
			return true
		}
	}
	return false
}

// missing are the names under which a key is yet to be added.
func (p *updatePlan) missing(have match) []string {
	var names []string
	if have&matchName == 0 {
		names = append(names, p.name)
	}
	if have&matchAddress == 0 && p.address != "" {
		names = append(names, p.address)
	}
	return names
}
