package terminal

import "io"

// Input reads a handle that other programs may share, such as stdin.
type Input struct{ fd int }

// NewInput returns an Input for fd.
func NewInput(fd int) (*Input, error) { return &Input{fd}, nil }

// Read reads what is there.
func (in *Input) Read(p []byte) (int, error) { return 0, io.EOF }

// Cancel ends a Read in progress.
func (in *Input) Cancel() {}

// Close cancels and waits.
func (in *Input) Close() error { return nil }

// Output writes to a handle that other programs may share, such as stdout.
type Output struct{ fd int }

// NewOutput returns an Output for fd.
func NewOutput(fd int) (*Output, error) { return &Output{fd}, nil }

// Write writes all of p.
func (out *Output) Write(p []byte) (int, error) { return 0, io.ErrClosedPipe }

// Cancel ends a Write in progress.
func (out *Output) Cancel() {}

// Close cancels and waits.
func (out *Output) Close() error { return nil }
