package connection

import "sync"

// queue passes values from the reader of packets to the program without ever
// blocking the reader. Beyond what the Go channel holds a goroutine feeds it,
// which ends when the queue is empty or done is closed.
type queue[T any] struct {
	ch   chan T
	done <-chan struct{}
	max  int

	mu      sync.Mutex
	waiting []T
	feeding bool
	closed  bool
}

func newQueue[T any](size, max int, done <-chan struct{}) *queue[T] {
	return &queue[T]{ch: make(chan T, size), max: max, done: done}
}

// push adds a value. It reports false if too many wait.
func (q *queue[T]) push(v T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return true
	}
	if !q.feeding {
		select {
		case q.ch <- v:
			return true
		default:
		}
		q.feeding = true
		q.waiting = append(q.waiting, v)
		go q.feed()
		return true
	}
	if len(q.waiting) >= q.max {
		return false
	}
	q.waiting = append(q.waiting, v)
	return true
}

// close ends the queue once it is empty: the Go channel is closed.
func (q *queue[T]) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	if !q.feeding {
		close(q.ch)
	}
}

func (q *queue[T]) feed() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.feeding = false
			if q.closed {
				close(q.ch)
			}
			q.mu.Unlock()
			return
		}
		v := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		select {
		case q.ch <- v:
		case <-q.done:
			q.mu.Lock()
			q.waiting = nil
			q.mu.Unlock()
		}
	}
}
