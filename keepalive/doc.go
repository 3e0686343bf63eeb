// Package keepalive detects that an SSH peer is gone, and closes the connection
// to it.
//
// Wrap the net.Conn before the handshake, and start a Monitor after it:
//
//	watched := keepalive.WrapConn(netConn)
//	conn, chans, reqs, err := ssh.NewClientConn(watched, addr, config)
//	…
//	mon := keepalive.Start(conn, watched, keepalive.DefaultOptions())
//	defer mon.Stop()
//	…
//	err = conn.Wait() // errors.Is(err, keepalive.ErrPeerLost) if the peer fell silent
//
// A client of ssh.Dial does not give out its net.Conn. It can be monitored by the
// answers to keepalives alone (see [Start]):
//
//	mon := keepalive.Start(client, nil, keepalive.DefaultOptions())
//	client.Wait()
//	err = mon.Err()
//
// # The rule
//
// The rule is that of ServerAliveInterval and ServerAliveCountMax in ssh_config(5).
// A sign of life is any byte received on the net.Conn, or an answer to a request,
// success or failure. Each sign of life restarts a timer of Interval. When the timer
// expires, a count is incremented and a keepalive@openssh.com global request
// (RFC 4254, section 4) is sent. When the count exceeds CountMax, the peer is lost.
// This is Interval × (CountMax+1) after its last byte: 60 s for 15 s and 3.
//
// The decision does not wait for anything. A request may be blocked by a full send
// buffer, or by another caller of SendRequest, since an ssh.Conn has one outstanding
// request at a time and no deadline for it. At the next tick the count is
// incremented all the same, and no second request is made. When the peer is lost,
// the net.Conn is closed, which unblocks every call that waits for it.
//
// # Exceptions
//
// After a machine slept, or a process was stopped, its timers are due although it
// could not read anything. So if a timer fires a second late or more, or if the
// system clock has run while the monotonic clock stood still, the peer gets its whole
// budget again, and a request is sent at once.
//
// The peer cannot answer a request that has not reached it. A request may be queued
// behind megabytes of outgoing data: at 50 KB/s, 4 MB take 80 seconds. It proves
// nothing that the send buffer accepts data, since it does so even if the network
// drops everything. It is proof if data has left the buffer. So while a request is
// outstanding, a tick does not count if since the previous tick
//
//   - on Linux, over TCP: the peer has acknowledged more of the data ahead of the
//     request (TCP_INFO, SIOCOUTQ). Acknowledgements of later data do not count,
//     since the kernel sends them even if sshd hangs.
//   - on other systems, and through a ProxyCommand: a Write that was blocked at the
//     previous tick has completed, for which there must have been room.
//   - through a jump host in this process: either of them, the first for the TCP
//     connection to the jump host.
//
// Both are bounded: the first by the data that was queued when the request was made,
// the second by the size of the buffers on the way. After that, and without queued
// data, the rule applies unchanged.
//
// # Goroutines
//
// A Monitor has one goroutine, which sleeps until its timer fires. It does not poll,
// and a busy connection wakes it once per interval. While a request is outstanding
// there is a second goroutine, which ends with the answer or the connection. Neither
// allocates memory; SendRequest of the SSH package does.
package keepalive
