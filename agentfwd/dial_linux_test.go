package agentfwd

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// fullAgent is an agent that accepts nothing, and whose queue is full. accept
// takes one connection off the queue.
func fullAgent(t *testing.T) (socket string, accept func()) {
	t.Helper()
	socket = filepath.Join(shortDir(t), "full")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: socket}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	connect(t, socket, nil)
	return socket, func() {
		conn, _, err := syscall.Accept(fd)
		if err != nil {
			t.Error(err)
			return
		}
		syscall.Close(conn)
	}
}

func TestDialWaitsForRoomInTheQueue(t *testing.T) {
	socket, accept := fullAgent(t)
	_, err := Dial(t.Context(), at(socket), &Options{DialTimeout: 5 * backlogRetry})
	if !errors.As(err, new(*UnavailableError)) || !errors.Is(err, ErrTimeout) {
		t.Errorf("queue full: error %v", err)
	}
	timer := time.AfterFunc(2*backlogRetry, accept)
	defer timer.Stop()
	c, err := Dial(t.Context(), at(socket), nil)
	if err != nil {
		t.Fatalf("room in the queue: %v", err)
	}
	c.Close()
}
