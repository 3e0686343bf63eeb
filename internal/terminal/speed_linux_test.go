package terminal

import "golang.org/x/sys/unix"

func setSpeed(t *unix.Termios, speed uint32) {
	for _, code := range []uint32{unix.B0, unix.B9600, unix.B38400, unix.B115200, unix.B230400} {
		if baud(code) == speed {
			t.Cflag = t.Cflag&^unix.CBAUD | code
		}
	}
}
