package terminal

import "golang.org/x/sys/unix"

func charModes() []charMode {
	return []charMode{
		{1, unix.VINTR}, {2, unix.VQUIT}, {3, unix.VERASE}, {4, unix.VKILL},
		{5, unix.VEOF}, {6, unix.VEOL}, {7, unix.VEOL2}, {8, unix.VSTART},
		{9, unix.VSTOP}, {10, unix.VSUSP}, {11, unix.VDSUSP}, {12, unix.VREPRINT},
		{13, unix.VWERASE}, {14, unix.VLNEXT}, {17, unix.VSTATUS}, {18, unix.VDISCARD},
	}
}

func inputModes() []flagMode {
	return []flagMode{
		{30, unix.IGNPAR}, {31, unix.PARMRK}, {32, unix.INPCK}, {33, unix.ISTRIP},
		{34, unix.INLCR}, {35, unix.IGNCR}, {36, unix.ICRNL}, {38, unix.IXON},
		{39, unix.IXANY}, {40, unix.IXOFF}, {41, unix.IMAXBEL},
	}
}

func localModes() []flagMode {
	return []flagMode{
		{50, unix.ISIG}, {51, unix.ICANON}, {53, unix.ECHO}, {54, unix.ECHOE},
		{55, unix.ECHOK}, {56, unix.ECHONL}, {57, unix.NOFLSH}, {58, unix.TOSTOP},
		{59, unix.IEXTEN}, {60, unix.ECHOCTL}, {61, unix.ECHOKE}, {62, unix.PENDIN},
	}
}

func outputModes() []flagMode {
	return []flagMode{
		{70, unix.OPOST}, {72, unix.ONLCR}, {73, unix.OCRNL}, {74, unix.ONOCR},
		{75, unix.ONLRET},
	}
}

// The speeds on this system are plain numbers, not codes.
func outputSpeed(t *unix.Termios) uint32 { return uint32(t.Ospeed) }
func inputSpeed(t *unix.Termios) uint32  { return uint32(t.Ispeed) }
