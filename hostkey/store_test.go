package hostkey

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	k := newKeys(t)
	hashed, err := newHashedName(NewChecker(Options{}).opts.Rand, "hashed.example.com")
	if err != nil {
		t.Fatal(err)
	}
	user := write(t, ""+
		"# a comment\n"+
		"\n"+
		entryLine("A.example.com,192.0.2.1", k.ed)+
		"broken.example.com ssh-ed25519 AAAA\n"+
		"@bogus * "+keyText(k.ed)+"\n"+
		entryLine("*.example.com,!secret.example.com", k.rsa)+
		entryLine(hashed, k.ecdsa)+
		entryLine("[a.example.com]:2222,[*.example.org]:*", k.ed2)+
		"@cert-authority *.example.com "+keyText(k.ed3)+"\n"+
		"last.example.net "+keyText(k.ed)) // no newline
	global := write(t, entryLine("a.example.com", k.ed2))
	c, w := checker(Options{
		UserFiles:   []string{user, filepath.Join(t.TempDir(), "missing")},
		GlobalFiles: []string{global, t.TempDir()},
	})
	for name, want := range map[string]string{
		"A.EXAMPLE.com":        "u3 u6 u9 g1",
		"192.0.2.1":            "u3",
		"secret.example.com":   "u9",
		"hashed.example.com":   "u6 u7 u9",
		"[a.example.com]:2222": "u8",
		"[b.example.org]:22":   "u8",
		"[b.example.com]:2222": "",
		"last.example.net":     "u10",
		"nowhere":              "",
		"broken.example.com":   "u6 u9",
	} {
		var got []string
		for _, e := range c.Lookup(name) {
			file := "u"
			if e.File == global {
				file = "g"
			}
			got = append(got, file+strconv.Itoa(e.Line))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("Lookup(%s) = %q, want %q", name, s, want)
		}
	}
	// A bad marker concerns every host, a bad key only the hosts of its line.
	var bad []string
	w.events = nil
	c.Lookup("broken.example.com")
	for _, e := range w.events {
		if e, ok := e.(BadLine); ok {
			bad = append(bad, strconv.Itoa(e.Line))
		}
	}
	if got := strings.Join(bad, " "); got != "4 5" {
		t.Errorf("bad lines told of: %q, want 4 and 5", got)
	}
	if e := event[FileUnreadable](t, w); e.Err == nil {
		t.Error("a folder as a file was not told of")
	}
}

// randomFile makes a known_hosts file of everything that may stand in one.
func randomFile(t *testing.T, r *rand.Rand, k []string) string {
	names := []string{"a", "b.example.com", "c.Example.Com", "10.0.0.1", "[a]:2222", "[b.example.com]:2200", "*", "?", "*.example.com",
		"!a", "!*.example.com", "b.*", "[*]:2222", "::1"}
	var b strings.Builder
	for range 40 {
		switch r.IntN(12) {
		case 0:
			b.WriteString("# comment\n")
		case 1:
			b.WriteString(" \t\n")
		case 2:
			b.WriteString("@unknown ")
		case 3:
			b.WriteString("@cert-authority ")
		case 4:
			b.WriteString("@revoked ")
		case 5:
			b.WriteString("  ")
		}
		if r.IntN(4) == 0 {
			hashed, err := newHashedName(NewChecker(Options{}).opts.Rand, names[r.IntN(6)])
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(hashed)
		} else {
			for i := range 1 + r.IntN(3) {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(names[r.IntN(len(names))])
			}
		}
		fmt.Fprintf(&b, " %s%s\n", k[r.IntN(len(k))], []string{"", " comment", "\t# x"}[r.IntN(3)])
	}
	return b.String()
}

func TestLookupAgainstSSHKeygen(t *testing.T) {
	tool(t, "ssh-keygen")
	k := newKeys(t)
	// ssh-keygen -F does not decode keys, so there are no malformed ones here.
	texts := []string{keyText(k.ed), keyText(k.rsa), keyText(k.ecdsa), "ssh-future AAAA", "1024 35 12345"}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 12 {
		file := write(t, randomFile(t, r, texts))
		c := NewChecker(Options{UserFiles: []string{file}})
		for _, host := range []string{"a", "b.example.com", "c.example.com", "10.0.0.1", "[a]:2222", "[b.example.com]:2200", "::1", "z"} {
			// "# Host a found: line 7" and the line; markers are told too.
			out, _ := run(t, "ssh-keygen", "-F", host, "-f", file)
			var want []int
			for text := range strings.Lines(out) {
				if _, n, ok := strings.Cut(strings.TrimSpace(text), " found: line "); ok && strings.HasPrefix(text, "# Host") {
					num, err := strconv.Atoi(strings.Fields(n)[0])
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, num)
				}
			}
			var got []int
			for _, e := range c.Lookup(host) {
				got = append(got, e.Line)
			}
			if !slices.Equal(got, want) {
				t.Errorf("round %d: %s is in lines %v, ssh-keygen says %v\n%s", round, host, got, want, out)
			}
		}
	}
}

func TestLookupHashedBySSHKeygen(t *testing.T) {
	k := newKeys(t)
	file := write(t, entryLine("a.example.com,192.0.2.1", k.ed)+entryLine("[a.example.com]:2222", k.rsa))
	mustRun(t, "ssh-keygen", "-q", "-H", "-f", file)
	if strings.Contains(read(t, file), "example") {
		t.Fatal("ssh-keygen hashed nothing")
	}
	c := NewChecker(Options{UserFiles: []string{file}})
	for name, n := range map[string]int{"a.example.com": 1, "192.0.2.1": 1, "[a.example.com]:2222": 1, "b.example.com": 0} {
		if got := c.Lookup(name); len(got) != n {
			t.Errorf("Lookup(%s) found %d lines, want %d", name, len(got), n)
		}
	}
}

func benchmarkLookup(b *testing.B, hash bool) {
	key := newKey(b, "ed25519")
	c := NewChecker(Options{HashKnownHosts: hash})
	var text strings.Builder
	for i := range 10000 {
		l, err := c.opts.newLines([]string{fmt.Sprintf("host%05d.example.com", i)}, key)
		if err != nil {
			b.Fatal(err)
		}
		text.WriteString(l)
	}
	file := filepath.Join(b.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	c = NewChecker(Options{UserFiles: []string{file}})
	for b.Loop() {
		if len(c.Lookup("host09999.example.com")) != 1 {
			b.Fatal("not found")
		}
	}
}

func BenchmarkLookup10000Plain(b *testing.B)  { benchmarkLookup(b, false) }
func BenchmarkLookup10000Hashed(b *testing.B) { benchmarkLookup(b, true) }
