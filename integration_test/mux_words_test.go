//go:build linux

package integration_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestMuxForwardWords: a master says of a forwarding that a client asks for in
// vain what ssh's says.
func TestMuxForwardWords(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "PermitListen 127.0.0.1:1\n")
	held := taken(t, false)
	path := filepath.Join(w.home, "nowhere", "sock")
	said := func(program string, options ...string) string {
		m := w.master(program, options...)
		for _, args := range [][]string{
			{"-L", fmt.Sprintf("127.0.0.1:%d:localhost:1", held)},
			{"-D", fmt.Sprintf("127.0.0.1:%d", held)},
			{"-L", path + ":localhost:1"},
			{"-R", "4711:localhost:1"},
			{"-R", "0:localhost:1"},
			{"-R", "127.0.0.1:4711:/nowhere"},
			{"-R", path + ":localhost:1"},
		} {
			m.control("forward", args...)
			m.control("cancel", args...)
		}
		m.control("exit")
		<-m.ended
		return strings.ReplaceAll(m.stderr(), "\r", "")
	}
	want := said("ssh")
	t.Log(want)
	for _, options := range [][]string{nil, {"-o", "Reconnect=yes"}} {
		if got := said(gosshPath, options...); got != want {
			t.Errorf("%q: %s\nssh: %s", options, got, want)
		}
	}
}
