//go:build linux || darwin || freebsd

package terminal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func newInput(t *testing.T, f *os.File) *Input {
	t.Helper()
	in, err := NewInput(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in
}

// A session ends while its reader waits for a key: the key typed next belongs
// to the shell.
func TestInputCloseTakesNoKey(t *testing.T) {
	master, slave := openPTY(t)
	state, err := MakeRaw(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	in := newInput(t, slave)
	ended := make(chan error, 1)
	first := make(chan string, 1)
	go func() {
		buf := make([]byte, 16)
		n, _ := in.Read(buf)
		first <- string(buf[:n])
		_, err := in.Read(buf)
		ended <- err
	}()
	io.WriteString(master, "a")
	if got := <-first; got != "a" {
		t.Fatalf("read %q", got)
	}
	in.Close()
	if err := <-ended; err != ErrCanceled {
		t.Errorf("Read ended with %v", err)
	}
	state.Restore()

	io.WriteString(master, "ls\n")
	buf := make([]byte, 16)
	if n, err := slave.Read(buf); err != nil || string(buf[:n]) != "ls\n" {
		t.Errorf("the next reader got %q, %v", buf[:n], err)
	}
	if nonblocking(t, slave) {
		t.Error("O_NONBLOCK was left on the descriptor")
	}
}

// After Cancel not even what is already there is taken.
func TestInputCancelWins(t *testing.T) {
	r, w := pipe(t)
	io.WriteString(w, "for the next")
	in := newInput(t, r)
	in.Cancel()
	if n, err := in.Read(make([]byte, 16)); n != 0 || err != ErrCanceled {
		t.Errorf("Read: %d, %v", n, err)
	}
	in.Close()
	in.Close()
	if n, err := in.Read(make([]byte, 16)); n != 0 || err != ErrCanceled {
		t.Errorf("Read after Close: %d, %v", n, err)
	}
	buf := make([]byte, 16)
	if n, _ := r.Read(buf); string(buf[:n]) != "for the next" {
		t.Errorf("the next reader got %q", buf[:n])
	}
}

func TestInputKinds(t *testing.T) {
	regular := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(regular, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(regular)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	piped, pipeEnd := pipe(t)
	io.WriteString(pipeEnd, "hello")
	pipeEnd.Close()
	nonblock, nonblockEnd := pipe(t)
	if err := unix.SetNonblock(int(nonblock.Fd()), true); err != nil {
		t.Fatal(err)
	}
	go func() {
		io.WriteString(nonblockEnd, "hello")
		nonblockEnd.Close()
	}()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket, socketEnd := os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket")
	defer socket.Close()
	io.WriteString(socketEnd, "hello")
	socketEnd.Close()

	for _, test := range []struct {
		name string
		file *os.File
		want string
	}{
		{"regular file", file, "hello"}, {"/dev/null", null, ""}, {"pipe", piped, "hello"},
		{"non-blocking pipe", nonblock, "hello"}, {"socket", socket, "hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := io.ReadAll(newInput(t, test.file))
			if err != nil || string(got) != test.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestInputBadDescriptor(t *testing.T) {
	in, err := NewInput(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, unix.EBADF) {
		t.Errorf("got %v", err)
	}
}

// Somebody else has made the shared descriptor non-blocking, and the pipe is
// full: Write waits until there is room.
func TestOutputNonblocking(t *testing.T) {
	r, w := pipe(t)
	if err := unix.SetNonblock(int(w.Fd()), true); err != nil {
		t.Fatal(err)
	}
	out, err := NewOutput(int(w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	var got []byte
	var reading sync.WaitGroup
	reading.Go(func() { got, _ = io.ReadAll(r) })
	n, err := out.Write(data)
	if n != len(data) || err != nil {
		t.Errorf("Write: %d, %v", n, err)
	}
	out.Close()
	w.Close()
	reading.Wait()
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived", len(got))
	}
}

func TestOutputCancelFull(t *testing.T) {
	for _, kind := range []string{"pipe", "pipe by chunks", "terminal"} {
		t.Run(kind, func(t *testing.T) {
			var w *os.File
			if kind != "terminal" {
				_, w = pipe(t)
			} else {
				var master *os.File
				master, w = openPTY(t)
				io.WriteString(master, "\x13") // ^S
				await(t, "the stop", func() bool { return !writable(t, w) })
			}
			out, err := NewOutput(int(w.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			if kind == "pipe by chunks" {
				out.mode = writeApart
			}
			ended := make(chan error, 1)
			go func() {
				_, err := out.Write(make([]byte, 1<<20))
				ended <- err
			}()
			await(t, "a full descriptor", func() bool { return !writable(t, w) })
			out.Close()
			if err := <-ended; err != ErrCanceled {
				t.Errorf("Write ended with %v", err)
			}
			if nonblocking(t, w) {
				t.Error("O_NONBLOCK was left on the descriptor")
			}
		})
	}
}

// Where there is no writeNow, chunks do.
func TestOutputApart(t *testing.T) {
	r, w := pipe(t)
	out, err := NewOutput(int(w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	out.mode = writeApart
	data := bytes.Repeat([]byte("0123456789abcde"), 1<<14)
	var got []byte
	var reading sync.WaitGroup
	reading.Go(func() { got, _ = io.ReadAll(r) })
	if n, err := out.Write(data); n != len(data) || err != nil {
		t.Errorf("Write: %d, %v", n, err)
	}
	w.Close()
	reading.Wait()
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived", len(got))
	}
}

// TestOutputCancelShort cancels a Write for which the descriptor has room, but
// not enough.
func TestOutputCancelShort(t *testing.T) {
	t.Run("terminal", func(t *testing.T) {
		_, slave := openPTY(t)
		room := fill(t, slave, 1<<20)
		_, slave = openPTY(t)
		fill(t, slave, room-3000)
		cancelWrite(t, slave, func(*Output) {})
	})
	t.Run("pipe", func(t *testing.T) {
		r, w := pipe(t)
		cancelWrite(t, w, func(out *Output) { out.mode, out.chunk = writeApart, 1<<20 })
		w.Close()
		io.Copy(io.Discard, r) // which ends the write that was left behind
	})
}

// fill makes the terminal raw and writes up to n bytes without waiting.
func fill(t *testing.T, slave *os.File, n int) (written int) {
	t.Helper()
	if _, err := MakeRaw(int(slave.Fd())); err != nil {
		t.Fatal(err)
	}
	own, ok := reopen(int(slave.Fd()), unix.O_WRONLY)
	if !ok {
		t.Skip("a terminal cannot be opened twice here")
	}
	defer unix.Close(own)
	for written < n {
		wrote, err := unix.Write(own, make([]byte, min(n-written, 256)))
		if err != nil {
			break
		}
		written += wrote
	}
	return written
}

// cancelWrite writes more than w takes and wants Close to end that.
func cancelWrite(t *testing.T, w *os.File, prepare func(*Output)) {
	t.Helper()
	out, err := NewOutput(int(w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	prepare(out)
	ended := make(chan error, 1)
	go func() {
		_, err := out.Write(make([]byte, 1<<20))
		ended <- err
	}()
	await(t, "a Write that waits", func() bool { return full(t, w) })
	closed := make(chan struct{})
	go func() { out.Close(); close(closed) }()
	receive(t, closed)
	if err := receive(t, ended); err != ErrCanceled {
		t.Errorf("Write ended with %v", err)
	}
	if nonblocking(t, w) {
		t.Error("O_NONBLOCK was left on the descriptor")
	}
}

// full reports whether a write that does not wait would fail.
func full(t *testing.T, w *os.File) bool {
	t.Helper()
	if !IsTerminal(int(w.Fd())) {
		return !writable(t, w)
	}
	return fill(t, w, 1) == 0
}

// TestInputTwoReaders closes readers of one descriptor of which only one got
// what was there.
func TestInputTwoReaders(t *testing.T) {
	for _, kind := range []string{"pipe", "terminal"} {
		t.Run(kind, func(t *testing.T) {
			r, w := pipe(t)
			if kind == "terminal" {
				w, r = openPTY(t)
				if _, err := MakeRaw(int(r.Fd())); err != nil {
					t.Fatal(err)
				}
			}
			for range 100 {
				got := make(chan int, 2)
				var inputs []*Input
				for range 2 {
					in := newInput(t, r)
					inputs = append(inputs, in)
					go func() {
						n, _ := in.Read(make([]byte, 16))
						got <- n
					}()
				}
				io.WriteString(w, "x")
				n := receive(t, got)
				closed := make(chan struct{})
				go func() {
					for _, in := range inputs {
						in.Close()
					}
					close(closed)
				}()
				receive(t, closed)
				if n += receive(t, got); n > 1 {
					t.Fatalf("one byte was read %d times", n)
				} else if n == 0 {
					r.Read(make([]byte, 16))
				}
			}
		})
	}
}

func TestOutputFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out, err := NewOutput(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	data := bytes.Repeat([]byte("x"), 3<<20)
	if n, err := out.Write(data); n != len(data) || err != nil {
		t.Errorf("Write: %d, %v", n, err)
	}
	if got, _ := os.ReadFile(name); !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived", len(got))
	}
}

func TestOutputBrokenPipe(t *testing.T) {
	r, w := pipe(t)
	r.Close()
	cmd := helper("broken-pipe")
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = w, &stderr
	if err := cmd.Run(); err != nil || stderr.String() != "EPIPE: true" {
		t.Errorf("%v, it said %q", err, stderr.String())
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	// Fd makes the descriptors blocking, like those of a shell.
	r.Fd()
	w.Fd()
	return r, w
}

func writable(t *testing.T, f *os.File) bool {
	t.Helper()
	return ready(t, f, unix.POLLOUT)
}

func ready(t *testing.T, f *os.File, events int16) bool {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: events}}
	if _, err := unix.Poll(fds, 0); err != nil && err != unix.EINTR {
		t.Fatal(err)
	}
	return fds[0].Revents != 0
}

func nonblocking(t *testing.T, f *os.File) bool {
	t.Helper()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	return flags&unix.O_NONBLOCK != 0
}

func BenchmarkOutputPipe(b *testing.B) {
	for _, kind := range []string{"output", "write"} {
		b.Run(kind, func(b *testing.B) {
			r, w, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			fd := int(w.Fd())
			out, err := NewOutput(fd)
			if err != nil {
				b.Fatal(err)
			}
			defer out.Close()
			var reading sync.WaitGroup
			reading.Go(func() {
				buf := make([]byte, 128<<10)
				for fd := int(r.Fd()); ; {
					if n, err := unix.Read(fd, buf); n == 0 || err != nil {
						return
					}
				}
			})
			block := make([]byte, 32<<10)
			b.SetBytes(int64(len(block)))
			for b.Loop() {
				if kind == "output" {
					out.Write(block)
				} else {
					unix.Write(fd, block)
				}
			}
			w.Close()
			reading.Wait()
		})
	}
}
