//go:build linux

package integration_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestStopEndsMaster: after -O stop a master without a session
// serves those that are there, and ends with the last of them.
func TestStopEndsMaster(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*world) string{
		"gossh": func(*world) string { return gosshPath },
		"ssh":   func(w *world) string { return w.ssh().Path },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := withSSHD(t, opensshd.Options{})
			program := command(w)
			socket := w.path("s")
			ended := make(chan outcome, 1)
			master := w.command(program, "-MNS", socket, "sshd")
			go func() { ended <- w.run(master) }()
			eventually(t, "the master listens", func() bool {
				_, err := os.Stat(socket)
				return err == nil
			})

			session := w.command(program, "-S", socket, "sshd", "echo up; read answer; exit $answer")
			in, out := startPiped(t, session)
			if _, err := io.ReadFull(out, make([]byte, len("up\n"))); err != nil {
				t.Fatal(err)
			}
			stop := "Stop listening request sent.\r\n"
			w.run(w.command(program, "-S", socket, "-O", "stop", "sshd")).want(t, 0, "", &stop)
			if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket is still there: %v", err)
			}
			select {
			case o := <-ended:
				t.Fatalf("the master has ended under a session: %v", o)
			default:
			}
			io.WriteString(in, "3\n")
			session.Wait()
			if status := session.ProcessState.ExitCode(); status != 3 {
				t.Errorf("the session's status is %d", status)
			}
			(<-ended).want(t, 255, "", silent())
		})
	}
}
