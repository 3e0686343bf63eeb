// Package mux shares one SSH connection between programs, by version 4 of the
// protocol that OpenSSH's ControlMaster speaks on its control socket
// (PROTOCOL.mux in OpenSSH). Either end may be OpenSSH's.
//
// Use the connection of a running master, without logging in:
//
//	c, err := mux.Dial(ctx, "/run/user/1000/ssh-web-1") // an *ssh.Client
//
// Do what `ssh -S path host command` does, with the descriptors of this process:
//
//	c, err := mux.Connect(ctx, path, mux.ClientOptions{})
//	s, err := c.NewSession(ctx, mux.SessionRequest{Command: "uname -a"}, [3]int{0, 1, 2})
//	status, err := s.Wait()
//
// Be the master of a connection:
//
//	srv, err := mux.Listen(ctx, path, conn, mux.ServerOptions{})
//	<-srv.Done()
//
// There are two kinds of clients. A passenger ([Client.NewSession],
// [Client.StdioForward]) passes its standard descriptors to the master, which
// moves the data. A proxy client ([Client.Proxy], [Dial]) speaks the SSH connection
// protocol (RFC 4254) over the socket. Proxy mode is used with masters of gossh
// only: OpenSSH's master exits, with all sessions of other clients, when a proxy
// client leaves after the server refused it a channel. Through OpenSSH's master,
// Proxy and Dial use passengers and forwardings instead.
//
// The master works on descriptors that it shares with other programs, such as the
// user's shell. It never makes one non-blocking, and it reads nothing from one
// after the session has ended. See [Descriptors].
package mux
