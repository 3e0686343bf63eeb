package keepalive

import "time"

// send begins a request, unless one is out. It does not wait for anything.
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

// ask sends one request and waits for the answer, on a goroutine of its own,
// since neither can be called off. It ends with the answer or the connection.
func (m *Monitor) ask() {
	start := m.now()
	_, _, err := m.conn.SendRequest(RequestName, true, nil)
	end := m.now()

	m.mu.Lock()
	m.failed = err
	if err == nil {
		// Success or failure is the same to us.
		m.answered.Store(int64(end))
		m.stats.addRTT(end - start)
	}
	m.mu.Unlock()
	m.outstanding.Store(false)
	select {
	case m.answers <- struct{}{}:
	default: // the one before was not seen yet; it does for both
	}
}

// broken says whether the last request failed in a way that ends the Monitor:
// with a watched net.Conn that is not for the request to say.
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

// addRTT takes in the time from one request to its answer.
func (s *Stats) addRTT(rtt time.Duration) {
	if s.SmoothedRTT == 0 {
		s.SmoothedRTT = rtt
	}
	s.RTT = rtt
	s.SmoothedRTT += (rtt - s.SmoothedRTT) / 8
	s.WorstRTT = max(s.WorstRTT, rtt)
}
