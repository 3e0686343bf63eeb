package sshkey

import (
	"context"
	"io"
	"io/fs"
	"os"
)

// maxFile is far above any key file, also one with many certificates, so that a
// mistaken path costs little.
const maxFile = 16 << 20

// ReadFile reads a key file of any kind: pipes and devices are read to their
// end, whatever size they claim to have. Opening a named pipe waits for a
// writer. If ctx ends meanwhile, ReadFile returns its cause and leaves the pipe
// to a goroutine, which ends with it.
//
// The error is ErrFormat for what is too large. The information is of the file
// that was opened, and is nil only if none was.
func ReadFile(ctx context.Context, name string) (data []byte, info fs.FileInfo, err error) {
	if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() {
		return readFile(name)
	}
	type result struct {
		data []byte
		info fs.FileInfo
		err  error
	}
	done := make(chan result)
	go func() {
		data, info, err := readFile(name)
		select {
		case done <- result{data, info, err}:
		case <-ctx.Done():
			clear(data)
		}
	}()
	select {
	case r := <-done:
		return r.data, r.info, r.err
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

func readFile(name string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Mode().IsRegular() && info.Size() > maxFile {
		return nil, info, ErrFormat
	}
	data, err := readAll(f, int(info.Size()))
	return data, info, err
}

// readAll reads up to maxFile bytes and overwrites the buffers that it grows out
// of, as io.ReadAll does not.
func readAll(r io.Reader, size int) ([]byte, error) {
	data := make([]byte, 0, min(max(size, 4<<10), maxFile)+1)
	for {
		if len(data) == cap(data) {
			grown := append(make([]byte, 0, 2*cap(data)), data...)
			clear(data)
			data = grown
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF:
			return data, nil
		case err == nil && len(data) > maxFile:
			err = ErrFormat
			fallthrough
		case err != nil:
			clear(data)
			return nil, err
		}
	}
}
