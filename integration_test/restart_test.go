//go:build linux

package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// restarted is a server that goes away and comes back on the same port. The
// port stays bound meanwhile, so that no other program gets it. A connection
// is closed at once while there is no server.
type restarted struct {
	w     *world
	ln    net.Listener
	opts  sshtest.Options
	talks atomic.Int32 // sessions served by talk so far

	mu    sync.Mutex
	srv   *sshtest.Server
	tries int           // connections so far
	tried chan struct{} // closed and replaced at each
	wg    sync.WaitGroup
}

// withRestarts returns a world with such a server, named "sshtest", that runs
// talk unless opts has a Handler. The lines precede those of the Host.
func withRestarts(t *testing.T, opts sshtest.Options, lines ...string) (*world, *restarted) {
	t.Helper()
	w := newWorld(t)
	r := &restarted{w: w, opts: opts, tried: make(chan struct{})}
	var err error
	if r.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if r.opts.Handler == nil {
		r.opts.Handler = r.talk
	}
	r.opts.NoListen = true
	r.up(func(*sshtest.Options) {})
	key := w.write("id_client", string(r.srv.ClientKeyPEM()))
	r.opts.HostKeys = r.srv.HostKeys()
	if len(opts.Users) == 0 {
		r.opts.Users = []sshtest.User{{Name: sshtest.DefaultUser, Keys: []ssh.PublicKey{r.srv.ClientKey.PublicKey()}}}
	}
	w.write("known_hosts", "sshtest "+string(ssh.MarshalAuthorizedKey(r.srv.HostKey())))
	w.write("config", strings.Join(lines, "\n")+fmt.Sprintf(`
Host sshtest
  HostName 127.0.0.1
  HostKeyAlias sshtest
  Port %d
  User test
  IdentityFile %s
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile %s
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
`, r.ln.Addr().(*net.TCPAddr).Port, key, w.path("known_hosts")))
	r.wg.Go(r.accept)
	t.Cleanup(func() {
		r.ln.Close()
		r.down()
		r.wg.Wait()
	})
	return w, r
}

// accept serves the port until the listener is closed.
func (r *restarted) accept() {
	for {
		nc, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		srv := r.srv
		r.tries++
		close(r.tried)
		r.tried = make(chan struct{})
		r.mu.Unlock()
		if srv == nil {
			r.wg.Go(func() { hangUp(nc) })
			continue
		}
		r.wg.Go(func() { srv.ServeConn(nc) })
	}
}

// hangUp ends a connection so that the other end reads EOF. To close it with
// unread data would be a reset.
func hangUp(nc net.Conn) {
	nc.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, nc)
	nc.Close()
}

// down kills the server.
func (r *restarted) down() {
	r.mu.Lock()
	srv := r.srv
	r.srv = nil
	r.mu.Unlock()
	if srv != nil {
		srv.Close()
	}
}

// up starts another server, with the changes that change makes.
func (r *restarted) up(change func(*sshtest.Options)) *sshtest.Server {
	r.w.t.Helper()
	o := r.opts
	change(&o)
	srv, err := sshtest.Start(&o)
	if err != nil {
		r.w.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.srv = srv
	return srv
}

// current returns the running server.
func (r *restarted) current() *sshtest.Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.srv
}

func (r *restarted) same(*sshtest.Options) {}

// connections returns how many connections there were, and a channel that is
// closed at the next one.
func (r *restarted) connections() (int, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries, r.tried
}

// talk is a Handler that prints the number and the command of the session,
// repeats each line, and obeys "exit N".
func (r *restarted) talk(s *sshtest.Session) sshtest.Exit {
	fmt.Fprintf(s, "session %d: %q\r\n", r.talks.Add(1), s.Command)
	in := bufio.NewReader(s)
	for {
		line, err := in.ReadString('\r')
		if err != nil {
			return sshtest.Exit{Silent: true}
		}
		line = strings.TrimSuffix(line, "\r")
		var status int
		if _, err := fmt.Sscanf(line, "exit %d", &status); err == nil {
			return sshtest.Status(status)
		}
		fmt.Fprintf(s, "got %q\r\n", line)
	}
}
