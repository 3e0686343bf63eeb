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

func (n *numbers) give(numbers ...int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, i := range numbers {
		n.taken[i] = false
	}
}
