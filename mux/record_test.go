//go:build linux || darwin || freebsd

package mux

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest/opensshd"

	"github.com/gossh-project/gossh/internal/wire"
)

// recorder stands between a client and a master, passes everything on,
// descriptors too, and keeps the bytes.
type recorder struct {
	path  string
	ln    *net.UnixListener
	conns sync.WaitGroup

	mu     sync.Mutex
	asked  []byte // by the client
	told   []byte // by the master
	passed int    // descriptors
}

func record(t *testing.T, master string) *recorder {
	t.Helper()
	r := &recorder{path: master + "-rec"}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: r.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	r.ln = ln
	r.conns.Go(func() {
		for {
			client, err := ln.AcceptUnix()
			if err != nil {
				return
			}
			up, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: master, Net: "unix"})
			if err != nil {
				client.Close()
				continue
			}
			r.conns.Go(func() { r.copy(up, client, &r.asked) })
			r.conns.Go(func() { r.copy(client, up, &r.told) })
		}
	})
	t.Cleanup(func() { ln.Close(); r.conns.Wait() })
	return r
}

func (r *recorder) copy(to, from *net.UnixConn, kept *[]byte) {
	defer to.CloseWrite()
	// A byte at a time: the kernel may give out a descriptor together with the
	// bytes before it, and behind those nobody would look for it.
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(64))
	for {
		n, oobn, _, _, err := from.ReadMsgUnix(buf, oob)
		if err != nil || n == 0 && oobn == 0 {
			return
		}
		fds := parseRights(oob[:oobn])
		r.mu.Lock()
		*kept = append(*kept, buf[:n]...)
		r.passed += len(fds)
		r.mu.Unlock()
		to.WriteMsgUnix(buf[:n], oob[:oobn], nil)
		closeAll(fds)
	}
}

// end returns what went by since the last call.
func (r *recorder) end() (asked, told []byte, passed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked, told, passed = r.asked, r.told, r.passed
	r.asked, r.told, r.passed = nil, nil, 0
	return
}

// split takes recorded bytes apart into messages. NULs carried descriptors.
func split(t *testing.T, b []byte) (messages [][]byte, nuls int) {
	t.Helper()
	for len(b) > 0 {
		// A message is below 16 MiB, so a length begins with a NUL, too; but
		// behind a descriptor stands another, or nothing, or a small type.
		if len(b) >= 8 && int(binary.BigEndian.Uint32(b)) <= len(b)-4 && binary.BigEndian.Uint32(b) >= 4 {
			n := int(binary.BigEndian.Uint32(b))
			messages = append(messages, b[4:4+n])
			b = b[4+n:]
			continue
		}
		if b[0] != 0 {
			t.Fatalf("no message: %x", b)
		}
		nuls++
		b = b[1:]
	}
	return messages, nuls
}

// TestWireOpenSSH holds the codec to the bytes of ssh's client and master:
// each message must come out of it as it went in.
func TestWireOpenSSH(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("OpenSSH's ssh is not installed")
		}
		t.Skip("OpenSSH's ssh is not installed")
	}
	sshd := opensshd.NewServer(t, nil)
	dir, err := os.MkdirTemp("", "mw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "c")
	master := exec.Command(ssh, "-F", sshd.Config, "-S", path, "-M", "-N", "-o", "SendEnv=MUXTEST", "sshd")
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Process.Signal(unix.SIGTERM); master.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Lstat(path); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("ssh -M made no socket")
		}
	}
	r := record(t, path)
	pid := strconv.FormatUint(uint64(master.Process.Pid), 16)
	for len(pid) < 8 {
		pid = "0" + pid
	}
	const hello = "00000001 00000004"
	for _, tt := range []struct {
		name        string
		args        []string
		asked, told []string // in hexadecimal; * is anything
		passed      int
	}{
		{"check", []string{"-O", "check", "sshd"},
			[]string{hello, "10000004 00000000"},
			[]string{hello, "80000005 00000000" + pid}, 0},
		{"session", []string{"-n", "-e", "none", "-o", "SetEnv=MUXTEST=1", "sshd", "exit 3"},
			[]string{hello, "10000004 00000000",
				"10000002 00000001 00000000 00000000 00000000 00000000 00000000 ffffffff" +
					"00000005" + hex.EncodeToString([]byte("vt100")) + "00000006" + hex.EncodeToString([]byte("exit 3")) +
					"00000009" + hex.EncodeToString([]byte("MUXTEST=1"))},
			[]string{hello, "80000005 00000000" + pid, "80000006 00000001 00000002", "80000004 00000002 00000003"}, 3},
		{"subsystem", []string{"-n", "-A", "-s", "sshd", "none"},
			[]string{hello, "10000004 00000000",
				"10000002 00000001 00000000 00000000 00000000 00000001 00000001 0000007e" +
					"00000005" + hex.EncodeToString([]byte("vt100")) + "00000004" + hex.EncodeToString([]byte("none"))},
			[]string{hello, "80000005 00000000" + pid, "80000006 00000001 00000002"}, 3},
		{"stdio", []string{"-n", "-W", "localhost:1", "sshd"},
			[]string{hello, "10000004 00000000",
				"10000008 00000001 00000000 00000009" + hex.EncodeToString([]byte("localhost")) + "00000001"},
			[]string{hello, "80000005 00000000" + pid,
				"80000003 00000001 0000001c" + hex.EncodeToString([]byte("Session open refused by peer"))}, 2},
		{"forward", []string{"-O", "forward", "-L", dir + "/l:localhost:1", "-R", "0:localhost:2", "sshd"},
			[]string{hello,
				"10000006 00000000 00000001" + wireText(dir+"/l") + "fffffffe" + wireText("localhost") + "00000001",
				"10000006 00000001 00000002 00000000 00000000" + wireText("localhost") + "00000002"},
			[]string{hello, "80000001 00000000", "80000007 00000001 *"}, 0},
		{"dynamic", []string{"-O", "forward", "-D", "*:1", "-R", "1", "sshd"},
			[]string{hello,
				"10000006 00000000 00000003" + wireText("*") + "00000001" + wireText("socks") + "00000000",
				"*"},
			nil, 0},
		{"cancel", []string{"-O", "cancel", "-L", dir + "/l:localhost:1", "sshd"},
			[]string{hello, "10000007 00000000 00000001" + wireText(dir+"/l") + "fffffffe" + wireText("localhost") + "00000001"},
			[]string{hello, "80000001 00000000"}, 0},
		{"cancel what is not there", []string{"-O", "cancel", "-L", "3:localhost:1", "sshd"},
			[]string{hello, "10000007 00000000 00000001 00000000 00000003" + wireText("localhost") + "00000001"},
			[]string{hello, "80000003 00000000" + wireText("port not forwarded")}, 0},
		{"stop", []string{"-O", "stop", "sshd"},
			[]string{hello, "10000009 00000000"}, []string{hello, "80000001 00000000"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(ssh, append([]string{"-F", sshd.Config, "-S", r.path}, tt.args...)...)
			cmd.Env = append(os.Environ(), "TERM=vt100")
			cmd.WaitDelay = time.Second
			out, _ := cmd.CombinedOutput()
			asked, told, passed := r.end()
			if passed != tt.passed {
				t.Errorf("%d descriptors passed, want %d", passed, tt.passed)
			}
			requests, nuls := split(t, asked)
			if nuls != passed {
				t.Errorf("%d NUL bytes for %d descriptors", nuls, passed)
			}
			replies, _ := split(t, told)
			compareMessages(t, "asked", requests, tt.asked)
			if tt.told != nil {
				compareMessages(t, "told", replies, tt.told)
			}
			roundTrip(t, requests, parseRequest)
			roundTrip(t, replies, parseReply)
			if t.Failed() {
				t.Logf("ssh: %s", out)
			}
		})
	}
}

func wireText(s string) string {
	return hex.EncodeToString(wire.AppendString(nil, s))
}

func compareMessages(t *testing.T, who string, got [][]byte, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d messages, want %d: %x", who, len(got), len(want), got)
		return
	}
	for i := range got {
		prefix, open := strings.CutSuffix(strings.ReplaceAll(want[i], " ", ""), "*")
		text := hex.EncodeToString(got[i])
		if text != prefix && !(open && strings.HasPrefix(text, prefix)) {
			t.Errorf("%s %d:\n got %s\nwant %s", who, i, text, prefix)
		}
	}
}

func roundTrip(t *testing.T, messages [][]byte, parse func([]byte) (message, error)) {
	t.Helper()
	for i, b := range messages {
		var m message
		var err error
		if i == 0 {
			m, err = parseHello(b)
		} else {
			m, err = parse(b)
		}
		if err != nil {
			t.Errorf("%x: %v", b, err)
			continue
		}
		if again := m.appendTo(nil); !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	}
}
