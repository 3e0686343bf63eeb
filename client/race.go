package client

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// attemptDelay is the Connection Attempt Delay of RFC 8305, section 8.
const attemptDelay = 250 * time.Millisecond

// dialFunc connects to one address.
type dialFunc func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)

// race connects to the first of addrs that answers: each attempt starts when
// the one before it has failed, or has not answered for 250 ms (RFC 8305,
// section 5). The losers are closed. The error is that of the last address to
// fail, as ssh reports it.
func race(ctx context.Context, addrs []netip.AddrPort, dial dialFunc) (net.Conn, error) {
	if len(addrs) == 0 {
		return nil, errors.New("no address")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan attempt, len(addrs))
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last error
	started, pending := 0, 0
	for {
		next := timer.C
		if started == len(addrs) {
			next = nil
		}
		select {
		case <-next:
			go tryAddress(ctx, addrs[started], dial, results)
			started++
			pending++
			timer.Reset(attemptDelay)
		case r := <-results:
			pending--
			if r.err == nil {
				go drain(results, pending)
				return r.conn, nil
			}
			last = r.err
			if started == len(addrs) && pending == 0 {
				return nil, last
			}
			timer.Reset(0)
		}
	}
}

// attempt is the outcome of one address.
type attempt struct {
	conn net.Conn
	err  error
}

// tryAddress ends with the dial, which ends with ctx at the latest.
func tryAddress(ctx context.Context, addr netip.AddrPort, dial dialFunc, results chan<- attempt) {
	conn, err := dial(ctx, addr)
	results <- attempt{conn, err}
}

// drain closes what still connects after the race; it ends with the last of
// the n attempts, all of them cancelled.
func drain(results <-chan attempt, n int) {
	for range n {
		if r := <-results; r.conn != nil {
			r.conn.Close()
		}
	}
}

// interleave orders addresses as RFC 8305, section 4 says: the families take
// turns, beginning with that of the resolver's first address.
func interleave(addrs []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}
