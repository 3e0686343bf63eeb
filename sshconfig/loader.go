package sshconfig

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/gossh-project/gossh/internal/nss"
)

// errBad ends one line that is wrong, errFatal the whole resolution. What they
// mean is in loader.problems by then.
var (
	errBad   = errors.New("bad line")
	errFatal = errors.New("bad configuration")
)

// loader carries one resolution from Options to Config.
type loader struct {
	ctx  context.Context
	opts Options
	uid  int
	env  func(string) (string, bool)
	log  *slog.Logger // nil if nobody listens

	nss nss.Resolver // the user database, and host names unless Options has a Resolver

	rows  []row          // keywordTable
	found map[string]int // rows that lookupKeyword has found, by the name in a file

	st       state
	defaults defaultLine
	logLevel LogLevel // what is said at the moment, before LogLevel is known
	problems []Problem
	failed   bool // a line that counts has been met: keep later ones in order

	host      string // becomes the name to connect to
	original  string // the name as it was given
	wantFinal bool   // a Match asks for the second pass
	givenUser bool   // -l or the destination names the user
	// defaultUser says that nothing sets User: it is the local user.
	defaultUser bool
	verbose     bool // a -v has been seen
	usage       bool // the mistake is one that the usage message explains

	connTokens Tokens  // once everything has been read
	unusable   keyword // a list of algorithms that this program has none of
}

const (
	defaultPort       = 22
	commandLineOrigin = "command-line"

	// followedVersion is the release of OpenSSH whose behaviour this package has.
	followedVersion = "OpenSSH_10.5p1"

	levelDebug1 = slog.LevelDebug
	levelDebug2 = slog.LevelDebug - 1
	levelDebug3 = slog.LevelDebug - 2
)

func newLoader(ctx context.Context, opts Options) *loader {
	l := &loader{ctx: ctx, opts: opts, log: opts.Logger, env: opts.Getenv, logLevel: LogInfo,
		rows: keywordTable[:], found: make(map[string]int)}
	l.st = newState(l.rows)
	l.defaults.block = &block{active: true}
	if l.env == nil {
		l.env = os.LookupEnv
	}
	l.uid = os.Getuid()
	if opts.UID != nil {
		l.uid = *opts.UID
	}
	return l
}

// load runs the resolution in ssh's order.
func (l *loader) load(host string) (*Config, error) {
	err := l.resolve(host)
	if err != nil {
		return nil, l.end(err)
	}
	cfg, err := l.build()
	if err != nil {
		return nil, l.end(err)
	}
	return cfg, nil
}

// end turns the error that stopped the resolution into the caller's.
func (l *loader) end(err error) error {
	switch {
	case errors.Is(err, errBad), errors.Is(err, errFatal):
		return &Error{Problems: l.problems, Usage: l.usage}
	case l.ctx.Err() != nil:
		return context.Cause(l.ctx)
	}
	return err
}

func (l *loader) resolve(host string) error {
	if err := l.identifyUser(); err != nil {
		return err
	}
	l.original, l.host = host, host
	if err := l.commandLine(); err != nil {
		return err
	}
	if err := l.checkCommandLine(); err != nil {
		return err
	}
	level := l.logLevel
	if v := l.st.get(kwLogLevel); v.set {
		level = LogLevel(v.n)
	}
	if l.opts.Begin != nil {
		if err := l.opts.Begin(level); err != nil {
			return err
		}
	}
	l.logLevel = level
	if err := l.readFiles(false); err != nil {
		return err
	}
	if l.wantFinal {
		l.debug(levelDebug1, "configuration requests final Match pass")
	}
	if err := l.canonicalize(); err != nil {
		return err
	}
	if l.st.get(kwCanonicalizeHostname).text != string(CanonicalizeNo) && !l.wantFinal {
		l.debug(levelDebug1, "hostname canonicalisation enabled, will re-parse configuration")
		l.wantFinal = true
	}
	if l.wantFinal {
		l.debug(levelDebug1, "re-parsing configuration")
		v := l.st.get(kwHostName)
		v.set, v.text = true, l.host
		if err := l.readFiles(true); err != nil {
			return err
		}
	}
	return l.finish()
}

// identifyUser fills in what Options leaves to the system.
func (l *loader) identifyUser() error {
	o := &l.opts
	if o.Home == "" || o.LocalUser == "" {
		u, err := l.nss.LookupUID(l.ctx, os.Getuid())
		if cause := context.Cause(l.ctx); err != nil && cause != nil {
			return cause
		}
		if err != nil {
			l.failed = true
			l.say(origin{}, LogInfo, "No user exists for uid %d", l.uid)
			return errFatal
		}
		if o.Home == "" {
			o.Home = u.HomeDir
		}
		if o.LocalUser == "" {
			o.LocalUser = u.Username
			if runtime.GOOS == "windows" {
				o.LocalUser = u.Username[strings.LastIndexByte(u.Username, '\\')+1:]
			}
		}
	}
	if o.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("gethostname: %w", err)
		}
		o.Hostname = name
	}
	if o.Version == "" {
		o.Version = followedVersion
	}
	if o.SystemFile == "" {
		o.SystemFile = filepath.Join(systemDir(l.env), "ssh_config")
	}
	if o.Resolver == nil {
		o.Resolver = &l.nss
	}
	return nil
}

// systemDir is where the system's files are.
func systemDir(env func(string) (string, bool)) string {
	if runtime.GOOS == "windows" {
		if dir, ok := env("ProgramData"); ok {
			return filepath.Join(dir, "ssh")
		}
	}
	return "/etc/ssh"
}

// readFiles reads every file of one pass. With -F the other files are not
// read, and the one it names must exist.
func (l *loader) readFiles(final bool) error {
	flags := readFlags{final: final}
	userFlags := flags
	userFlags.user = true

	if own := l.ownFile(); own != "" {
		f := userFlags
		f.checkPerm, f.ownFile = true, true
		if _, err := l.readFile(own, f); err != nil {
			return err
		}
	}
	if l.opts.UserFile != "" {
		if strings.EqualFold(l.opts.UserFile, "none") {
			return nil
		}
		openErr, err := l.readFile(l.opts.UserFile, userFlags)
		if err != nil {
			return err
		}
		if openErr != nil {
			return l.fatal("", 0, "Can't open user config file %.100s: %.100s", l.opts.UserFile, errnoText(openErr))
		}
		return nil
	}
	userFlags.checkPerm = true
	if _, err := l.readFile(filepath.Join(l.opts.Home, ".ssh", "config"), userFlags); err != nil {
		return err
	}
	_, err := l.readFile(l.opts.SystemFile, flags)
	return err
}

// ownFile is the file for this program's own keywords, or "".
func (l *loader) ownFile() string {
	switch {
	case strings.EqualFold(l.opts.GosshFile, "none"):
		return ""
	case l.opts.GosshFile != "":
		return l.opts.GosshFile
	case l.opts.UserFile != "":
		return ""
	}
	return filepath.Join(l.opts.Home, ".ssh", "gossh_config")
}

// checkCommandLine refuses names that could become something else once they
// are part of a command. Names from files are the user's own affair.
func (l *loader) checkCommandLine() error {
	if v := l.st.get(kwUser); v.set && !validUser(v.text) {
		return l.fatal("", 0, "remote username contains invalid characters")
	}
	if !validHost(l.original) {
		return l.fatal("", 0, "hostname contains invalid characters")
	}
	if l.opts.Command == "" && l.st.get(kwSessionType).is("subsystem") {
		l.usage = true
		return l.printed("You must specify a subsystem to invoke.")
	}
	return nil
}

// validHost and validUser are the checks that keep shell metacharacters out
// of ProxyCommand, Match exec and LocalCommand.
func validHost(s string) bool {
	if strings.HasPrefix(s, "-") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if isCntrl(s[i]) || s[i] == ' ' || strings.IndexByte("'`\"$\\;&<>|(){},", s[i]) >= 0 {
			return false
		}
	}
	return true
}

func validUser(s string) bool {
	if strings.HasPrefix(s, "-") {
		return false
	}
	for i := 0; i < len(s); i++ {
		last := i+1 == len(s)
		switch c := s[i]; {
		case isCntrl(c), strings.IndexByte("'`\";&<>|(){}", c) >= 0:
			return false
		case c == ' ' && !last && s[i+1] == '-', c == '\\' && last:
			return false
		}
	}
	return true
}

func isCntrl(c byte) bool { return c < ' ' || c == 0x7f }

// say records a line that ssh prints without giving up, unless the log level
// hides it. LogQuiet is for what ssh prints without its log.
func (l *loader) say(at origin, level LogLevel, format string, a ...any) {
	if l.logLevel < level {
		return
	}
	p := Problem{File: at.file, Line: at.line, Text: fmt.Sprintf(format, a...), Level: level}
	if level != LogQuiet {
		p.Text = visibleText(p.Text)
	}
	if l.failed {
		l.problems = append(l.problems, p)
	} else if l.opts.Warn != nil {
		l.opts.Warn(p)
	}
}

// bad records a line that counts as wrong and returns errBad.
func (l *loader) bad(file string, line int, format string, a ...any) error {
	l.failed = true
	l.say(origin{file, line}, LogError, format, a...)
	return errBad
}

// fatal records the line that ends the resolution and returns errFatal.
func (l *loader) fatal(file string, line int, format string, a ...any) error {
	l.failed = true
	l.say(origin{file, line}, LogFatal, format, a...)
	return errFatal
}

// printed is fatal for the few lines that ssh prints without its log.
func (l *loader) printed(format string, a ...any) error {
	l.failed = true
	l.say(origin{file: commandLineOrigin}, LogQuiet, format, a...)
	return errFatal
}

// debug passes a line of -v to the logger. Callers that would have to compute
// something for it ask debugging first.
func (l *loader) debug(level slog.Level, format string, a ...any) {
	if l.debugging(level) {
		l.log.Log(l.ctx, level, visibleText(fmt.Sprintf(format, a...)))
	}
}

func (l *loader) debugging(level slog.Level) bool {
	return l.log != nil && l.log.Enabled(l.ctx, level)
}

// uidText is %i.
func (l *loader) uidText() string { return strconv.Itoa(l.uid) }
