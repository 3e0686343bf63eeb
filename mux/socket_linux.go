package mux

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// temporaryName returns where a socket for path is bound first, the socket
// address for that, and a function that ends the validity of the address. Where
// the name does not fit into an address, it is reached through a descriptor of
// its folder.
func temporaryName(path, random string) (name, address string, done func(), err error) {
	if checkPath(path, suffix) == nil {
		name = path + "." + random
		return name, name, func() {}, nil
	}
	folder := filepath.Dir(path)
	dir, err := unix.Open(folder, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", "", nil, fmt.Errorf("mux: the folder of the control socket: %w", err)
	}
	done = func() { unix.Close(dir) }
	return filepath.Join(folder, random), fmt.Sprintf("/proc/self/fd/%d/%s", dir, random), done, nil
}
