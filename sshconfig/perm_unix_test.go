//go:build unix

package sshconfig

import (
	"io/fs"
	"syscall"
	"testing"
	"time"
)

// fileInfo is a file with an owner, a group and a mode.
type fileInfo struct {
	uid, gid uint32
	mode     fs.FileMode
}

func (f fileInfo) Name() string       { return "config" }
func (f fileInfo) Size() int64        { return 0 }
func (f fileInfo) Mode() fs.FileMode  { return f.mode }
func (f fileInfo) ModTime() time.Time { return time.Time{} }
func (f fileInfo) IsDir() bool        { return false }
func (f fileInfo) Sys() any           { return &syscall.Stat_t{Uid: f.uid, Gid: f.gid} }

func TestSecurePermissions(t *testing.T) {
	const me = 4242
	for _, tt := range []struct {
		f    fileInfo
		want bool
	}{
		{fileInfo{me, me, 0o600}, true},
		{fileInfo{me, me, 0o644}, true},
		{fileInfo{0, 0, 0o644}, true},
		{fileInfo{me, me, 0o602}, false},
		{fileInfo{me, me, 0o620}, false}, // nobody is in that group
		{fileInfo{me + 1, me, 0o600}, false},
		{fileInfo{0, 0, 0o666}, false},
	} {
		if got := securePermissions(tt.f, me); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.f, got, tt.want)
		}
	}
}
