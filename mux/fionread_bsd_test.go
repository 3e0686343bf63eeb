//go:build darwin || freebsd

package mux_test

// fionread asks how many bytes are in a pipe (FIONREAD).
const fionread = 0x4004667f
