// Package sshtest provides an SSH server for tests, in the manner of
// net/http/httptest:
//
//	srv := sshtest.NewServer(t, nil)
//	c, err := ssh.Dial("tcp", srv.Addr(), srv.ClientConfig())
//
// The server listens on a loopback port and runs commands by /bin/sh, or by a Go
// function ([Options.Handler]). [Server.ClientConfig] lets a client of x/crypto log
// in, [Server.WriteFiles] the program ssh. [Server.Records] and [Server.Attempts]
// return what the client has sent. [Server.Pipe] connects in memory, which works in
// testing/synctest bubbles.
//
// A server can misbehave: it refuses or ignores requests ([Options.OnRequest],
// [Options.OnOpen]) and fails at any stage ([Options.Faults]). Package faultnet
// makes the network fail, and package opensshd runs a real sshd.
//
// The protocol is implemented by golang.org/x/crypto/ssh. With [Options.Takeover] a
// test serves the connection itself, to send what x/crypto cannot.
//
// Package testing is not imported, so that programs can link this package.
package sshtest
