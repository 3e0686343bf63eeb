package x11fwd

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const someCookie = "00112233445566778899aabbccddeeff"

func TestXAuth(t *testing.T) {
	list := "echo \"host/unix:1  MIT-MAGIC-COOKIE-1  " + someCookie + "\"\necho \"second OTHER 00\"\n"
	for _, c := range []struct {
		name     string
		script   string // of xauth; "" is no xauth
		trusted  bool
		protocol string
		cookie   string // "" is one that is made up
		err      error
		warned   bool
	}{
		{"list", list, true, magicCookie, someCookie, nil, false},
		{"another protocol", "echo x:1 XDM-AUTHORIZATION-1 0102", true, "XDM-AUTHORIZATION-1", "0102", nil, false},
		{"no entry", "true", true, magicCookie, "", nil, true},
		{"too few fields", "echo x:1 MIT-MAGIC-COOKIE-1", true, magicCookie, "", nil, true},
		{"failure", list + "exit 1", true, magicCookie, "", nil, true},
		{"no xauth", "", true, magicCookie, "", nil, true},
		{"no xauth, untrusted", "", false, "", "", ErrNotGenerated, false},
		{"generated", "test $3 = list || test \"$3 $6\" = 'generate untrusted' || exit 1\n" + list, false, magicCookie, someCookie, nil, false},
		{"not generated", "test $3 = list || exit 1\n" + list, false, "", "", ErrNotGenerated, false},
		{"generated and gone", "test $3 = generate\n", false, "", "", ErrNotGenerated, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Display: ":1", Trusted: c.trusted}
			if c.script != "" {
				o.XAuth = script(t, c.script)
			}
			warned := false
			o.Warn = func(err error) { warned = warned || err == ErrNoCookie }
			f, err := New(t.Context(), o)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || warned != c.warned {
				t.Fatalf("%v, warned %v", err, warned)
			}
			if err != nil {
				return
			}
			defer f.Close()
			if f.AuthProtocol() != c.protocol || c.cookie != "" && hex.EncodeToString(f.real.cookie) != c.cookie {
				t.Errorf("%s %x", f.AuthProtocol(), f.real.cookie)
			}
			if len(f.Cookie()) != 2*len(f.real.cookie) || f.Cookie() == hex.EncodeToString(f.real.cookie) {
				t.Errorf("the server gets %s for %x", f.Cookie(), f.real.cookie)
			}
		})
	}
}

func TestBadCookie(t *testing.T) {
	_, err := New(t.Context(), Options{Display: ":1", Trusted: true, XAuth: script(t, "echo x:1 MIT-MAGIC-COOKIE-1 zz")})
	var bad *DisplayError
	if !errors.As(err, &bad) || bad.Reason != "bad cookie" {
		t.Errorf("got %v", err)
	}
}

// TestXAuthArguments: no shell, the display as one argument, and a file that is
// gone afterwards.
func TestXAuthArguments(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	o := Options{Display: "localhost:10.1", Timeout: 90 * time.Second}
	o.XAuth = script(t, "for a; do printf '[%s]' \"$a\"; done >>"+log+"; echo >>"+log+"\necho x MIT-MAGIC-COOKIE-1 00\n")
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if f.Screen() != 1 {
		t.Errorf("screen %d", f.Screen())
	}
	text, _ := os.ReadFile(log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	file := strings.TrimPrefix(strings.Split(lines[0], "]")[1], "[")
	want := []string{
		"[-f][" + file + "][generate][unix:10.1][MIT-MAGIC-COOKIE-1][untrusted][timeout][150]",
		"[-f][" + file + "][list][unix:10.1]",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("ran %q", lines)
	}
	if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", file, err)
	}
	if got := cookieLife(1 << 62); got != 1<<32-1 {
		t.Errorf("the longest life is %d", got)
	}
}

func TestXAuthCanceled(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	because := errors.New("the person has left")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	o := Options{Display: ":1", Trusted: true, XAuth: script(t, ": >"+started+"; exec sleep 1000")}
	go func() {
		_, err := New(ctx, o)
		ended <- err
	}()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(started); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal("xauth does not start")
		}
	}
	cancel(because)
	if err := <-ended; err != because {
		t.Errorf("got %v", err)
	}
}
