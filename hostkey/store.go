package hostkey

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// Entry is a known_hosts line for a host.
type Entry struct {
	Location
	Marker Marker
	Hosts  string // the host field as it stands in the file
	Hashed bool
	Key    ssh.PublicKey

	// fromCommand: KnownHostsCommand printed it, so there is nothing on disk
	// to change.
	fromCommand bool
}

// Lookup returns the lines of all files that match a name in the form of
// known_hosts ("host", "[host]:2222", an address), in the order in which ssh reads
// them. Lines that cannot be parsed are reported and left out.
func (c *Checker) Lookup(name string) []Entry {
	return c.read().find(strings.ToLower(name))
}

// source is the text of one file or of one run of KnownHostsCommand.
type source struct {
	name        string
	text        string
	fromCommand bool
}

// view is what the files held at one moment: a Check looks up several names in
// the same text and tells of a bad line once.
type view struct {
	opts    *Options
	sources []source
	told    map[Location]bool
	// shut is the first file that is there and could not be opened, if any.
	shut *FileUnreadable
}

// read loads the user's files, then the global ones. ssh reads a file that
// is in both lists twice; it makes no difference to the outcome.
func (c *Checker) read() *view {
	v := &view{opts: &c.opts, told: make(map[Location]bool)}
	for _, file := range slices.Concat(c.opts.UserFiles, c.opts.GlobalFiles) {
		v.load(file)
	}
	return v
}

// readUser loads the user's files alone.
func (c *Checker) readUser() *view {
	v := &view{opts: &c.opts, told: make(map[Location]bool)}
	for _, file := range c.opts.UserFiles {
		v.load(file)
	}
	return v
}

// load adds a file; a missing one is empty, an unreadable one is told of.
func (v *view) load(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			e := FileUnreadable{File: file, Err: err}
			v.opts.Notify(e)
			// A folder opens, and reads as empty.
			if path := (*fs.PathError)(nil); v.shut == nil && errors.As(err, &path) && path.Op == "open" {
				v.shut = &e
			}
		}
		return
	}
	v.sources = append(v.sources, source{name: file, text: string(text)})
}

// withCommand is the view extended by what KnownHostsCommand prints.
func (v *view) withCommand(ctx context.Context, req CommandRequest) (*view, error) {
	if v.opts.KnownHostsCommand == nil {
		return v, nil
	}
	out, err := v.opts.KnownHostsCommand(ctx, req)
	var failed *CommandError
	switch {
	case errors.As(err, &failed):
		return nil, failed
	case err != nil:
		return nil, &CommandError{Purpose: req.Purpose, Err: err}
	}
	extended := *v
	extended.sources = append(slices.Clip(v.sources), source{
		name: "KnownHostsCommand-" + string(req.Purpose), text: string(out), fromCommand: true,
	})
	return &extended, nil
}

// lines yields the lines of a text that are neither blank nor comments; err
// is set for one with a bad marker.
func lines(text string) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		num := 0
		for raw := range strings.Lines(text) {
			num++
			l, ok, err := parseLine(strings.TrimSuffix(raw, "\n"), num)
			if ok && !yield(l, err) {
				return
			}
		}
	}
}

// find returns the entries for a name in lower case. The key of a line is
// decoded only if its names match.
func (v *view) find(name string) []Entry {
	var found []Entry
	for _, src := range v.sources {
		for l, err := range lines(src.text) {
			matched := false
			if err == nil {
				matched, err = l.matches(name)
			}
			if err == nil && !matched {
				continue
			}
			var e Entry
			if err == nil {
				e, err = src.entry(l)
			}
			if err != nil {
				v.bad(src, l, err)
				continue
			}
			found = append(found, e)
		}
	}
	return found
}

// entry decodes a line's key.
func (s *source) entry(l line) (Entry, error) {
	key, err := l.publicKey()
	if err != nil {
		return Entry{}, err
	}
	return Entry{
		Location:    Location{File: s.name, Line: l.num, KeyType: KeyType(key)},
		Marker:      l.marker,
		Hosts:       l.hosts,
		Hashed:      l.hashed(),
		Key:         key,
		fromCommand: s.fromCommand,
	}, nil
}

// bad tells of a line that was skipped, once a view.
func (v *view) bad(src source, l line, err error) {
	where := Location{File: src.name, Line: l.num}
	if v.told[where] {
		return
	}
	v.told[where] = true
	v.opts.Notify(BadLine{File: src.name, Line: l.num, Err: err})
}

// withKey yields the lines that hold exactly this key, whatever their names:
// the base64 text is searched for first, so that nothing else is decoded.
func (v *view) withKey(key ssh.PublicKey) iter.Seq2[Entry, line] {
	b64 := base64.StdEncoding.EncodeToString(key.Marshal())
	return func(yield func(Entry, line) bool) {
		for _, src := range v.sources {
			for l, err := range lines(src.text) {
				if err != nil || !strings.Contains(l.key, b64) {
					continue
				}
				e, err := src.entry(l)
				if err != nil || !sshkey.Same(e.Key, key) {
					continue
				}
				if !yield(e, l) {
					return
				}
			}
		}
	}
}

// otherNames lists the lines that have the key under neither of the names.
func (v *view) otherNames(key ssh.PublicKey, name, address string) []OtherName {
	var others []OtherName
	for e, l := range v.withKey(key) {
		if e.Marker != MarkerNone || e.fromCommand {
			continue
		}
		if ok, err := l.matches(name); ok || err != nil {
			continue
		}
		if ok, _ := l.matches(address); ok && address != "" {
			continue
		}
		others = append(others, OtherName{Location: e.Location, Hosts: e.Hosts, Hashed: e.Hashed})
	}
	return others
}
