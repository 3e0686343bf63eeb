package cli

import (
	"bytes"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/session"
)

// Unless RequestTTY asks for a terminal, pty-req goes out without waiting for its
// answer (see session.Cmd.TTY), so that a refused terminal shows only in what the session does. Of a terminal's
// output the lines end in \r\n: as soon as a \r has come, all is well. If none
// has come in ptyPatience, the same server is asked for another terminal on a
// channel that is closed again at once, and its answer taken for the first.

// ptyPatience is longer than most logins take to say something.
const ptyPatience = time.Second

// ptyCheck watches a session's standard output for the first \r.
type ptyCheck struct {
	to      io.Writer
	crash   *process.Guard
	settled func(granted bool) // called once, from any goroutine
	ask     func() (granted, known bool)

	once  sync.Once
	timer *time.Timer
}

// start begins the wait. It comes before the first Write.
func (k *ptyCheck) start() { k.timer = time.AfterFunc(ptyPatience, func() { k.crash.Run(k.inquire) }) }

// inquire ends with the server's answer, at the latest with the connection.
func (k *ptyCheck) inquire() {
	if granted, known := k.ask(); known {
		k.settle(granted)
		return
	}
	k.settle(true) // nothing is known against it
}

func (k *ptyCheck) settle(granted bool) { k.once.Do(func() { k.settled(granted) }) }

// stop ends the wait at the session's end: nothing is settled any more.
func (k *ptyCheck) stop() {
	k.once.Do(func() {})
	if k.timer != nil {
		k.timer.Stop()
	}
}

func (k *ptyCheck) Write(p []byte) (int, error) {
	if bytes.IndexByte(p, '\r') >= 0 {
		k.settle(true)
		if k.timer != nil {
			k.timer.Stop()
		}
	}
	return k.to.Write(p)
}

// askForPTY asks the server for a terminal that is not used.
func askForPTY(conn session.Conn, tty *session.TTY) (granted, known bool) {
	ch, reqs, err := conn.OpenChannel("session", nil)
	if err != nil {
		return false, false
	}
	go ssh.DiscardRequests(reqs) // ends with the channel
	defer ch.Close()
	granted, err = ch.SendRequest("pty-req", true, tty.Marshal())
	return granted, err == nil
}
