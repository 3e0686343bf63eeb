//go:build linux

package integration_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// TestNetworkChange: when the machine's network changes, the server is asked at
// once, long before ServerAliveInterval. The network is one of the program's
// own, and changes by its loopback coming up.
func TestNetworkChange(t *testing.T) {
	t.Parallel()
	need(t, "unshare", "ip", "nc")
	if out, err := exec.Command("unshare", "-n", "true").CombinedOutput(); err != nil {
		t.Skipf("cannot make a network namespace: %s", out)
	}
	w, srv := withServer(t, sshtest.Options{NoListen: true, Handler: sshtest.Deaf})
	w.keyOf(srv)
	w.write("known_hosts", "sshtest "+string(ssh.MarshalAuthorizedKey(srv.HostKey())))
	ln, err := net.Listen("unix", w.path("sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go srv.ServeConn(nc)
		}
	}()
	for _, reconnect := range []string{"no", "yes"} {
		line := w.line("-N", "-o", "Reconnect="+reconnect, "-o", "HostKeyAlias=sshtest", "-o", "ServerAliveInterval=600",
			"-o", "ProxyCommand=nc -U "+w.path("sock"), "sshtest")
		cmd := w.tool("unshare", "-n", "sh", "-c", "(while read x; do ip link set lo $x; done) <&3 & exec 3<&-; exec "+line)
		r, change, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExtraFiles = []*os.File{r}
		conns := len(srv.Conns())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if _, err := srv.WaitConn(ctx, conns+1); err != nil {
			t.Fatal(err)
		}
		before := keepalives(srv)
		// The watching begins a moment after the login.
		states := []string{"up", "down"}
		eventually(t, "the server is asked, Reconnect="+reconnect, func() bool {
			fmt.Fprintln(change, states[0])
			slices.Reverse(states)
			return keepalives(srv) > before
		})
		cancel()
		change.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// keepalives counts the keepalive requests of the client.
func keepalives(srv *sshtest.Server) (n int) {
	for _, r := range srv.Records() {
		if r.Kind == sshtest.Global && r.Type == "keepalive@openssh.com" {
			n++
		}
	}
	return n
}
