//go:build unix

package sshtest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

const havePTY = true

// ptyIdle is how long the pseudo-terminal of an exited command may be silent
// before the output of other processes on it is abandoned.
const ptyIdle = 200 * time.Millisecond

func setProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// signalGroup sends a signal, named as in RFC 4254, to the command's process
// group.
func signalGroup(cmd *exec.Cmd, name string) {
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		syscall.Kill(-cmd.Process.Pid, sig)
	}
}

func exitOf(state *os.ProcessState) Exit {
	ws, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !ws.Signaled() {
		return Status(state.ExitCode())
	}
	return Exit{Signal: strings.TrimPrefix(unix.SignalName(ws.Signal()), "SIG"), CoreDumped: ws.CoreDump()}
}

// runOnPTY runs cmd as the leader of a session on a new pseudo-terminal.
func (s *Session) runOnPTY(cmd *exec.Cmd) error {
	w := s.PTY.Window
	blocking, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(w.Rows), Cols: uint16(w.Columns),
		X: uint16(w.WidthPixels), Y: uint16(w.HeightPixels)})
	if err != nil {
		return err
	}
	f, err := nonblocking(blocking)
	if err != nil {
		signalGroup(cmd, "KILL")
		return errors.Join(err, cmd.Wait())
	}
	defer f.Close()
	// Ends with the channel. The client's EOF is ignored, as in sshd: a terminal
	// has none.
	s.Conn.wg.Go(func() { copyTo(f, s) })

	var exited atomic.Bool
	copied := make(chan struct{})
	s.Conn.wg.Go(func() {
		defer close(copied)
		s.copyFromPTY(f, &exited)
	})
	ended := make(chan struct{})
	defer close(ended)
	s.Conn.wg.Go(func() {
		s.attend(cmd, ended, func(w Window) { resize(f, w) }, func() { f.Close() })
	})
	err = cmd.Wait()
	exited.Store(true)
	if f.SetReadDeadline(time.Now().Add(ptyIdle)) != nil {
		time.AfterFunc(ptyIdle, func() { f.Close() })
	}
	<-copied
	return err
}

// copyFromPTY sends the command's output. When the last process closes the
// terminal, Linux reports EIO and other systems EOF. A background process may
// hold it open; so after the command has exited, an idle terminal ends the copy,
// too.
func (s *Session) copyFromPTY(f *os.File, exited *atomic.Bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := f.Read(buf)
		if n > 0 {
			if _, werr := s.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
		if exited.Load() {
			f.SetReadDeadline(time.Now().Add(ptyIdle))
		}
	}
}

// copyTo copies the client's input until the channel or the terminal has ended.
func copyTo(f *os.File, s *Session) {
	buf := make([]byte, 4<<10)
	for {
		n, err := s.Read(buf)
		if n > 0 {
			if _, werr := f.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// nonblocking returns a file of creack/pty, which is in blocking mode, for Go's
// poller, so that Close and deadlines end a Read.
func nonblocking(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// resize sets the window size. pty.Setsize would set the file to blocking mode.
func resize(f *os.File, w Window) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	size := &unix.Winsize{Row: uint16(w.Rows), Col: uint16(w.Columns), Xpixel: uint16(w.WidthPixels), Ypixel: uint16(w.HeightPixels)}
	raw.Control(func(fd uintptr) { unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size) })
}
