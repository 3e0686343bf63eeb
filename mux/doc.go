// Package mux shares one SSH connection between programs, by version 4 of the
// protocol that OpenSSH's ControlMaster speaks on its control socket
// (PROTOCOL.mux in OpenSSH). Either end may be OpenSSH's.
//
// The way through a connection that some master holds, without logging in:
//
//	c, err := mux.Dial(ctx, "/run/user/1000/ssh-web-1") // an *ssh.Client
//
// What `ssh -S path host command` does, with this process's descriptors:
//
//	c, err := mux.Connect(ctx, path, mux.ClientOptions{})
//	s, err := c.NewSession(ctx, mux.SessionRequest{Command: "uname -a"}, [3]int{0, 1, 2})
//	status, err := s.Wait()
//
// And being the master of a connection:
//
//	srv, err := mux.Listen(ctx, path, conn, mux.ServerOptions{})
//	<-srv.Done()
//
// A client is served in one of two ways. As a passenger it hands its standard
// descriptors to the master, which moves the data; that is [Client.NewSession]
// and [Client.StdioForward]. As a proxy client it speaks SSH's connection
// protocol (RFC 4254) over the socket; that is [Client.Proxy] and [Dial]. Only a
// master of gossh is asked for that: OpenSSH's ends, with everything that others
// do over it, when a proxy client leaves after a channel was refused. Through
// OpenSSH's, Proxy and Dial are made of passengers and forwardings instead.
//
// The master works on descriptors that other programs share, such as a user's
// shell: it never makes one non-blocking, and reads nothing from one after its
// session has ended. See [Descriptors].
package mux
