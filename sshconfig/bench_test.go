package sshconfig_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshconfig"
)

// BenchmarkTwoThousandHosts resolves a host at the end of a long file, which
// is what large sites have.
func BenchmarkTwoThousandHosts(b *testing.B) {
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "Host web-%d *.rack%d.example.com\n  HostName 10.0.%d.%d\n  User deploy\n  Port 22%02d\n  IdentityFile ~/.ssh/id_%d\n\n",
			i, i, i/256, i%256, i%100, i)
	}
	file := filepath.Join(b.TempDir(), "config")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	opts := options(b.TempDir())
	opts.UserFile = file
	b.ReportAllocs()
	for b.Loop() {
		cfg, err := sshconfig.Load(context.Background(), "web-1999", opts)
		if err != nil || cfg.Port != 2299 {
			b.Fatal(cfg, err)
		}
	}
}

// BenchmarkSmall is what every start pays.
func BenchmarkSmall(b *testing.B) {
	file := filepath.Join(b.TempDir(), "config")
	if err := os.WriteFile(file, []byte("Host web\n  User joe\nHost *\n  ServerAliveInterval 15\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	opts := options(b.TempDir())
	opts.UserFile = file
	b.ReportAllocs()
	for b.Loop() {
		cfg, err := sshconfig.Load(context.Background(), "web", opts)
		if err != nil {
			b.Fatal(err)
		}
		if err := cfg.Dump(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
