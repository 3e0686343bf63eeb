package sshkey

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "key")
	text := bytes.Repeat([]byte("key material "), 1<<12)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	data, info, err := ReadFile(t.Context(), name)
	if err != nil || !bytes.Equal(data, text) || info.Size() != int64(len(text)) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if err := os.Truncate(name, 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadFile(t.Context(), name); !errors.Is(err, ErrFormat) {
		t.Errorf("a gigabyte: %v, want ErrFormat", err)
	}
	if _, _, err := ReadFile(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, info, err := ReadFile(t.Context(), dir); err == nil || info == nil {
		t.Errorf("a folder: %v, %v", info, err)
	}
}

// TestReadFileOfUnknownSize: files of /proc say that they are empty.
func TestReadFileOfUnknownSize(t *testing.T) {
	const name = "/proc/self/status"
	info, err := os.Stat(name)
	if err != nil || info.Size() != 0 {
		t.Skip("SKIPPED: no such file here")
	}
	if data, _, err := ReadFile(t.Context(), name); err != nil || !bytes.Contains(data, []byte("\nPid:")) {
		t.Errorf("%q, %v", data, err)
	}
}

func TestReadAll(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789"), 10000)
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(text), "bytes": iotest.OneByteReader(bytes.NewReader(text)),
		"data with EOF": iotest.DataErrReader(bytes.NewReader(text))} {
		if data, err := readAll(r, 0); err != nil || !bytes.Equal(data, text) {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
	if _, err := readAll(endless{}, 0); !errors.Is(err, ErrFormat) {
		t.Errorf("an endless file: %v", err)
	}
	if _, err := readAll(iotest.TimeoutReader(iotest.HalfReader(bytes.NewReader(text))), 0); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a failure: %v", err)
	}
}

// endless is /dev/zero.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
