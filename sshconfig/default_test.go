package sshconfig_test

import (
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/sshconfig"
)

// TestDefaultIsTheEmptyConfiguration compares every field of Default with what
// Load makes of no files at all.
func TestDefaultIsTheEmptyConfiguration(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("USERPROFILE", dir)
	t.Setenv("USER", "me")
	for _, host := range []string{"web", "WEB.Example.com", "192.0.2.1", "0x7f.1", "::1", "2001:DB8::0:1", "a%b${c}"} {
		for _, user := range []string{"", "joe", `DOMAIN\joe`, "%h"} {
			want, err := sshconfig.Load(t.Context(), host, sshconfig.Options{UserFile: "none", User: user, Home: dir, LocalUser: "me"})
			if err != nil && host != "a%b${c}" { // Load refuses what a shell would act on
				t.Fatal(err)
			}
			got := sshconfig.Default(host, user)
			for i := range reflect.TypeFor[sshconfig.Config]().NumField() {
				f := reflect.TypeFor[sshconfig.Config]().Field(i)
				if want == nil || !f.IsExported() {
					continue
				}
				a, b := reflect.ValueOf(got).Elem().Field(i), reflect.ValueOf(want).Elem().Field(i)
				if !reflect.DeepEqual(a.Interface(), b.Interface()) {
					t.Errorf("%s@%s: %s is %v, Load makes it %v", user, host, f.Name, a, b)
				}
			}
			for _, k := range sshconfig.Keywords() {
				if got.IsSet(k.Name) {
					t.Errorf("%s@%s: %s is set", user, host, k.Name)
				}
			}
		}
	}
}

func TestDefaultWithoutEnvironment(t *testing.T) {
	for _, name := range []string{"HOME", "USERPROFILE", "USER", "LOGNAME", "USERNAME"} {
		t.Setenv(name, "")
	}
	cfg := sshconfig.Default("web", "")
	if cfg.User == "" || len(cfg.IdentityFile) == 0 || cfg.IdentityFile[0].Path[0] != '/' && cfg.IdentityFile[0].Path[1] != ':' {
		t.Errorf("user %q, identities %v", cfg.User, cfg.IdentityFile)
	}
}

// TestDefaultFollowsItsFields checks that what is derived from fields follows
// what a program sets.
func TestDefaultFollowsItsFields(t *testing.T) {
	cfg := sshconfig.Default("web", "joe")
	cfg.HostName = "192.0.2.1"
	cfg.Port = 2222
	cfg.User = "ann"
	cfg.HostKeyAlias = "Alias"
	cfg.ProxyJump = []sshconfig.JumpHost{{Host: "first"}, {Host: "gate"}}
	cfg.LocalCommand = "%r@%h:%p %n %k %j"
	cfg.Ciphers = []string{"aes128-ctr"}
	cfg.Own.ForwardAgentConfirm = true
	spec, err := forward.ParseSpec(forward.Local, "8080:db:80")
	if err != nil {
		t.Fatal(err)
	}
	cfg.LocalForward = append(cfg.LocalForward, spec)

	if got, err := cfg.ExpandLocalCommand(""); err != nil || got != "ann@192.0.2.1:2222 web alias gate" {
		t.Errorf("LocalCommand %q, %v", got, err)
	}
	loaded, err := sshconfig.Load(t.Context(), "web", sshconfig.Options{UserFile: "none", CommandLine: []sshconfig.Directive{
		sshconfig.Option("HostName 192.0.2.1"), sshconfig.Option("Port 2222"), sshconfig.Option("User ann"),
		sshconfig.Option("ProxyJump first,gate")}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cfg.ConnectionTokens()['C'], loaded.ConnectionTokens()['C']; got != want {
		t.Errorf("%%C %s, want %s", got, want)
	}
	if got := cfg.LocalListeners(); len(got) != 1 || got[0] != spec {
		t.Errorf("listeners %v", got)
	}
	for name, want := range map[string]bool{"Port": true, "ciphers": true, "ForwardAgentConfirm": true, "LocalForward": true,
		"MACs": false, "Reconnect": false, "Host": false, "NoSuchKeyword": false} {
		if got := cfg.IsSet(name); got != want {
			t.Errorf("%s is set: %v", name, got)
		}
	}
	if _, _, ok := cfg.Origin("Port"); ok {
		t.Error("Port has an origin")
	}
	if err := cfg.Dump(io.Discard); !errors.Is(err, sshconfig.ErrNotLoaded) {
		t.Errorf("Dump: %v", err)
	}
	if cfg.WithoutEffect() != nil {
		t.Errorf("without effect: %v", cfg.WithoutEffect())
	}
}
