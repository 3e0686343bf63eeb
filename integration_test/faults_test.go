//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gossh-project/gossh/sshtest/faultnet"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// fault is a failure of a connection that no packet announces.
type fault struct {
	name   string
	remote string // the command, if not one that does nothing
	stdin  string // a file
	busy   bool   // the fault comes when megabytes have gone by
	way    string // an option, with PORT for the Proxy's; empty connects to that
	do     func(p *faultnet.Proxy, srv *opensshd.Server)
}

// The keepalive of the measurement: a peer is lost three seconds after its last
// byte.
const (
	faultInterval = time.Second
	faultCountMax = 2
	faultLimit    = faultInterval * (faultCountMax + 1)
	// faultSlack is for a machine with more to do than this. That the time is
	// kept to the letter is for the tests of package keepalive to show.
	faultSlack = 10 * time.Second
	// faultPatience is how long a program is waited for that does not notice.
	faultPatience = 20 * time.Second
)

var faults = []fault{
	{name: "black hole, both ways", do: func(p *faultnet.Proxy, _ *opensshd.Server) { p.BlackHole(faultnet.Both) }},
	{name: "black hole, only towards the server", do: func(p *faultnet.Proxy, _ *opensshd.Server) { p.BlackHole(faultnet.Up) }},
	{name: "black hole, only from the server", do: func(p *faultnet.Proxy, _ *opensshd.Server) { p.BlackHole(faultnet.Down) }},
	{name: "link stalls in the middle of an upload", remote: "cat >/dev/null", stdin: "/dev/zero", busy: true,
		do: func(p *faultnet.Proxy, _ *opensshd.Server) { p.Stall(faultnet.Both) }},
	{name: "link stalls in the middle of a download", remote: "cat /dev/zero", busy: true,
		do: func(p *faultnet.Proxy, _ *opensshd.Server) { p.Stall(faultnet.Both) }},
	{name: "sshd stopped (SIGSTOP)", do: func(_ *faultnet.Proxy, srv *opensshd.Server) { stopTree(srv.PID) }},
	{name: "sshd stopped in the middle of an upload", remote: "cat >/dev/null", stdin: "/dev/zero", busy: true,
		do: func(_ *faultnet.Proxy, srv *opensshd.Server) { stopTree(srv.PID) }},
	{name: "black hole before a jump host (ProxyJump)", way: "ProxyJump=jump",
		do: func(p *faultnet.Proxy, _ *opensshd.Server) { p.BlackHole(faultnet.Both) }},
	{name: "black hole behind a ProxyCommand", way: "ProxyCommand=nc 127.0.0.1 PORT",
		do: func(p *faultnet.Proxy, _ *opensshd.Server) { p.BlackHole(faultnet.Both) }},
}

// TestFaultTimes measures how long it takes to notice each fault, of gossh and
// of ssh side by side, and holds gossh to it. With -v it prints the table of
// docs/staying-connected.md.
func TestFaultTimes(t *testing.T) {
	t.Parallel()
	need(t, "nc", "ssh")
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	took := make([][2]time.Duration, len(faults))
	var all sync.WaitGroup
	// A few at a time: a busy machine is not what is measured.
	turn := make(chan struct{}, 4)
	for i, f := range faults {
		for j, program := range []string{gosshPath, "ssh"} {
			w, p := f.prepare(t)
			all.Go(func() {
				turn <- struct{}{}
				defer func() { <-turn }()
				took[i][j] = f.measure(w, p, program)
			})
		}
	}
	all.Wait()
	var table strings.Builder
	tw := tabwriter.NewWriter(&table, 0, 0, 1, ' ', 0)
	fmt.Fprintln(tw, "| fault\t| gossh\t| ssh\t|\n| ---\t| ---\t| ---\t|")
	for i, f := range faults {
		fmt.Fprintf(tw, "| %s\t| %s\t| %s\t|\n", f.name, noticed(took[i][0]), noticed(took[i][1]))
		// The last byte may have come up to an interval before the fault, and
		// the next one been a while on its way.
		if d := took[i][0]; d < faultLimit-2*faultInterval || d > faultLimit+faultSlack {
			t.Errorf("%s: gossh took %v", f.name, d)
		}
	}
	tw.Flush()
	t.Logf("ServerAliveInterval=%d ServerAliveCountMax=%d, time to notice:\n%s", faultInterval/time.Second, faultCountMax, table.String())
}

func noticed(d time.Duration) string {
	switch {
	case d == 0:
		return "not measured"
	case d >= faultPatience:
		return fmt.Sprintf("not within %v", faultPatience)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// prepare starts a server and a faulty link in front of it.
func (f fault) prepare(t *testing.T) (*world, *faultnet.Proxy) {
	w := withSSHD(t, opensshd.Options{})
	p := linkTo(t, w.srv.Addr)
	jump := strings.Replace(w.srv.ConfigText(), "Host sshd\n", "Host jump\n", 1)
	jump = strings.Replace(jump, fmt.Sprint("Port ", w.srv.Port), fmt.Sprint("Port ", p.Port()), 1)
	w.pre = []string{"-F", w.write("config_both", w.srv.ConfigText()+jump),
		"-o", fmt.Sprint("ServerAliveInterval=", int(faultInterval.Seconds())), "-o", fmt.Sprint("ServerAliveCountMax=", faultCountMax)}
	if f.way == "" {
		w.pre = append(w.pre, "-p", fmt.Sprint(p.Port()))
	} else {
		w.pre = append(w.pre, "-o", strings.ReplaceAll(f.way, "PORT", fmt.Sprint(p.Port())))
	}
	if f.busy {
		p.SetBandwidth(faultnet.Both, 4<<20) // fast enough, and leaves the machine alone
	}
	return w, p
}

// measure returns the time from the fault to the program's end.
func (f fault) measure(w *world, p *faultnet.Proxy, program string) time.Duration {
	t := w.t
	fail := t.Errorf
	if program != gosshPath { // is measured, not tested
		fail = t.Logf
	}
	remote := f.remote
	if remote == "" {
		remote = "echo ready; exec sleep 1000"
	}
	cmd := w.command(program, "sshd", remote)
	if f.stdin != "" {
		in, err := os.Open(f.stdin)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer in.Close()
		cmd.Stdin = in
	}
	out := &firstBytes{came: make(chan struct{})}
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &errs
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return 0
	}
	ended := make(chan struct{})
	go func() { // ends with the program
		cmd.Wait()
		close(ended)
	}()
	if !f.underWay(p, out, ended) {
		fail("%s: %s is not under way: %s", f.name, filepath.Base(program), errs.String())
		cmd.Process.Kill()
		<-ended
		return 0
	}
	began := time.Now()
	f.do(p, w.srv)
	select {
	case <-ended:
	case <-time.After(faultPatience):
		cmd.Process.Kill()
		<-ended
		return faultPatience
	}
	if status := cmd.ProcessState.ExitCode(); status != 255 || !strings.Contains(errs.String(), "Timeout, server 127.0.0.1 not responding.") {
		fail("%s: %s ended with status %d, %q", f.name, filepath.Base(program), status, errs.String())
	}
	return time.Since(began)
}

// underWay waits until the connection is in the state in which the fault is to
// hit it.
func (f fault) underWay(p *faultnet.Proxy, out *firstBytes, ended <-chan struct{}) bool {
	end := time.After(patience)
	for {
		if sent, _ := p.Bytes(faultnet.Both); f.busy && sent > 6<<20 {
			return true
		}
		came := out.came
		if f.busy {
			came = nil
		}
		select {
		case <-came:
			return true
		case <-ended:
			return false
		case <-end:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// firstBytes discards what is written to it, and closes came at the first
// byte.
type firstBytes struct {
	once sync.Once
	came chan struct{}
}

func (b *firstBytes) Write(p []byte) (int, error) {
	b.once.Do(func() { close(b.came) })
	return len(p), nil
}

// stopTree stops a process and its descendants, as a machine does that hangs
// while its kernel goes on. They are killed at the end of the test.
func stopTree(pid int) {
	syscall.Kill(pid, syscall.SIGSTOP)
	for _, child := range childrenOf(pid) {
		stopTree(child)
	}
}

func childrenOf(pid int) (out []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range lists {
		text, _ := os.ReadFile(name)
		for _, word := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(word); err == nil && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}
