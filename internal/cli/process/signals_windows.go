package process

import (
	"os"
	"syscall"
)

func endSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

func signalNumber(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return int(n)
	}
	return 0
}

func deadlySignals() []os.Signal { return nil }
func prepareSignals()            {}
func die(os.Signal)              {}
func raise(os.Signal)            {}
func isTerm(s os.Signal) bool    { return s == syscall.SIGTERM }
func isQuit(os.Signal) bool      { return false }
