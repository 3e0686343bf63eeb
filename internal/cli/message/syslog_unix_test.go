//go:build unix

package message

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gossh-project/gossh/sshconfig"
)

// TestSyslog checks the priorities and prefixes of messages in the system log, and
// that other output stays on standard error.
func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	daemon, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	daemon.SetReadDeadline(time.Now().Add(30 * time.Second))
	stamp := regexp.MustCompile(`^<(\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d (.*)\n$`)
	receive := func() string {
		b := make([]byte, 2048)
		n, err := daemon.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		m := stamp.FindSubmatch(b[:n])
		if m == nil {
			t.Fatalf("%q is no line of syslog", b[:n])
		}
		return fmt.Sprintf("%s %s", m[1], m[2])
	}
	var stderr bytes.Buffer
	c := NewConsole(&stderr)
	c.SetLevel(sshconfig.LogDebug1)
	log, ok := openSyslog("unixgram", path, "LOCAL3", "/usr/bin/ssh")
	if !ok {
		t.Fatal("no syslog")
	}
	c.toSystem(log)
	say := []func(){
		func() { c.Fatalf("f") },
		func() { c.Errorf("two\nlines\t\\ \x01é") },
		func() { c.Infof("i") },
		func() { c.Printf(sshconfig.LogVerbose, "v") },
		func() { c.Logger().Debug("d") },
		func() { c.ConfigLine(sshconfig.Problem{Text: "config", Level: sshconfig.LogError}) },
		func() { c.Errorf("%s", strings.Repeat("x", 600)) },
	}
	const local3 = 19 << 3
	for i, want := range []string{
		fmt.Sprint(local3+2, " TAG fatal: f"),
		fmt.Sprint(local3+3, ` TAG error: two\nlines\t\\ \001\303\251`),
		fmt.Sprint(local3+6, " TAG i"),
		fmt.Sprint(local3+6, " TAG v"),
		fmt.Sprint(local3+7, " TAG debug1: d"),
		fmt.Sprint(local3+3, " TAG error: config"),
		fmt.Sprint(local3+3, " TAG error: ", strings.Repeat("x", 493)),
	} {
		say[i]()
		want = strings.Replace(want, "TAG", fmt.Sprintf("/usr/bin/ssh[%d]:", os.Getpid()), 1)
		if got := receive(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	c.Raw("a banner\n")
	c.Plain("past the log")
	if got := stderr.String(); got != "a banner\npast the log\n" {
		t.Errorf("on stderr: %q", got)
	}
}

// TestNoSyslog checks that messages are lost without a log daemon, like ssh's.
func TestNoSyslog(t *testing.T) {
	log, ok := openSyslog("unixgram", filepath.Join(t.TempDir(), "none"), "USER", "ssh")
	if !ok {
		t.Fatal("messages would go to stderr")
	}
	log(sshconfig.LogError, "lost")
}
