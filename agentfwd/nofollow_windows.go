package agentfwd

import (
	"io/fs"
	"os"
)

// openNoFollow opens a file that is not a link. To make a link on Windows takes
// a privilege, so a look at the name beforehand does.
func openNoFollow(path string, flags int, mode fs.FileMode) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	return os.OpenFile(path, flags, mode)
}

// ownFile is true: the folder's permissions decide.
func ownFile(fs.FileInfo) bool { return true }
