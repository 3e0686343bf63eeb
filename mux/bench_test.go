//go:build linux || darwin || freebsd

package mux_test

import (
	"os"
	"testing"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// BenchmarkSession runs `true` over a real sshd, from connecting to the control
// socket to the exit status, by our client at either master.
func BenchmarkSession(b *testing.B) {
	sshd := opensshd.NewServer(b, nil)
	for _, m := range masters(sshd, &openSSH{needSSH(b), sshd.Config}) {
		b.Run(m.name, func(b *testing.B) {
			path, _, _ := m.start(b)
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer null.Close()
			fd := int(null.Fd())
			for b.Loop() {
				c, err := mux.Connect(b.Context(), path, mux.ClientOptions{})
				if err != nil {
					b.Fatal(err)
				}
				s, err := c.NewSession(b.Context(), mux.SessionRequest{Command: "true"}, [3]int{fd, fd, fd})
				if err != nil {
					b.Fatal(err)
				}
				if status, err := s.Wait(); status != 0 {
					b.Fatal(status, err)
				}
			}
		})
	}
}

// BenchmarkOutput moves 64 MiB from the server to a passenger's pipe.
func BenchmarkOutput(b *testing.B) {
	sshd := opensshd.NewServer(b, nil)
	for _, m := range masters(sshd, &openSSH{needSSH(b), sshd.Config}) {
		b.Run(m.name, func(b *testing.B) {
			path, _, _ := m.start(b)
			const size = 64 << 20
			b.SetBytes(size)
			for b.Loop() {
				c, err := mux.Connect(b.Context(), path, mux.ClientOptions{})
				if err != nil {
					b.Fatal(err)
				}
				std := newStdio(b)
				s, err := c.NewSession(b.Context(), mux.SessionRequest{Command: "head -c 67108864 /dev/zero"}, std.fds())
				if err != nil {
					b.Fatal(err)
				}
				std.closeOurs()
				std.stdin.Close()
				if status, err := s.Wait(); status != 0 || len(std.stdout.String()) != size {
					b.Fatal(status, err)
				}
			}
		})
	}
}
