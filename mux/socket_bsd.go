//go:build darwin || freebsd

package mux

// temporaryName returns where a socket for path is bound first, twice, as only
// Linux has a shorter address for it.
func temporaryName(path, random string) (name, address string, done func(), err error) {
	if err := checkPath(path, suffix); err != nil {
		return "", "", nil, err
	}
	name = path + "." + random
	return name, name, func() {}, nil
}
