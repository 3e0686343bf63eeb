// Package keepalive finds out that an SSH peer is gone, and ends the
// connection to it.
//
// Wrap the net.Conn before the handshake, start a Monitor after it:
//
//	watched := keepalive.WrapConn(netConn)
//	conn, chans, reqs, err := ssh.NewClientConn(watched, addr, config)
//	…
//	mon := keepalive.Start(conn, watched, keepalive.DefaultOptions())
//	defer mon.Stop()
//	…
//	err = conn.Wait() // errors.Is(err, keepalive.ErrPeerLost) if the peer fell silent
//
// A client of ssh.Dial, whose net.Conn is out of reach, can be watched as well,
// by answers alone (see [Start]):
//
//	mon := keepalive.Start(client, nil, keepalive.DefaultOptions())
//	client.Wait()
//	err = mon.Err()
//
// # The rule
//
// It is that of ServerAliveInterval and ServerAliveCountMax in ssh_config(5).
// A sign of life is any byte received on the net.Conn, ciphertext and all, or
// an answer, success or failure, to a request. A timer of Interval starts anew
// at each. When it expires a count goes up and a keepalive@openssh.com global
// request (RFC 4254 section 4) goes out; when the count passes CountMax the
// peer is lost. So a peer is dead Interval × (CountMax+1) after its last byte:
// 60 s for 15 s and 3.
//
// The verdict waits for nothing. A request may be stuck behind a full send
// buffer, or behind another caller of SendRequest, since an ssh.Conn has one
// request outstanding at a time and no deadline for it: at the next tick the
// count goes up all the same, and no second request is made. On the verdict
// the net.Conn is closed, which makes every call that waits on it return.
//
// # What is not held against the peer
//
// A machine that slept, or a process that was stopped, wakes with its timers
// due and has read nothing meanwhile. So a timer that fires a second late or
// more, or a system clock that ran on while the monotonic clock stood still,
// gives the peer the whole budget again; it is asked at once.
//
// A question that has not reached the peer cannot be answered. A request may
// lie behind megabytes of our own in the send buffer: at 50 KB/s, 4 MB take 80
// seconds. Bytes that the buffer accepts prove nothing, for a black hole fills
// one too; but bytes that left it for good do. So while a request waits, a tick
// does not count if, since the tick before,
//
//   - on Linux, over TCP: the peer acknowledged more of what was queued ahead of
//     the request (TCP_INFO, SIOCOUTQ). Acknowledgements of what was sent later
//     are no life: the kernel of a machine whose sshd hangs gives them too.
//   - elsewhere, and through a ProxyCommand: a Write that was held up at the tick
//     before went through, which it could only if room was made.
//   - through a jump host of this process: either, the first on the TCP connection
//     to the jump host.
//
// Both are bounded: the first by what was queued when the request was made,
// the second by the buffers on the way, since a path that leads nowhere stops
// taking bytes when they are full. From then on the rule stands as it is.
// Without a backlog nothing of this applies.
//
// # Goroutines
//
// A Monitor is one goroutine, asleep until its timer; it does not poll, and a
// busy connection wakes it once an interval. While a request is out there is a
// second one, which ends with the answer or with the connection. Neither makes
// garbage; the SSH package's own SendRequest does.
package keepalive
