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
package keepalive
