// Package faultnet simulates networks that are slow, stall, discard and corrupt
// data, and break.
//
// [Wrap] adds faults to a net.Conn, and [NewProxy] is a TCP proxy with faults. The
// [Link] of either changes the faults while the test runs:
//
//	p, err := faultnet.NewProxy(srv.Addr())
//	// connect to p.Addr()
//	p.SetLatency(faultnet.Both, 100*time.Millisecond)
//	p.BlackHole(faultnet.Down)
//
// [Pipe] is a buffered connection in memory with deadlines and half closes. Wrapped,
// it works in a testing/synctest bubble, in which latency costs no time.
package faultnet
