// Package sshtest is an SSH server inside the process: for tests, which need
// a server that can be watched and can be made to misbehave, and for the
// program's demonstration mode.
//
// The main path: [NewServer] (or [Start] outside tests) listens on a loopback port;
// [Server.ClientConfig] or [Server.WriteFiles] let a client in; what the
// client did is read from [Server.Records] and [Server.Attempts]. Commands
// run through /bin/sh unless [Options.Handler] is set, which runs a Go
// function instead. [Server.Pipe] gives a connection in memory, for
// testing/synctest bubbles.
//
// The protocol is golang.org/x/crypto/ssh's server half. What that cannot be
// made to send is sent by a function of the test that takes the connection over
// ([Options.Takeover]).
//
// Package testing is not imported, so the server can be linked into a
// program.
package sshtest
