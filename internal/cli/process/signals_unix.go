//go:build unix

package process

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// endSignals returns the signals that end a session.
func endSignals() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
}

// deadlySignals returns the signals that end ssh but not a Go program.
func deadlySignals() []os.Signal { return []os.Signal{syscall.SIGQUIT, syscall.SIGALRM} }

// prepareSignals makes a write to a closed standard output or error return an
// error, like ssh, which ignores SIGPIPE. Child processes get the default.
func prepareSignals() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2} {
		defaultSignal(sig)
	}
}

func signalNumber(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return int(n)
	}
	return 0
}

func isTerm(s os.Signal) bool { return s == syscall.SIGTERM }
func isQuit(s os.Signal) bool { return s == syscall.SIGQUIT }

// raise sends a signal to this process and waits a moment, because the signal may
// reach another thread.
func raise(s os.Signal) {
	if n, ok := s.(syscall.Signal); ok {
		syscall.Kill(os.Getpid(), n)
		time.Sleep(time.Second)
	}
}
