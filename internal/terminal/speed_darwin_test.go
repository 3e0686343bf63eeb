package terminal

import "golang.org/x/sys/unix"

func setSpeed(t *unix.Termios, speed uint64) { t.Ispeed, t.Ospeed = speed, speed }
