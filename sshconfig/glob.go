package sshconfig

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// includeLine reads the files that an Include names. What their Host and Match
// lines decide ends with them.
func (l *loader) includeLine(d *directive) error {
	if d.commandLine {
		return l.plain(d, "Include directive not supported as a command-line option")
	}
	for {
		arg, more := d.args.next()
		if !more {
			break
		}
		if arg == "" {
			return l.badLine(d, "keyword %s empty argument", d.keyword)
		}
		files, err := l.includeFiles(d, arg)
		if err != nil {
			return err
		}
		active := d.active
		for _, file := range files {
			l.debugLine(d, levelDebug3, "Including file %s depth %d%s", file, d.depth, parseOnly(active))
			b := &block{file: file, active: active, flags: d.flags, depth: d.depth + 1}
			b.flags.checkPerm = true
			b.flags.neverMatch = b.flags.neverMatch || !active
			openErr, err := l.readBlock(b)
			if err != nil {
				return err
			}
			// A file that has vanished, or a link that leads nowhere, is passed over.
			if openErr != nil && !os.IsNotExist(openErr) {
				return l.badLine(d, "Can't open user config file %.100s: %.100s", file, errnoText(openErr))
			}
		}
	}
	return nil
}

func parseOnly(active bool) string {
	if active {
		return ""
	}
	return " (parse only)"
}

// plain is badLine for the messages that do not say where they come from.
func (l *loader) plain(d *directive, format string, a ...any) error {
	return l.bad(d.file, d.line, format, a...)
}

// includeFiles returns the files that one argument of Include stands for, with
// tokens and variables expanded. An argument with a variable that is not set is
// reported and stands for no file.
func (l *loader) includeFiles(d *directive, arg string) ([]string, error) {
	host, err := l.hostSoFar(d.flags.final)
	if err != nil {
		return nil, err
	}
	path, err := expand(arg, l.earlyTokens(host), l.env)
	if l.reportExpansion(err) {
		l.badLine(d, "Unable to expand user config file '%.100s'", arg)
		return nil, nil
	}
	if err != nil {
		return nil, l.fatal("", 0, "percent_dollar_expand: failed")
	}
	arg = path
	if strings.HasPrefix(arg, "~") && !d.flags.user {
		return nil, l.badLine(d, "bad include path %s.", arg)
	}
	if files := l.glob(l.anchor(d, arg)); len(files) > 0 {
		return files, nil
	}
	shown := arg
	if !strings.HasPrefix(arg, "~") && !strings.HasPrefix(arg, "/") && d.flags.user {
		shown = "~/.ssh/" + arg
	}
	l.debugLine(d, levelDebug1, "include %s matched no files", shown)
	return nil, nil
}

// anchor makes a relative path one below ~/.ssh or the system's directory, and
// expands a ~.
func (l *loader) anchor(d *directive, path string) string {
	absolute := strings.HasPrefix(path, "/") || runtime.GOOS == "windows" && filepath.IsAbs(path)
	switch {
	case absolute:
		return path
	case !strings.HasPrefix(path, "~") && d.flags.user:
		return filepath.Join(l.opts.Home, ".ssh") + "/" + path
	case !strings.HasPrefix(path, "~"):
		return filepath.Dir(l.opts.SystemFile) + "/" + path
	}
	if expanded, err := l.joinHome(path); err == nil {
		return expanded
	}
	return path // an unknown user: glob(3) takes the text as it stands
}

// glob returns the existing files that a pattern of glob(7) matches, sorted by
// their bytes. Unlike filepath.Glob it knows [!…], and its wildcards do not
// match a dot at the start of a name.
func (l *loader) glob(pattern string) []string {
	pattern = filepath.ToSlash(pattern) // on Windows a backslash escapes nothing
	if !strings.ContainsAny(pattern, wildcards) {
		if _, err := os.Lstat(pattern); err != nil {
			return nil
		}
		return []string{pattern}
	}
	directory := strings.HasSuffix(pattern, "/")
	dirs := []string{""}
	if strings.HasPrefix(pattern, "/") {
		dirs[0] = "/"
	}
	parts := strings.FieldsFunc(pattern, func(r rune) bool { return r == '/' })
	for i, part := range parts {
		var next []string
		for _, dir := range dirs {
			next = append(next, globIn(dir, part, directory || i < len(parts)-1)...)
		}
		if dirs = next; len(dirs) == 0 {
			return nil
		}
	}
	return dirs
}

// wildcards are the characters that make a pattern of a name.
const wildcards = `*?[\`

// globIn returns what part matches in dir, joined to it. With more parts to
// come, what it returns ends in a slash.
func globIn(dir, part string, more bool) []string {
	slash := ""
	if more {
		slash = "/"
	}
	if !strings.ContainsAny(part, wildcards) {
		if _, err := os.Lstat(dir + part + slash); err != nil {
			return nil
		}
		return []string{dir + part + slash}
	}
	where := dir
	if where == "" {
		where = "."
	}
	entries, err := os.ReadDir(where) // sorted by name
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if name[0] == '.' && part[0] != '.' && !strings.HasPrefix(part, `\.`) || !fnmatch(part, name) {
			continue
		}
		if more {
			if st, err := os.Stat(dir + name); err != nil || !st.IsDir() {
				continue
			}
		}
		found = append(found, dir+name+slash)
	}
	return found
}

// fnmatch matches a name against a pattern of glob(7). It backtracks to the
// last * only, so its time is bounded.
func fnmatch(pattern, name string) bool {
	p, n := 0, 0
	star, from := -1, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, n
			p++
			continue
		}
		if width, ok := matchOne(pattern[p:], name[n]); ok {
			p += width
			n++
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, n = star+1, from
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches one byte against the start of a pattern that is no * and
// returns how much of the pattern that took.
func matchOne(pattern string, c byte) (width int, ok bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == c
		}
	case '[':
		if width, ok, closed := matchClass(pattern, c); closed {
			return width, ok
		}
	}
	return 1, pattern[0] == c
}

// matchClass matches a byte against [abc], [a-z] or [!abc]. closed is false
// if there is no ] and the bracket stands for itself.
func matchClass(pattern string, c byte) (width int, ok, closed bool) {
	i := 1
	not := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if not {
		i++
	}
	in := false
	for first := true; i < len(pattern); first = false {
		lo := pattern[i]
		if lo == ']' && !first {
			return i + 1, in != not, true
		}
		if lo == '\\' && i+1 < len(pattern) {
			i++
			lo = pattern[i]
		}
		hi := lo
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			hi = pattern[i+2]
			i += 2
		}
		in = in || lo <= c && c <= hi
		i++
	}
	return 0, false, false
}
