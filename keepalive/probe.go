package keepalive

import "time"

// send starts a request, unless one is outstanding. It does not block.
func (m *Monitor) send(now time.Duration) {
	if !m.outstanding.CompareAndSwap(false, true) {
		return
	}
	m.judge.asked = now
	m.judge.backlog.begin(m.watched)
	m.mu.Lock()
	m.stats.ProbesSent++
	m.mu.Unlock()
	m.debug("sending " + RequestName)
	go m.request()
}

// ask sends one request and waits for the answer. It runs in its own goroutine, since
// neither can be canceled, and ends with the answer or the connection.
func (m *Monitor) ask() {
	start := m.now()
	_, _, err := m.conn.SendRequest(RequestName, true, nil)
	end := m.now()

	m.mu.Lock()
	m.failed = err
	if err == nil {
		// Success and failure are both answers.
		m.answered.Store(int64(end))
		m.stats.addRTT(end - start)
	}
	m.mu.Unlock()
	m.outstanding.Store(false)
	select {
	case m.answers <- struct{}{}:
	default: // the previous one has not been seen yet
	}
}

// broken reports whether the last request failed in a way that ends the Monitor. With a
// watched net.Conn a failed request does not end it.
func (m *Monitor) broken() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.watched == nil && m.failed != nil
}

func (m *Monitor) missed() {
	m.mu.Lock()
	m.stats.ProbesMissed++
	m.mu.Unlock()
}

// addRTT adds the round-trip time of a request to the statistics.
func (s *Stats) addRTT(rtt time.Duration) {
	if s.SmoothedRTT == 0 {
		s.SmoothedRTT = rtt
	}
	s.RTT = rtt
	s.SmoothedRTT += (rtt - s.SmoothedRTT) / 8
	s.WorstRTT = max(s.WorstRTT, rtt)
}
