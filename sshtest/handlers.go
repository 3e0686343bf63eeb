package sshtest

import (
	"bytes"
	"io"
)

// Cat is a Handler that sends back what it reads, until EOF.
func Cat(s *Session) Exit {
	io.Copy(s, s)
	return Exit{}
}

// Deaf is a Handler that neither reads nor writes, until the channel is
// closed: what the client sends fills its window.
func Deaf(s *Session) Exit {
	<-s.Context().Done()
	return Exit{}
}

// Say makes a Handler that writes both streams and ends.
func Say(stdout, stderr string, exit Exit) Handler {
	return func(s *Session) Exit {
		io.WriteString(s, stdout)
		io.WriteString(s.Stderr(), stderr)
		return exit
	}
}

// Flood makes a Handler that writes that many bytes (as many 'o' and 'e') to
// standard output and standard error at the same time.
func Flood(stdout, stderr int64) Handler {
	return func(s *Session) Exit {
		done := make(chan struct{})
		go func() { // ends with the bytes or the channel
			defer close(done)
			fill(s.Stderr(), 'e', stderr)
		}()
		fill(s, 'o', stdout)
		<-done
		return Exit{}
	}
}

func fill(w io.Writer, c byte, n int64) {
	block := bytes.Repeat([]byte{c}, 32<<10)
	for n > 0 {
		m, err := w.Write(block[:min(n, int64(len(block)))])
		if err != nil {
			return
		}
		n -= int64(m)
	}
}
