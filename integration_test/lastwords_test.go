//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"testing"

	"github.com/gossh-project/gossh/internal/sshtest/faultnet"
	"github.com/gossh-project/gossh/internal/sshtest/opensshd"
)

var counted = regexp.MustCompile(`\d+(\.\d+)?`)

// TestLastWords: what is said at LogLevel VERBOSE of how a connection ended,
// the figures apart, is what ssh says. It dies of some ends on the spot, and
// counts no bytes then.
func TestLastWords(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*faultnet.Proxy, io.WriteCloser){
		"session ends": func(_ *faultnet.Proxy, in io.WriteCloser) { in.Close() },
		"corrupted": func(p *faultnet.Proxy, in io.WriteCloser) {
			sent, _ := p.Bytes(faultnet.Down)
			p.CorruptAt(faultnet.Down, sent+20) // behind the length
			io.WriteString(in, "x")
		},
		"cut": func(p *faultnet.Proxy, _ io.WriteCloser) { p.Cut() },
	} {
		t.Run(name, func(t *testing.T) {
			w := withSSHD(t, opensshd.Options{})
			p, err := faultnet.NewProxy(w.srv.Addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			said := func(program func(...string) *exec.Cmd) outcome {
				// With these the length is not encrypted.
				cmd := program("-o", fmt.Sprint("Port=", p.Port()), "-o", "LogLevel=VERBOSE", "-c", "aes128-ctr", "-m", "hmac-sha2-256-etm@openssh.com",
					"-o", "ServerAliveInterval=0", "sshd", "echo up; cat")
				in, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				out := &firstBytes{came: make(chan struct{})}
				cmd.Stdout = out
				var errs bytes.Buffer
				cmd.Stderr = &errs
				go func() { // ends with the first output, or with the test
					select {
					case <-out.came:
						end(p, in)
					case <-t.Context().Done():
					}
				}()
				o := w.run(cmd)
				o.stderr = counted.ReplaceAllString(errs.String(), "N")
				return o
			}
			compare(t, name, said(w.gossh), said(w.ssh))
		})
	}
}
