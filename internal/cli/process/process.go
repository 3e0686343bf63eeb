// Package process is about the process itself: the signals that it gets, panics
// while the terminal is raw, children in the background, and its memory.
package process

import "os"

// Std holds the descriptors that the process was started with.
type Std struct {
	Stdin, Stdout, Stderr *os.File
}

// Background starts the program again as a child in the background.
type Background struct {
	Program string   // the name that messages begin with
	Invoked string   // argv[0]
	Args    []string // the other arguments
	Std     Std
	Signals *Signals
}
