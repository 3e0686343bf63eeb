//go:build linux

package integration_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

func TestProxyCommand(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	// The shell writes its pid and makes way: ssh puts an exec in front.
	pidFile := w.path("pid")
	for name, proxy := range map[string]string{
		"nc":       "nc 127.0.0.1 " + fmt.Sprint(w.srv.Port),
		"gossh -W": fmt.Sprintf("%s -F %s -W 127.0.0.1:%d sshd", gosshPath, w.srv.Config, w.srv.Port),
		"ssh -W":   fmt.Sprintf("ssh -F %s -W %%h:%%p sshd", w.srv.Config),
		"sshd -i":  w.srv.InetdCommand(),
	} {
		need(t, strings.Fields(strings.ReplaceAll(proxy, "'", ""))[0])
		command := "ProxyCommand=sh -c 'echo $$ >" + pidFile + "; exec " + strings.ReplaceAll(proxy, "'", "") + "'"
		o := w.run(w.gossh("-o", command, "sshd", "echo through; exit 3"))
		if name == "sshd -i" { // the server says on our stderr that it ends
			o.stderr = ""
		}
		o.want(t, 3, "through\n", silent())
		pid, _ := strconv.Atoi(strings.TrimSpace(w.read("pid")))
		if alive(pid) {
			t.Errorf("%s: the proxy command has survived", name)
		}
	}
}

// TestProxyCommandEnds: by whatever way the session ends, the proxy command
// does too.
func TestProxyCommandEnds(t *testing.T) {
	t.Parallel()
	need(t, "nc")
	w := withSSHD(t, opensshd.Options{})
	pidFile := w.path("pid")
	proxy := fmt.Sprintf("ProxyCommand=sh -c 'echo $$ >%s; exec nc 127.0.0.1 %d'", pidFile, w.srv.Port)
	for name, end := range map[string]func(s *screen){
		"escape":  func(s *screen) { s.send("\r~.") },
		"SIGTERM": func(s *screen) { s.cmd.Process.Signal(syscall.SIGTERM) },
		"exit":    func(s *screen) { s.send("exit 255\r") },
		"killed": func(s *screen) {
			pid, _ := strconv.Atoi(strings.TrimSpace(w.read("pid")))
			syscall.Kill(pid, syscall.SIGKILL)
		},
	} {
		s := w.onScreen(w.gossh("-o", proxy, "sshd"))
		s.expect(`remote\$ `)
		pid, _ := strconv.Atoi(strings.TrimSpace(w.read("pid")))
		// ^C on the local terminal is for the remote side, not for the proxy.
		s.send("sh -c 'echo between; exec sleep 1000'\r")
		s.expect(`\r\nbetween\r\n`)
		s.send("\x03")
		s.expect(`remote\$ `)
		end(s)
		s.wantEnd(255)
		if alive(pid) {
			t.Errorf("%s: the proxy command has survived", name)
		}
	}
}

// TestProxyCommandInterrupted: ^C while the proxy command gets nowhere ends
// both.
func TestProxyCommandInterrupted(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	pidFile := w.path("pid")
	s := w.onScreen(w.gossh("-o", "ProxyCommand=sh -c 'echo $$ >"+pidFile+"; exec sleep 1000'", "sshd"))
	eventually(t, "the proxy command runs", func() bool {
		text, _ := os.ReadFile(pidFile)
		return strings.HasSuffix(string(text), "\n")
	})
	s.send("\x03")
	s.wait()
	if st := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !st.Signaled() || st.Signal() != syscall.SIGINT {
		t.Errorf("ended by %v", s.cmd.ProcessState)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(w.read("pid")))
	eventually(t, "the proxy command ends", func() bool { return !alive(pid) })
}

// hops returns a configuration with two jump hosts that have different ports
// and keys.
func (w *world) hops() (cfg string, first, second *opensshd.Server) {
	w.t.Helper()
	first, second = opensshd.NewServer(w.t, nil), opensshd.NewServer(w.t, nil)
	text := w.srv.ConfigText()
	for name, hop := range map[string]*opensshd.Server{"first": first, "second": second} {
		text += strings.ReplaceAll(hop.ConfigText(), "Host sshd", "Host "+name)
	}
	return w.write("hops", text), first, second
}

func TestJump(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	cfg, first, second := w.hops()
	w.run(w.gossh("-F", cfg, "-J", "first", "sshd", "echo $SSH_CONNECTION | wc -w; exit 4")).want(t, 4, "4\n", silent())
	first.WaitLog("Accepted publickey")
	if strings.Contains(second.Log(), "Accepted") {
		t.Error("the second hop was used")
	}
	w.run(w.gossh("-F", cfg, "-J", "first,second", "sshd", "echo over two")).want(t, 0, "over two\n", silent())
	second.WaitLog("Accepted publickey")
	// The same by configuration, where a hop has its own hop.
	chain := w.write("chain", "Host sshd\n ProxyJump second\nHost second\n ProxyJump first\n"+w.read("hops"))
	w.run(w.gossh("-F", chain, "sshd", "echo by configuration")).want(t, 0, "by configuration\n", silent())
	w.run(w.gossh("-F", chain, "-o", "ProxyJump=none", "sshd", "echo directly")).want(t, 0, "directly\n", silent())
	// Much data both ways.
	cmd := w.gossh("-F", cfg, "-J", "first,second", "sshd", "sha256sum")
	cmd.Stdin = noise(16 << 20)
	w.run(cmd).want(t, 0, countedSum(t, noise(16<<20))+"  -\n", silent())
	// A hop that is not there is named, not the destination.
	o := w.run(w.gossh("-F", cfg, "-J", fmt.Sprintf("127.0.0.1:%d", closedPort(t)), "sshd", "true"))
	if o.status != 255 || !strings.Contains(o.stderr, "connect to host 127.0.0.1 port") || !strings.Contains(o.stderr, "Connection refused") {
		t.Errorf("got %v", o)
	}
	// A destination that the hop cannot reach.
	o = w.run(w.gossh("-F", cfg, "-J", "first", "-p", fmt.Sprint(closedPort(t)), "sshd", "true"))
	if o.status != 255 || !strings.Contains(o.stderr, "open failed: connect failed: Connection refused") {
		t.Errorf("got %v", o)
	}
	s := w.onScreen(w.gossh("-F", cfg, "-J", "first,second", "sshd"))
	s.expect(`remote\$ `)
	s.send("sh -c 'echo between; exec sleep 1000'\r")
	s.expect(`\r\nbetween\r\n`)
	s.send("\x03")
	s.expect(`remote\$ `)
	s.send("\r~.")
	s.expect(`Connection to 127\.0\.0\.1 closed\.`)
	s.wantEnd(255)
}
