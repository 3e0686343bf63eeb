//go:build unix

package sshconfig

import (
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// securePermissions reports whether nobody but uid and root can change a
// configuration file.
//
// Like Debian's ssh, and unlike that of others, it lets a group write whose
// only member is the user: their umask of 002 makes such files.
func securePermissions(st fs.FileInfo, uid int) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || sys.Uid != 0 && int(sys.Uid) != uid {
		return false
	}
	mode := st.Mode().Perm()
	if mode&0o002 != 0 {
		return false
	}
	return mode&0o020 == 0 || runtime.GOOS == "linux" && privateGroup(sys.Gid, sys.Uid, uid)
}

// privateGroup reports whether the owner, who must be uid, is the only member
// of a group.
func privateGroup(gid, owner uint32, uid int) bool {
	members := 0
	var ownerName string
	for f := range databaseLines("/etc/passwd") {
		if len(f) < 4 {
			continue
		}
		if f[2] == strconv.FormatUint(uint64(owner), 10) {
			ownerName = f[0]
		}
		if f[3] == strconv.FormatUint(uint64(gid), 10) {
			members++
			if f[2] != strconv.Itoa(uid) {
				return false
			}
		}
	}
	for f := range databaseLines("/etc/group") {
		if len(f) < 4 || f[2] != strconv.FormatUint(uint64(gid), 10) {
			continue
		}
		if f[3] != "" {
			members++
			if ownerName == "" || f[3] != ownerName {
				return false
			}
		}
		return ownerName != "" && members > 0
	}
	return false
}

// databaseLines yields the fields of each line of passwd(5) or group(5).
func databaseLines(name string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		text, err := os.ReadFile(name)
		if err != nil {
			return
		}
		for line := range strings.Lines(string(text)) {
			if !yield(strings.Split(strings.TrimSuffix(line, "\n"), ":")) {
				return
			}
		}
	}
}
