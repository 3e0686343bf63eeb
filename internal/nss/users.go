package nss

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPasswdFile = "/etc/passwd"
	maxPasswdLine     = 64 << 10
)

// LookupUser finds a user by name. The error is a user.UnknownUserError if
// there is none.
func (r *Resolver) LookupUser(ctx context.Context, name string) (*user.User, error) {
	if !r.hasSwitch() {
		return user.Lookup(name)
	}
	u, err := r.lookup(ctx, name, func(u *user.User) bool { return u.Username == name })
	if errors.Is(err, errNotFound) || errors.Is(err, errUnavailable) {
		return nil, user.UnknownUserError(name)
	}
	return u, err
}

// LookupUID finds a user by number. The error is a user.UnknownUserIdError if
// there is none.
//
// Where getent should be asked and cannot be run, the user of this process is
// described by the environment, as in os/user.
func (r *Resolver) LookupUID(ctx context.Context, uid int) (*user.User, error) {
	id := strconv.Itoa(uid)
	if !r.hasSwitch() {
		return currentOr(uid, id)
	}
	u, err := r.lookup(ctx, id, func(u *user.User) bool { return u.Uid == id })
	switch {
	case errors.Is(err, errUnavailable):
		return currentOr(uid, id)
	case errors.Is(err, errNotFound):
		return nil, user.UnknownUserIdError(uid)
	}
	return u, err
}

// currentOr asks os/user.
func currentOr(uid int, id string) (*user.User, error) {
	if uid == os.Getuid() {
		return user.Current()
	}
	return user.LookupId(id)
}

// hasSwitch reports whether users come from sources of nsswitch.conf. They do
// not where there is no such file.
func (r *Resolver) hasSwitch() bool {
	if r.SwitchFile != "" {
		return true
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return false
	}
	_, err := os.Stat(defaultSwitchFile)
	return err == nil
}

// lookup reads the passwd file where nsswitch.conf has it, and asks getent only
// for what comes before it, or if the user is not in it.
func (r *Resolver) lookup(ctx context.Context, key string, is func(*user.User) bool) (*user.User, error) {
	sources := r.sources("passwd")
	if len(sources) == 0 {
		sources = []string{"files"}
	}
	// compat is the file, too, with lines that ask for more.
	first := sources[0] == "files" || sources[0] == "compat"
	if first {
		if u := r.inPasswdFile(is); u != nil {
			return u, nil
		}
	}
	if !slices.ContainsFunc(sources, func(s string) bool { return s != "files" }) {
		return nil, errNotFound
	}
	out, err := r.getent(ctx, nil, "passwd", key)
	if errors.Is(err, errUnavailable) && !first {
		if u := r.inPasswdFile(is); u != nil {
			return u, nil
		}
	}
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(out), "\n")
	u := parsePasswd(line)
	// getent takes a name of digits for a number. Other names may be answered
	// by another form of the same user's name.
	if u == nil || isNumber(key) && !is(u) {
		return nil, errNotFound
	}
	return u, nil
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// inPasswdFile returns the first user of the file for whom is holds.
func (r *Resolver) inPasswdFile(is func(*user.User) bool) *user.User {
	name := r.PasswdFile
	if name == "" {
		name = defaultPasswdFile
	}
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxPasswdLine)
	for lines.Scan() {
		if u := parsePasswd(lines.Text()); u != nil && is(u) {
			return u
		}
	}
	return nil
}

// parsePasswd reads a line of passwd(5). It is nil for anything else, such as
// the lines of compat that begin with a plus.
func parsePasswd(line string) *user.User {
	fields := strings.Split(line, ":")
	if len(fields) < 6 || fields[0] == "" || strings.HasPrefix(fields[0], "+") || strings.HasPrefix(fields[0], "-") {
		return nil
	}
	if _, err := strconv.ParseUint(fields[2], 10, 32); err != nil {
		return nil
	}
	name, _, _ := strings.Cut(fields[4], ",")
	return &user.User{Username: fields[0], Uid: fields[2], Gid: fields[3], Name: name, HomeDir: fields[5]}
}
