package cli

import (
	"slices"
	"strings"
	"testing"
)

// TestQueryLikeSSH checks that each query of ssh is answered with names that ssh
// has too, in its order.
func TestQueryLikeSSH(t *testing.T) {
	help := runMain(t, "ssh", "-Q", "help")
	queries := strings.Fields(help.stdout)
	if want := strings.Fields(runSSH(t, "-Q", "help").stdout); !slices.Equal(queries, want) {
		t.Errorf("queries %q, want %q", queries, want)
	}
	queries = append(queries, "Ciphers", "MACs", "KexAlgorithms", "HostKeyAlgorithms", "PubkeyAcceptedAlgorithms",
		"PubkeyAcceptedKeyTypes", "HostbasedAcceptedAlgorithms", "HostbasedKeyTypes",
		"HostbasedAcceptedKeyTypes", "bogus")
	for _, q := range queries {
		got, want := runMain(t, "ssh", "-Q", q), runSSH(t, "-Q", q)
		if got.status != want.status || got.stderr != want.stderr {
			t.Errorf("%s: status %d, said %q; want %d, %q", q, got.status, got.stderr, want.status, want.stderr)
		}
		ours, theirs := strings.Fields(got.stdout), strings.Fields(want.stdout)
		// These are not supported, or newer than an old ssh.
		if q == "kex-gss" {
			continue
		}
		if len(theirs) > 0 && len(ours) == 0 {
			t.Errorf("%s: nothing", q)
		}
		last := -1
		for _, name := range ours {
			i := slices.Index(theirs, name)
			if i < 0 && name != "mlkem768x25519-sha256" {
				t.Errorf("%s: %s is not ssh's", q, name)
			}
			if i >= 0 && i < last {
				t.Errorf("%s: %s is not in its place", q, name)
			}
			last = max(last, i)
		}
	}
}
