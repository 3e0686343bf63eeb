// Package integration_test runs the whole program as people and tools do: a
// real process, with pipes or on a pseudo-terminal, against a real sshd, and
// against the in-process server where a server has to misbehave. Where OpenSSH
// has a say, its client runs the same command and the two are compared.
//
// The tests are for Linux, whose /proc and termios they read.
package integration_test
