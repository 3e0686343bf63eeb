package hostkey

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestAddKey(t *testing.T) {
	k := newKeys(t)
	ctx := t.Context()
	dir := t.TempDir()
	file := filepath.Join(dir, ".ssh", "known_hosts")
	o := NewChecker(Options{}).opts
	if err := o.addKey(ctx, file, []string{"a"}, k.ed); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		for path, want := range map[string]os.FileMode{filepath.Dir(file): 0o700, file: 0o600} {
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: mode %v (%v), want %v", path, info.Mode(), err, want)
			}
		}
	}
	if err := o.addKey(ctx, file, []string{"[b]:2222", "[192.0.2.1]:2222"}, k.rsa); err != nil {
		t.Fatal(err)
	}
	want := entryLine("a", k.ed) + entryLine("[b]:2222,[192.0.2.1]:2222", k.rsa)
	if got := read(t, file); got != want {
		t.Errorf("file: %s", shortDiff(got, want))
	}
	// The second client that adds the same finds it there.
	if err := o.addKey(ctx, file, []string{"a"}, k.ed); err != nil || read(t, file) != want {
		t.Errorf("added twice (%v):\n%s", err, read(t, file))
	}
	// But not another key, nor a name that only a CA's line has.
	if err := o.addKey(ctx, file, []string{"a"}, k.ed2); err != nil || read(t, file) != want+entryLine("a", k.ed2) {
		t.Errorf("second key (%v):\n%s", err, read(t, file))
	}
}

func TestAddKeyHashed(t *testing.T) {
	k := newKeys(t)
	file := write(t, "")
	c := NewChecker(Options{HashKnownHosts: true, UserFiles: []string{file}})
	if err := c.opts.addKey(t.Context(), file, []string{"a.example.com", "192.0.2.1"}, k.ed); err != nil {
		t.Fatal(err)
	}
	text := read(t, file)
	if strings.Count(text, "\n") != 2 || strings.Count(text, "|1|") != 2 || strings.Contains(text, "example") {
		t.Errorf("want a hashed line for each name:\n%s", text)
	}
	for _, name := range []string{"a.example.com", "192.0.2.1"} {
		if len(c.Lookup(name)) != 1 {
			t.Errorf("%s is not found", name)
		}
		if _, err := exec.LookPath("ssh-keygen"); err == nil {
			mustRun(t, "ssh-keygen", "-F", name, "-f", file)
		}
	}
}

func TestAddKeyEndsLastLine(t *testing.T) {
	k := newKeys(t)
	file := write(t, "a "+keyText(k.ed))
	o := NewChecker(Options{}).opts
	if err := o.addKey(t.Context(), file, []string{"b"}, k.rsa); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, file), entryLine("a", k.ed)+entryLine("b", k.rsa); got != want {
		t.Errorf("file: %s", shortDiff(got, want))
	}
}

func TestAddKeyRefusesNames(t *testing.T) {
	k := newKeys(t)
	file := write(t, "")
	o := NewChecker(Options{}).opts
	for _, name := range []string{"", "*", "a?", "!a", "a,b", "a b", "a\nb", "#a", "@revoked", "|1|x|y", "a\tb", "a\x00"} {
		if err := o.addKey(t.Context(), file, []string{"good", name}, k.ed); !errors.Is(err, errName) {
			t.Errorf("%q: error %v", name, err)
		}
	}
	if got := read(t, file); got != "" {
		t.Errorf("something was written:\n%s", got)
	}
}

func TestAddKeyToDevNull(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no /dev/null here")
	}
	o := NewChecker(Options{}).opts
	if err := o.addKey(t.Context(), os.DevNull, []string{"a"}, newKey(t, "ed25519")); err != nil {
		t.Error(err)
	}
}

func TestLockedFile(t *testing.T) {
	file := write(t, "")
	key := newKey(t, "ed25519")
	synctest.Test(t, func(t *testing.T) {
		f, err := openLocked(t.Context(), file, os.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		o := NewChecker(Options{}).opts
		begin := time.Now()
		if err := o.addKey(t.Context(), file, []string{"a"}, key); !errors.Is(err, ErrLocked) || time.Since(begin) != lockWait {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		if err := o.addKey(ctx, file, []string{"a"}, key); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		// Who waits gets his turn.
		time.AfterFunc(time.Second, func() { f.Close() })
		if err := o.addKey(t.Context(), file, []string{"a"}, key); err != nil {
			t.Error(err)
		}
	})
	if got := read(t, file); got != entryLine("a", key) {
		t.Errorf("file: %s", got)
	}
}

// The file that was waited for is not the one that is there in the end.
func TestLockOfReplacedFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be replaced here")
	}
	file := write(t, "old\n")
	key := newKey(t, "ed25519")
	synctest.Test(t, func(t *testing.T) {
		f, err := openLocked(t.Context(), file, os.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() {
			if done, err := f.swap(file, []byte("old\n"), []byte("new\n")); !done || err != nil {
				t.Errorf("swap: %v %v", done, err)
			}
			f.Close()
		})
		o := NewChecker(Options{}).opts
		if err := o.addKey(t.Context(), file, []string{"a"}, key); err != nil {
			t.Error(err)
		}
	})
	if got, want := read(t, file), "new\n"+entryLine("a", key); got != want {
		t.Errorf("file: %s", shortDiff(got, want))
	}
}

// An ssh writes its line in pieces, and asks for no lock.
func TestAddKeyWaitsForHalfALine(t *testing.T) {
	k := newKeys(t)
	file := write(t, "")
	theirs := entryLine("theirs", k.rsa)
	synctest.Test(t, func(t *testing.T) {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(theirs[:10]); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(partialWait/2, func() { f.WriteString(theirs[10:]) })
		o := NewChecker(Options{}).opts
		if err := o.addKey(t.Context(), file, []string{"ours"}, k.ed); err != nil {
			t.Error(err)
		}
	})
	if got, want := read(t, file), theirs+entryLine("ours", k.ed); got != want {
		t.Errorf("file: %s", shortDiff(got, want))
	}
}

func TestRewrite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and modes are Unix's")
	}
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	keep := func([]byte) ([]byte, error) { return nil, nil }
	if err := rewrite(t.Context(), link, keep); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file + ".old"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no change made a backup: %v", err)
	}
	change := func(old []byte) ([]byte, error) { return append(old, "new\n"...), nil }
	for range 2 { // the second time the backup exists already
		if err := rewrite(t.Context(), link, change); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, file); got != "old\nnew\nnew\n" {
		t.Errorf("file: %q", got)
	}
	if got := read(t, file+".old"); got != "old\nnew\n" {
		t.Errorf("backup: %q", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is one no longer: %v %v", info, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
	failing := errors.New("no")
	if err := rewrite(t.Context(), link, func([]byte) ([]byte, error) { return nil, failing }); !errors.Is(err, failing) {
		t.Errorf("error = %v", err)
	}
}

// An ssh appends without asking for a lock, between our reading and our rename.
func TestRewriteSeesForeignAppend(t *testing.T) {
	file := write(t, "old\n")
	rounds := 0
	err := rewrite(t.Context(), file, func(old []byte) ([]byte, error) {
		if rounds++; rounds == 1 {
			if err := appendTo(file, []byte("foreign\n")); err != nil {
				t.Fatal(err)
			}
		}
		return append(old, "ours\n"...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != "old\nforeign\nours\n" || rounds != 2 {
		t.Errorf("after %d rounds: %q", rounds, got)
	}
}

// One that has the old file open writes to it after the rename.
func TestSwapCarriesLateAppendOver(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be replaced here")
	}
	file := write(t, "old\n")
	f, err := openLocked(t.Context(), file, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := appendTo(file, []byte("late\n")); err != nil {
		t.Fatal(err)
	}
	// swap was given "old\n" as read; the file has a line more, so it starts over.
	if done, err := f.swap(file, []byte("old\n"), []byte("new\n")); done || err != nil {
		t.Fatalf("swapped a file that had grown: %v %v", done, err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := f.carryOver(file, []byte("old\n")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != "old\nlate\nlate\n" {
		t.Errorf("file: %q", got)
	}
}

// testKey is the same in every process of a test.
func testKey(n int) ssh.PublicKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, strconv.Itoa(n))
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed).Public())
	if err != nil {
		panic(err)
	}
	return key
}

const perAdder = 25

// adderProcess is what a copy of the test program does: add hosts, and rewrite
// the file in between, which drops the lines of this process's "temp" hosts.
func adderProcess(file string) int {
	id := os.Getenv("HOSTKEY_TEST_ID")
	if err := addAndRewrite(context.Background(), file, id); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func addAndRewrite(ctx context.Context, file, id string) error {
	c := NewChecker(Options{UserFiles: []string{file}})
	for i := range perAdder {
		name := fmt.Sprintf("host-%s-%d", id, i)
		if err := c.opts.addKey(ctx, file, []string{name}, testKey(i)); err != nil {
			return err
		}
		if i%5 != 0 {
			continue
		}
		temp := "temp-" + id
		if err := c.opts.addKey(ctx, file, []string{temp}, testKey(i)); err != nil {
			return err
		}
		p := &updatePlan{name: temp, old: []ssh.PublicKey{testKey(i)}}
		edit := func(old []byte) ([]byte, error) { return c.opts.edit(string(old), p, true) }
		if err := rewrite(ctx, file, edit); err != nil {
			return err
		}
	}
	return nil
}

// TestConcurrentWriters has goroutines and processes add and rewrite at the
// same time: every line must be there in the end, once, and whole.
func TestConcurrentWriters(t *testing.T) {
	file := write(t, "# first line\n")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	var wg sync.WaitGroup
	for i := range 3 {
		id := fmt.Sprintf("p%d", i)
		ids = append(ids, id)
		wg.Go(func() {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), "HOSTKEY_TEST_ADDER="+file, "HOSTKEY_TEST_ID="+id)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %s: %v\n%s", id, err, out)
			}
		})
	}
	for i := range 4 {
		id := fmt.Sprintf("g%d", i)
		ids = append(ids, id)
		wg.Go(func() {
			if err := addAndRewrite(t.Context(), file, id); err != nil {
				t.Errorf("goroutine %s: %v", id, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	text := read(t, file)
	for _, id := range ids {
		for i := range perAdder {
			want := entryLine(fmt.Sprintf("host-%s-%d", id, i), testKey(i))
			if n := strings.Count(text, "\n"+want); n != 1 {
				t.Errorf("host-%s-%d is there %d times", id, i, n)
			}
		}
	}
	if n := strings.Count(text, "\n"); n != 1+len(ids)*perAdder {
		t.Errorf("%d lines, want %d", n, 1+len(ids)*perAdder)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 1 {
		t.Errorf("left behind: %q", left)
	}
}
