package sshconfig_test

import (
	"testing"

	"github.com/gossh-project/gossh/sshconfig"
)

// Only a list that has an order keeps known_hosts from choosing one.
func TestHostKeyAlgorithmsByFile(t *testing.T) {
	for text, want := range map[string]bool{
		"":             true,
		"+ssh-rsa":     true,
		"-ssh-rsa":     true,
		"^ssh-ed25519": false,
		"ssh-ed25519":  false,
	} {
		opts := sshconfig.Options{UserFile: "none"}
		if text != "" {
			opts.CommandLine = []sshconfig.Directive{sshconfig.Option("HostKeyAlgorithms=" + text)}
		}
		cfg, err := sshconfig.Load(t.Context(), "host", opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.HostKeyAlgorithmsByFile; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
