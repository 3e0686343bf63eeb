//go:build linux

package integration_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// serve calls handle for each connection to a listener of its own, and returns
// its address.
func serve(t *testing.T, handle func(*net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, ln, func(c net.Conn) { handle(c.(*net.TCPConn)) })
	return ln.Addr().String()
}

// tunnel is a route to a target through the program.
type tunnel struct {
	name string
	cmd  *exec.Cmd
	addr string        // where to connect
	said func() string // on stderr
}

// tunnels returns -L and -R to target through an OpenSSH server, and -L
// through the server in the process.
func tunnels(t *testing.T, target string) (out []tunnel) {
	w := withSSHD(t, opensshd.Options{})
	local, remote := closedPort(t), closedPort(t)
	cmd, said := w.up("-L", fmt.Sprintf("%d:%s", local, target), "-R", fmt.Sprintf("%d:%s", remote, target))
	out = append(out, tunnel{"-L", cmd, fmt.Sprintf("127.0.0.1:%d", local), said}, tunnel{"-R", cmd, fmt.Sprintf("127.0.0.1:%d", remote), said})

	v, _ := withServer(t, sshtest.Options{Users: []sshtest.User{{Name: "test", None: true}}})
	inside := closedPort(t)
	cmd = v.gossh("-N", "-L", fmt.Sprintf("%d:%s", inside, target), "sshtest")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	last := tunnel{"-L in process", cmd, fmt.Sprintf("127.0.0.1:%d", inside), func() string { return "" }}
	eventually(t, "it listens", func() bool {
		c, err := net.Dial("tcp", last.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return append(out, last)
}

// enter connects to the tunnel, with a deadline for all that follows.
func (u tunnel) enter(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", u.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(2 * patience))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// TestForwardHalfClose: either side may end its half and go on receiving.
func TestForwardHalfClose(t *testing.T) {
	t.Parallel()
	// The target sums up what it gets, to its end, and says the sum.
	summing := serve(t, func(c *net.TCPConn) {
		sum := sha256.New()
		io.Copy(sum, c)
		fmt.Fprintf(c, "%x", sum.Sum(nil))
	})
	// The target ends first, and then sums up.
	ended := make(chan string, 8)
	first := serve(t, func(c *net.TCPConn) {
		io.WriteString(c, "over and out")
		c.CloseWrite()
		text, _ := io.ReadAll(c)
		ended <- string(text)
	})
	for _, u := range tunnels(t, summing) {
		c := u.enter(t)
		go func() {
			io.Copy(c, noise(1<<20))
			c.CloseWrite()
		}()
		sum, err := io.ReadAll(c)
		if err != nil || string(sum) != countedSum(t, noise(1<<20)) {
			t.Errorf("%s: sum %q, %v", u.name, sum, err)
		}
	}
	for _, u := range tunnels(t, first) {
		c := u.enter(t)
		text, err := io.ReadAll(c)
		if err != nil || string(text) != "over and out" {
			t.Errorf("%s: %q, %v", u.name, text, err)
		}
		io.WriteString(c, "afterwards")
		c.CloseWrite()
		for got := range ended {
			if got == "afterwards" {
				break
			} else if got != "" { // a try whether it listens
				t.Errorf("%s: %q after the end", u.name, got)
			}
		}
	}
}

// TestForwardBulk: much data, both ways at once, byte for byte.
func TestForwardBulk(t *testing.T) {
	t.Parallel()
	size := int64(200 << 20)
	if testing.Short() || raceEnabled {
		size = 16 << 20
	}
	target := serve(t, func(c *net.TCPConn) { io.Copy(c, c); c.CloseWrite() })
	want := countedSum(t, noise(size))
	for _, u := range tunnels(t, target)[:2] {
		c := u.enter(t)
		begin := time.Now()
		go func() {
			io.Copy(c, noise(size))
			c.CloseWrite()
		}()
		sum := sha256.New()
		n, err := io.Copy(sum, c)
		if got := fmt.Sprintf("%x", sum.Sum(nil)); err != nil || n != size || got != want {
			t.Errorf("%s: %d bytes, %v", u.name, n, err)
		}
		t.Logf("%s: %d MiB there and back in %v", u.name, size>>20, time.Since(begin).Round(time.Millisecond))
	}
}

// TestForwardReset: a connection that is reset in its middle takes nothing else
// along, and the other end notices.
func TestForwardReset(t *testing.T) {
	t.Parallel()
	gone := make(chan error, 8)
	target := serve(t, func(c *net.TCPConn) {
		io.WriteString(c, "hello")
		_, err := io.Copy(io.Discard, c)
		gone <- err
	})
	resetting := serve(t, func(c *net.TCPConn) {
		io.ReadFull(c, make([]byte, 1))
		c.SetLinger(0)
	})
	for _, u := range tunnels(t, target) {
		c := u.enter(t)
		io.ReadFull(c, make([]byte, 5))
		c.SetLinger(0)
		c.Close()
		select {
		case <-gone:
		case <-time.After(patience):
			t.Errorf("%s: the target never hears of the reset", u.name)
		}
		other := u.enter(t) // still serves
		if _, err := io.ReadFull(other, make([]byte, 5)); err != nil {
			t.Errorf("%s: after the reset: %v", u.name, err)
		}
		other.Close()
	}
	for _, u := range tunnels(t, resetting) {
		c := u.enter(t)
		c.Write([]byte("x"))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the client never hears of the reset", u.name)
		}
	}
}

// TestForwardCrowd: 500 connections at once, each with an answer of its own.
func TestForwardCrowd(t *testing.T) {
	t.Parallel()
	target := serve(t, func(c *net.TCPConn) { io.Copy(c, c); c.CloseWrite() })
	for _, u := range tunnels(t, target) {
		const crowd = 500
		var all sync.WaitGroup
		together := make(chan struct{})
		// sshd's queue for -R is 128 long, and what does not fit is reset.
		arriving := make(chan struct{}, 64)
		var arrived sync.WaitGroup
		arrived.Add(crowd)
		failed := make(chan string, crowd)
		for i := range crowd {
			all.Go(func() {
				arriving <- struct{}{}
				c, err := net.Dial("tcp", u.addr)
				if err == nil {
					defer c.Close()
					c.SetDeadline(time.Now().Add(2 * patience))
					c.Write([]byte("x"))
					_, err = io.ReadFull(c, make([]byte, 1))
				}
				<-arriving
				arrived.Done()
				if err != nil {
					failed <- err.Error()
					return
				}
				<-together
				want := bytes.Repeat([]byte(fmt.Sprintf("%d,", i)), 1000)
				go func() {
					c.Write(want)
					c.(*net.TCPConn).CloseWrite()
				}()
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
					failed <- fmt.Sprintf("%d: %d bytes of %d, %v", i, len(got), len(want), err)
				}
			})
		}
		arrived.Wait()
		close(together)
		all.Wait()
		close(failed)
		if n := len(failed); n > 0 {
			t.Errorf("%s: %d have failed, such as %s\n%.1000s", u.name, n, <-failed, u.said())
		}
	}
}

// descriptors returns the open files of a process, by their kinds.
func descriptors(t *testing.T, pid int) []string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if name, err := os.Readlink(dir + "/" + e.Name()); err == nil {
			out = append(out, strings.Split(name, "[")[0])
		}
	}
	return out
}

// TestForwardLeaks: after 2000 connections the program has no more descriptors
// than with one.
func TestForwardLeaks(t *testing.T) {
	t.Parallel()
	connections := 2000
	if testing.Short() {
		connections = 200
	}
	target := serve(t, func(c *net.TCPConn) { io.Copy(c, c) })
	for _, u := range tunnels(t, target)[:2] {
		once := func() []string {
			c := u.enter(t)
			defer c.Close()
			c.Write([]byte("x"))
			io.ReadFull(c, make([]byte, 1))
			return descriptors(t, u.cmd.Process.Pid)
		}
		with := once()
		for range connections {
			once()
		}
		var after []string
		eventually(t, fmt.Sprintf("%s: fewer descriptors than %v", u.name, with), func() bool {
			after = descriptors(t, u.cmd.Process.Pid)
			return len(after) < len(with)
		})
	}
}

// TestSOCKS: curl through -D, and from the server's side through -R without a
// target, by name and by address.
func TestSOCKS(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	w := withSSHD(t, opensshd.Options{})
	page := serve(t, func(c *net.TCPConn) {
		c.Read(make([]byte, 1024))
		io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	})
	_, port, _ := net.SplitHostPort(page)
	dynamic, remote := fmt.Sprint(closedPort(t)), fmt.Sprint(closedPort(t))
	w.up("-D", dynamic, "-R", remote, "-o", "PermitRemoteOpen=127.0.0.1:"+port+" localhost:"+port)
	for _, proxy := range []string{dynamic, remote} {
		for _, way := range []string{"--socks4", "--socks4a", "--socks5", "--socks5-hostname"} {
			for _, host := range []string{"127.0.0.1", "localhost"} {
				w.run(w.tool("curl", "-4", "-sS", way, "127.0.0.1:"+proxy, "http://"+host+":"+port)).want(t, 0, "hello", nil)
			}
		}
	}
	denied := serve(t, func(c *net.TCPConn) { t.Error("PermitRemoteOpen is not obeyed") })
	o := w.run(w.tool("curl", "-sS", "--socks5", "127.0.0.1:"+remote, "http://"+denied))
	if o.status == 0 {
		t.Errorf("not permitted: %v", o)
	}
}

// TestForwardOutlives: forwarded connections outlive the session, listeners do
// not, and then the program ends with the session's status.
func TestForwardOutlives(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	target := greeter(t, "hello")
	port := closedPort(t)
	cmd := w.gossh("-L", fmt.Sprintf("%d:%s", port, target), "sshd", "echo up; read x; exit 7")
	in, out := startPiped(t, cmd)
	if got := readLine(t, out); got != "up" {
		t.Fatalf("got %q", got)
	}
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	readLine(t, c)
	io.WriteString(in, "\n")
	eventually(t, "it no longer listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	for range 3 {
		fmt.Fprintln(c, "still here")
		if got := readLine(t, c); got != "still here" {
			t.Errorf("got %q", got)
		}
	}
	c.Close()
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 7 {
		t.Errorf("status %d", got)
	}
}
