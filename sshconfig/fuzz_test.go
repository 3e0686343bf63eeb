package sshconfig_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshconfig"
)

// FuzzLoad feeds a file and a -o to the parser, which must come to an end
// without a panic whatever they hold.
func FuzzLoad(f *testing.F) {
	for _, seed := range [][2]string{
		{"Host *\nPort 22\n", "User=joe"},
		{"Match host a user b !final\nLocalForward 1 [::1]:2\n", "ProxyJump=a@b:1,c"},
		{"CanonicalizePermittedCNAMEs a:b\nRekeyLimit 1.5G 1h\nIPQoS af21\n", "Ciphers=+aes*"},
		{"ControlPath ~/%C${ENVA}\nSetEnv A=\"b c\" # x\n", "EscapeChar=^A"},
		{"Include *\nVersionAddendum x\nChannelTimeout a=1\n", "PermitRemoteOpen=[a:1"},
	} {
		f.Add(seed[0], seed[1])
	}
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		f.Fatal(err)
	}
	opts := options(dir)
	opts.DumpOnly = true
	opts.Resolver = resolver{}
	f.Fuzz(func(t *testing.T, text, option string) {
		// Commands and files of the machine are none of a fuzzer's business.
		lower := strings.ToLower(text)
		if strings.Contains(lower, "exec") || strings.Contains(lower, "include") {
			t.Skip()
		}
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := opts
		o.UserFile = file
		o.CommandLine = []sshconfig.Directive{sshconfig.Option(option)}
		cfg, err := sshconfig.Load(context.Background(), "web", o)
		if err != nil {
			return
		}
		if err := cfg.Dump(io.Discard); err != nil {
			t.Fatal(err)
		}
		// What expands for -G may be wrong for use, but must not panic either.
		o.DumpOnly = false
		_, _ = sshconfig.Load(context.Background(), "web", o)
	})
}

// FuzzDestination checks that a destination that parses names a host.
func FuzzDestination(f *testing.F) {
	for _, s := range []string{"web", "joe@web", "ssh://joe@web:22/", "ssh://[::1]", "ssh://%41@a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := sshconfig.ParseDestination(s)
		if err == nil && strings.HasPrefix(s, "ssh://") && (d.Host == "" || d.Port < 0 || d.Port > 65535) {
			t.Fatalf("%q: %+v", s, d)
		}
	})
}
