package sshconfig

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"
)

// readFlags says how a file is read.
type readFlags struct {
	user       bool // the user's configuration: ~ may be used in Include
	final      bool // the second pass
	checkPerm  bool // refuse a file that others can change
	neverMatch bool // included from a block that does not apply: check, change nothing
	ownFile    bool // our own file, which OpenSSH does not know
}

// block is where reading has got to in one file.
type block struct {
	file   string
	line   int
	active bool // the Host or Match block applies
	flags  readFlags
	depth  int // of Include
}

// directive is one line on its way through the parser.
type directive struct {
	*block
	keyword     string // in lower case, as it was written
	row         *row   // nil if IgnoreUnknown names the keyword
	index       int    // of the row
	rest        string // the arguments, unsplit
	args        args
	commandLine bool
}

// readFile reads a whole file with depth 0. openErr says that it could not be
// opened; err that the resolution ends.
func (l *loader) readFile(name string, flags readFlags) (openErr, err error) {
	b := &block{file: name, active: true, flags: flags}
	return l.readBlock(b)
}

// readBlock reads the file of b and leaves in b.active what its last block
// made of it. Lines that are wrong are all reported before it gives up.
func (l *loader) readBlock(b *block) (openErr, err error) {
	if b.depth > maxDepth {
		return nil, l.fatal("", 0, "Too many recursive configuration includes")
	}
	text, openErr, err := l.slurp(b)
	if openErr != nil || err != nil {
		return openErr, err
	}
	l.debug(levelDebug1, "Reading configuration data %.200s", b.file)
	wrong := 0
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		b.line++
		switch err := l.processLine(b, line, false); {
		case errors.Is(err, errBad):
			wrong++
		case err != nil:
			return nil, err
		}
	}
	if wrong > 0 {
		return nil, l.fatal(b.file, 0, "%s: terminating, %d bad configuration options", b.file, wrong)
	}
	return nil, nil
}

// slurp opens, checks and reads a file. A directory opens but has no lines, as
// it does for fopen(3).
func (l *loader) slurp(b *block) (text string, openErr, err error) {
	f, err := os.Open(b.file)
	if err != nil {
		return "", err, nil
	}
	defer f.Close()
	if b.flags.checkPerm {
		st, err := f.Stat()
		if err != nil {
			return "", nil, l.fatal("", 0, "fstat %s: %s", b.file, errnoText(err))
		}
		if !securePermissions(st, l.uid) {
			return "", nil, l.fatal("", 0, "Bad owner or permissions on %s", b.file)
		}
	}
	var out strings.Builder
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
		out.Grow(int(min(st.Size(), 1<<20)) + 1)
	}
	// A read error ends the file where it happens.
	_, _ = io.Copy(&out, f)
	return out.String(), nil, nil
}

// errnoText is strerror(3) of the error of a system call.
func errnoText(err error) string {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "No such file or directory"
	case errors.Is(err, fs.ErrPermission):
		return "Permission denied"
	case errors.As(err, &errno):
		// Go writes the same words as the C library, in lower case.
		text := errno.Error()
		return strings.ToUpper(text[:1]) + text[1:]
	}
	return err.Error()
}

// processLine reads one line. errBad is a line that counts as wrong.
func (l *loader) processLine(b *block, line string, commandLine bool) error {
	if line == "" {
		return nil
	}
	keyword, rest, ok := splitKeyword(trimLine(line))
	if !ok {
		return nil
	}
	d := &directive{block: b, keyword: keyword, rest: rest, commandLine: commandLine}
	if rest == "" {
		return l.badLine(d, "no argument after keyword \"%s\"", keyword)
	}
	known := l.identify(d)
	if d.args, ok = splitArgs(rest, true); !ok {
		return l.badLine(d, "invalid quotes")
	}
	if !known {
		return errBad // identify has said so
	}
	if err := l.process(d); err != nil {
		return err
	}
	if len(d.args) > 0 {
		return l.badLine(d, "keyword %s extra arguments at end of line", keyword)
	}
	return nil
}

// identify finds the row of a line's keyword. It reports a keyword that is
// neither known nor to be ignored.
func (l *loader) identify(d *directive) (known bool) {
	i, cached := l.found[d.keyword]
	if !cached {
		i = lookupKeyword(l.rows, d.keyword)
		l.found[d.keyword] = i
	}
	// The program's own keywords are unknown in OpenSSH's files, since a file
	// with them would stop ssh.
	if i >= 0 && (!l.rows[i].own || d.commandLine || d.flags.ownFile) {
		d.row, d.index = &l.rows[i], i
		return true
	}
	if unknown := l.st.get(kwIgnoreUnknown); unknown.set && matchList(d.keyword, unknown.text, true) == matched {
		return true
	}
	l.bad(d.file, d.line, "%s: line %d: Bad configuration option: %s", d.file, d.line, d.keyword)
	return false
}

// badLine reports what is wrong with a line, in the usual form.
func (l *loader) badLine(d *directive, format string, a ...any) error {
	return l.bad(d.file, d.line, "%s line %d: "+format, append([]any{d.file, d.line}, a...)...)
}

// fatalLine is badLine for what ends the resolution at once.
func (l *loader) fatalLine(d *directive, format string, a ...any) error {
	return l.fatal(d.file, d.line, "%s line %d: "+format, append([]any{d.file, d.line}, a...)...)
}

// debugLine is badLine for a line of -v.
func (l *loader) debugLine(d *directive, level slog.Level, format string, a ...any) {
	if l.debugging(level) {
		l.debug(level, "%s line %d: "+format, append([]any{d.file, d.line}, a...)...)
	}
}
