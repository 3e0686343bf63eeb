package sshtest

import (
	"context"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// OpenAgent opens auth-agent@openssh.com, as sshd does when a program on the
// server connects to its SSH_AUTH_SOCK. The caller closes the channel.
func (c *Conn) OpenAgent() (agent.ExtendedAgent, ssh.Channel, error) {
	ch, reqs, id, err := c.openToClient("auth-agent@openssh.com", nil)
	if err != nil {
		return nil, nil, err
	}
	c.wg.Go(func() { c.refuseRequests(reqs, id) })
	return agent.NewClient(ch), ch, nil
}

// serveAgentSocket makes a socket on which the client's agent answers, until
// stop or the end of the session.
func (s *Session) serveAgentSocket() (path string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "sshtest-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "agent")
	ln, err := net.Listen("unix", path)
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	unwatch := context.AfterFunc(s.ctx, func() { ln.Close() })
	s.Conn.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			s.Conn.wg.Go(func() { s.Conn.forwarded(nc, "auth-agent@openssh.com", nil) })
		}
	})
	return path, func() {
		unwatch()
		ln.Close()
		os.RemoveAll(dir)
	}, nil
}
