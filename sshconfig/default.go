package sshconfig

import (
	"cmp"
	"context"
	"os"
	"reflect"
	"strconv"
)

// Default returns the Config that an empty configuration gives for user at
// host, for programs that configure a connection in code. An empty user means
// the local one. Default reads no configuration file, and the Config belongs to
// the caller, who may set its fields before it is used:
//
//	cfg := sshconfig.Default("db.example.com", "deploy")
//	cfg.Port = 2222
//	cfg.ProxyJump = []sshconfig.JumpHost{{Host: "gate.example.com"}}
//
// Fields are used as they are: tokens, ~ and ${ENV} are not expanded, except in
// KnownHostsCommand and LocalCommand, whose tokens follow the fields. A program
// that sets HostKeyAlgorithms and wants that order to count also clears
// HostKeyAlgorithmsByFile.
//
// The home directory is $HOME and the local user $USER; the user database is
// asked only for what the environment does not have. [Config.IsSet] reports
// whether a field differs from its default, [Config.Origin] reports no origin,
// and [Config.Dump] returns [ErrNotLoaded].
func Default(host, user string) *Config {
	l := newLoader(context.Background(), Options{})
	l.identifyLocally()
	l.original, l.host = host, host
	if user != "" {
		l.putWord(kwUser, user)
		l.givenUser = true
	}
	c, err := l.resolveDefaults()
	if err != nil {
		// The defaults are constants that expand for every host and user.
		panic("sshconfig: " + l.end(err).Error())
	}
	base := *c
	c.res.base = &base
	return c
}

// resolveDefaults is resolve and build without a command line or files.
func (l *loader) resolveDefaults() (*Config, error) {
	if err := l.canonicalize(); err != nil {
		return nil, err
	}
	if err := l.finish(); err != nil {
		return nil, err
	}
	return l.build()
}

// identifyLocally is identifyUser from the environment. It never fails: a
// process may have no entry in the user database.
func (l *loader) identifyLocally() {
	o := &l.opts
	o.Home, _ = os.UserHomeDir()
	for _, name := range [...]string{"USER", "LOGNAME", "USERNAME"} {
		if o.LocalUser == "" {
			o.LocalUser = os.Getenv(name)
		}
	}
	o.Hostname, _ = os.Hostname()
	o.Hostname = cmp.Or(o.Hostname, "localhost")
	if l.identifyUser() != nil {
		o.Home = cmp.Or(o.Home, "/")
		o.LocalUser = cmp.Or(o.LocalUser, strconv.Itoa(l.uid))
		l.failed, l.problems = false, nil
		_ = l.identifyUser() // fills in the rest, without a look at the database
	}
}

// inCode reports whether Default has made the Config.
func (c *Config) inCode() bool { return c.res != nil && c.res.base != nil }

// changed reports whether the program has set the field of a row.
func (c *Config) changed(r *row) bool {
	return r.field != nil && !reflect.DeepEqual(r.field(c), r.field(c.res.base))
}

// tokensInCode returns the connection's tokens as the fields have them now.
func (c *Config) tokensInCode() Tokens {
	t := c.res.tokens
	at := connection{host: c.HostName, original: c.Host, user: c.User, port: c.Port,
		alias: cmp.Or(lowerASCII(c.HostKeyAlias), c.Host)}
	if n := len(c.ProxyJump); n > 0 {
		at.jump = c.ProxyJump[n-1].Host
	}
	return at.tokens(machine{hostname: t['l'], home: t['d'], uid: t['i'], user: t['u']})
}
