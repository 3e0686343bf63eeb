package forward

import "sync"

// numbers gives out the lowest number that is free, as OpenSSH numbers its
// channels.
type numbers struct {
	mu    sync.Mutex
	taken []bool
}

func (n *numbers) take() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, taken := range n.taken {
		if !taken {
			n.taken[i] = true
			return i
		}
	}
	n.taken = append(n.taken, true)
	return len(n.taken) - 1
}

// give frees a number, and returns how many were taken until then.
func (n *numbers) give(number int) (open int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, taken := range n.taken {
		if taken {
			open++
		}
	}
	n.taken[number] = false
	return open
}
