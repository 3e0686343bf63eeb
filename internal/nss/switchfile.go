package nss

import (
	"bufio"
	"io"
	"os"
	"strings"
)

const (
	defaultSwitchFile = "/etc/nsswitch.conf"
	maxSwitchFile     = 64 << 10
)

// sources returns the names of the sources of a database of nsswitch.conf, in
// their order and without the actions in brackets. It is nil if the file or
// the line is missing: then the C library uses files and DNS.
func (r *Resolver) sources(database string) []string {
	name := r.SwitchFile
	if name == "" {
		name = defaultSwitchFile
	}
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxSwitchFile))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		key, rest, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == database {
			return sourceNames(rest)
		}
	}
	return nil
}

// sourceNames takes the actions, such as [!UNAVAIL=return], out of a line.
func sourceNames(line string) []string {
	var plain strings.Builder
	for line != "" {
		before, rest, ok := strings.Cut(line, "[")
		plain.WriteString(before)
		plain.WriteByte(' ')
		if !ok {
			break
		}
		_, line, _ = strings.Cut(rest, "]")
	}
	return strings.Fields(plain.String())
}
