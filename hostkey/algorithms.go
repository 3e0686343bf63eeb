package hostkey

import (
	"context"
	"slices"
)

// Algorithms returns the order of HostKeyAlgorithms for the key exchange, so that
// the server is asked for a key that is known. isDefault means that list is the
// built-in list, possibly changed by + or -. Any other list is returned unchanged.
// The error is the one of KnownHostsCommand.
func (c *Checker) Algorithms(ctx context.Context, t Target, list []string, isDefault bool) ([]string, error) {
	if !isDefault || len(list) == 0 {
		return slices.Clone(list), nil
	}
	name := t.Name()
	// For the order ssh's %H is the host itself, without alias and port.
	v, err := c.read().withCommand(ctx, CommandRequest{Purpose: PurposeOrder, Host: t.Host})
	if err != nil {
		return nil, err
	}
	entries := v.find(name)
	// Only the first key of a type counts, and only if it is not revoked.
	known := func(algorithm string) bool {
		format := plainFormat(algorithm)
		if c.opts.hasEarlier(format) {
			return true // a server that has got further keys shows the same one again
		}
		i := slices.IndexFunc(entries, func(e Entry) bool {
			return e.Marker == MarkerNone && e.Key.Type() == format
		})
		return i >= 0 && compare(entries, entries[i].Key).status == keyOK
	}
	// If there is a key for the favourite, the whole list may stay as it is: a
	// certificate would be taken down to its key where necessary.
	if known(list[0]) {
		return slices.Clone(list), nil
	}
	anyCA := slices.ContainsFunc(entries, func(e Entry) bool { return e.Marker == MarkerCA })
	var first, last []string
	for _, algorithm := range list {
		if anyCA && isCertAlgorithm(algorithm) || known(algorithm) {
			first = append(first, algorithm)
		} else {
			last = append(last, algorithm)
		}
	}
	if len(first) > 0 {
		c.opts.Logger.DebugContext(ctx, "prefer hostkeyalgs", "list", first)
	}
	return append(first, last...), nil
}
