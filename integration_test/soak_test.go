//go:build linux

package integration_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/faultnet"
)

// soakTime returns how long the soak lasts: GOSSH_SOAK, which `make soak` sets
// to ten minutes, or a few seconds.
func soakTime(t *testing.T) time.Duration {
	if text := os.Getenv("GOSSH_SOAK"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal("GOSSH_SOAK: ", err)
		}
		return d
	}
	if testing.Short() {
		return 5 * time.Second
	}
	return 20 * time.Second
}

// TestSoak keeps a connection with Reconnect for a while over a link that
// stalls, is cut and is reset at random, and sends data through three forwards
// all the time. A transfer may fail with its connection; but each byte that
// arrives has to be the right one at its place, and what was acknowledged has
// to have arrived. In the end all forwards work, and nothing was left open.
func TestSoak(t *testing.T) {
	t.Parallel()
	length := soakTime(t)
	srv := sshtest.NewServer(t, &sshtest.Options{AliveInterval: time.Second, AliveCountMax: 2}) // gives up what it has lost, too
	p := linkTo(t, srv.Addr())
	books := newBooks(t)
	w := newWorld(t)
	w.write("known_hosts", "sshtest "+string(ssh.MarshalAuthorizedKey(srv.HostKey())))
	key := w.write("id", string(srv.ClientKeyPEM()))
	local, remote, socks := closedPort(t), closedPort(t), closedPort(t)
	cmd, log := w.serviceFor(length+2*patience, "-N", "-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1",
		"-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1", "-o", "HostKeyAlias=sshtest", "-o", "UserKnownHostsFile="+w.path("known_hosts"),
		"-i", key, "-o", "IdentityAgent=none", "-L", fmt.Sprintf("%d:127.0.0.1:%d", local, books.port),
		"-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, books.port), "-D", fmt.Sprint(socks), "-p", fmt.Sprint(p.Port()), "test@127.0.0.1")

	routes := []*route{{name: "-L", port: local}, {name: "-R", port: remote}, {name: "-D", port: socks, socks: books.port}}
	working := func(when string) {
		t.Helper()
		for _, r := range routes {
			before := r.good.Load()
			eventually(t, r.name+" works "+when, func() bool { return r.good.Load() > before })
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	t.Cleanup(func() { cancel(); workers.Wait() })
	for _, r := range routes {
		workers.Go(func() { r.work(ctx, books) })
	}
	working("at first")
	descriptors := openDescriptors(cmd.Process.Pid)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %v", seed, length)
	counts := torment(p, rand.New(rand.NewPCG(seed, 0)), length)
	working("in the end")
	cancel()
	workers.Wait()
	eventually(t, "descriptors are closed", func() bool { return openDescriptors(cmd.Process.Pid) <= descriptors })

	cmd.Process.Signal(syscall.SIGTERM)
	if status := log.wait(cmd); status != 0 {
		t.Errorf("status %d", status)
	}
	// Those that come while there is no connection break none.
	lost := strings.Count(log.text(), " lost after ")
	if lost == 0 && counts["cut"]+counts["reset"]+counts["long stall"] > 0 {
		t.Errorf("no loss was reported, with %v", counts)
	}
	books.check()
	for _, r := range routes {
		if r.name != "-R" && r.cutShort.Load() > 0 { // for -R it is the server's doing
			t.Errorf("%s: %d times half a stream ended like a whole one", r.name, r.cutShort.Load())
		}
		t.Logf("%s: %d transfers, %d failed, %d of them with an early end, %d bytes delivered", r.name, r.good.Load(), r.bad.Load(), r.cutShort.Load(), r.bytes.Load())
	}
	t.Logf("faults %v, %d losses", counts, lost)
}

// torment breaks a link in random ways for a while, and leaves it intact.
func torment(p *faultnet.Proxy, random *rand.Rand, length time.Duration) map[string]int {
	counts := make(map[string]int)
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(random.Int64N(int64(most-least)))
	}
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(between(200*time.Millisecond, 3*time.Second))
		ways := []faultnet.Direction{faultnet.Up, faultnet.Down, faultnet.Both}
		way := ways[random.IntN(len(ways))]
		switch random.IntN(4) {
		case 0:
			counts["cut"]++
			p.Cut()
		case 1:
			counts["reset"]++
			p.Reset()
		case 2: // shorter than what is taken for a loss
			counts["short stall"]++
			p.Stall(way)
			time.Sleep(between(50*time.Millisecond, 700*time.Millisecond))
			p.Resume(way)
		case 3: // longer
			counts["long stall"]++
			p.Stall(way)
			time.Sleep(between(2500*time.Millisecond, 4*time.Second))
			p.Resume(way)
		}
	}
	return counts
}

// openDescriptors returns how many files a process has open.
func openDescriptors(pid int) int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries)
}

// route is a path to the books through a forward.
type route struct {
	name  string
	port  int
	socks int // the port to ask a SOCKS server for; 0 without one

	good, bad, bytes atomic.Int64
	// cutShort counts what failed and looked, without a count of bytes,
	// like an end.
	cutShort atomic.Int64
}

// work makes transfers until ctx ends.
func (r *route) work(ctx context.Context, b *books) {
	for ctx.Err() == nil {
		e := b.entry()
		err := r.transfer(ctx, e)
		e.settle(err == nil)
		if err == nil {
			r.good.Add(1)
			r.bytes.Add(e.up + e.down)
			continue
		}
		r.bad.Add(1)
		select { // not as fast as a closed port refuses
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (r *route) transfer(ctx context.Context, e *entry) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if r.socks != 0 {
		if err := socksConnect(c, r.socks); err != nil {
			return err
		}
	}
	var header [24]byte
	binary.BigEndian.PutUint64(header[:], e.id)
	binary.BigEndian.PutUint64(header[8:], uint64(e.up))
	binary.BigEndian.PutUint64(header[16:], uint64(e.down))
	if _, err := c.Write(header[:]); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { // ends with the connection
		n, err := io.Copy(c, io.LimitReader(stream(e.id, 0), e.up))
		e.sent.Store(n)
		if err == nil {
			err = c.(*net.TCPConn).CloseWrite()
		}
		sent <- err
	}()
	n, right, err := verify(io.LimitReader(c, e.down), stream(e.id, 1), e.down)
	e.received.Store(n)
	if !right {
		e.wrong("what came back")
	}
	if err == nil {
		err = receipt(c)
	}
	if n > 0 && (err == errShort || err == io.EOF) {
		r.cutShort.Add(1)
	}
	if err != nil {
		c.Close() // the sender may be stuck
	}
	if serr := <-sent; err == nil {
		err = serr
	}
	return err
}

// socksConnect requests a connection to a port of 127.0.0.1 (RFC 1928).
func socksConnect(c net.Conn, port int) error {
	if _, err := c.Write([]byte{5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, byte(port >> 8), byte(port)}); err != nil {
		return err
	}
	var answer [12]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return err
	}
	if answer[0] != 5 || answer[1] != 0 || answer[3] != 0 {
		return fmt.Errorf("SOCKS answers %v", answer)
	}
	return nil
}
