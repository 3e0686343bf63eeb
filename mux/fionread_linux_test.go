package mux_test

import "golang.org/x/sys/unix"

// fionread asks how many bytes are in a pipe.
const fionread = unix.TIOCINQ
