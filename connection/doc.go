// Package connection is the SSH connection protocol (RFC 4254) in both roles:
// channels with flow control, their requests, and global requests, over anything
// that carries packets.
//
//	conn := connection.New(packets, connection.Options{Metadata: meta})
//	client := ssh.NewClient(conn, conn.Channels(), conn.Requests())
//
// A Conn is an ssh.Conn of golang.org/x/crypto/ssh, and its channels are
// ssh.Channels. One thing differs: an ssh.Request can be answered by x/crypto
// alone, so a request that wants a reply is answered here, by Options.Answer or
// with a failure, and is then passed on with WantReply false.
//
// One goroutine, started by New, reads packets until the connection ends. It
// never waits for the program: what comes in is kept within bounds, which the
// peer cannot exceed.
package connection
