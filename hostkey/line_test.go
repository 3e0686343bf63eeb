package hostkey

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/internal/sshkey"
)

func TestMatchHosts(t *testing.T) {
	for _, tt := range []struct {
		host, list string
		want       bool
	}{
		{"a.example.com", "a.example.com", true},
		{"a.example.com", "A.Example.COM", true},
		{"a.example.com", "b.example.com,a.example.com", true},
		{"a.example.com", "*.example.com", true},
		{"a.example.com", "?.example.com", true},
		{"ab.example.com", "?.example.com", false},
		{"a.example.com", "*.example.com,!a.example.com", false},
		{"a.example.com", "!a.example.com,*", false},
		{"b.example.com", "!a.example.com,*", true},
		{"b.example.com", "!a.example.com", false},
		{"a.example.com", "*.EXAMPLE.com,!A.*", false},
		{"a", "", false},
		{"a", "*", true},
		{"a", "**", true},
		{"abcabd", "*abd", true},
		{"abcabd", "a*c*d", true},
		{"abcabd", "a*c*e", false},
		{"[a]:2222", "[a]:2222", true},
		{"[a.example.com]:2222", "[*.example.com]:2222", true},
		{"[a.example.com]:2222", "[*.example.com]:*", true},
		{"[a.example.com]:2222", "*.example.com", false},
		{"[a.example.com]:2222", "*", true},
		{"a", "[a]:22", false},
		{strings.Repeat("a", 2000), strings.Repeat("a*", 1000) + "b", false},
	} {
		if got := matchHosts(tt.host, tt.list); got != tt.want {
			t.Errorf("matchHosts(%.40q, %.40q) = %v, want %v", tt.host, tt.list, got, tt.want)
		}
	}
}

func TestParseLine(t *testing.T) {
	key := newKey(t, "ed25519")
	text := keyText(key)
	b64 := strings.Fields(text)[1]
	for _, tt := range []struct {
		name, line string
		entry, ok  bool // it is a line; its key can be read
		marker     Marker
		hosts      string
	}{
		{"plain", "h " + text, true, true, MarkerNone, "h"},
		{"comment after the key", "h " + text + " root@h # x", true, true, MarkerNone, "h"},
		{"tabs and blanks", " \t h\t \t" + strings.ReplaceAll(text, " ", " \t ") + " \t", true, true, MarkerNone, "h"},
		{"carriage return", "h " + text + "\r", true, true, MarkerNone, "h"},
		{"CA", "@cert-authority *.x " + text, true, true, MarkerCA, "*.x"},
		{"revoked, tab", "@revoked\t* " + text, true, true, MarkerRevoked, "*"},
		{"comment", "# h " + text, false, false, MarkerNone, ""},
		{"indented comment", "\t # h " + text, false, false, MarkerNone, ""},
		{"blank", " \t", false, false, MarkerNone, ""},
		{"empty", "", false, false, MarkerNone, ""},
		{"empty with carriage return", "\r", false, false, MarkerNone, ""},
		{"unknown marker", "@foo h " + text, true, false, MarkerNone, ""},
		{"two markers", "@revoked @revoked h " + text, true, false, MarkerRevoked, ""},
		{"marker alone", "@revoked", true, false, MarkerRevoked, ""},
		{"no key", "h", true, false, MarkerNone, "h"},
		{"no base64", "h ssh-ed25519", true, false, MarkerNone, "h"},
		{"comment for a key", "h ssh-ed25519 # AAAA", true, false, MarkerNone, "h"},
		{"bad base64", "h ssh-ed25519 A$$A", true, false, MarkerNone, "h"},
		{"truncated key", "h ssh-ed25519 " + b64[:20], true, false, MarkerNone, "h"},
		{"unknown type", "h ssh-future AAAACnNzaC1mdXR1cmUAAAAA", true, false, MarkerNone, "h"},
		{"wrong type", "h ssh-rsa " + b64, true, false, MarkerNone, "h"},
		{"protocol 1", "h 1024 35 1234567890", true, false, MarkerNone, "h"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, entry, err := parseLine(tt.line, 1)
			if entry != tt.entry {
				t.Fatalf("entry = %v, want %v", entry, tt.entry)
			}
			if !entry {
				return
			}
			if err == nil {
				_, err = l.publicKey()
			}
			if (err == nil) != tt.ok {
				t.Errorf("error = %v, want ok %v", err, tt.ok)
			}
			if l.marker != tt.marker || l.hosts != tt.hosts {
				t.Errorf("marker %d hosts %q, want %d %q", l.marker, l.hosts, tt.marker, tt.hosts)
			}
		})
	}
}

func TestSignatureAlgorithmNamesKeyType(t *testing.T) {
	b64 := strings.Fields(keyText(newKey(t, "rsa")))[1]
	for _, name := range []string{"ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"} {
		if _, err := parseKeyText(name + " " + b64); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHashedName(t *testing.T) {
	// An example of sshd(8)'s form, made with ssh-keygen -H for "host.example".
	name, err := newHashedName(bytes.NewReader(bytes.Repeat([]byte{1}, 20)), "host.example")
	if err != nil {
		t.Fatal(err)
	}
	salt := strings.Split(name, "|")[2]
	for _, tt := range []struct {
		hosts, host string
		want, bad   bool
	}{
		{name, "host.example", true, false},
		{name, "other.example", false, false},
		{name + ",more", "host.example", false, false},
		{"|1|" + salt + "|", "host.example", false, false},
		{"|1|" + salt, "host.example", false, true},
		{"|2|" + salt + "|" + salt, "host.example", false, true},
		{"|1||" + salt, "host.example", false, true},
		{"|1|" + base64.StdEncoding.EncodeToString([]byte("short")) + "|" + salt, "host.example", false, true},
		{"|1|" + strings.Repeat("A", 4000) + "|" + salt, "host.example", false, true},
		{"|1|" + salt + "|" + strings.Repeat("A", 4000), "host.example", false, false},
		{"|", "host.example", false, true},
	} {
		l := line{hosts: tt.hosts}
		got, err := l.matches(tt.host)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%.60q matches %q = %v, %v; want %v, error %v", tt.hosts, tt.host, got, err, tt.want, tt.bad)
		}
	}
}

func FuzzLine(f *testing.F) {
	key := newKey(f, "ed25519")
	for _, s := range []string{
		"h " + keyText(key), "@cert-authority *,!x " + keyText(key), "@revoked * " + keyText(key),
		"|1|JfKTdBh7rNbXkVAQCRp4OQoPfmI=|USECr3SWf1JUPsms5AqfD5QfxkM= ssh-rsa AAAA", "# x", "@", "|1|", "h ssh-rsa",
	} {
		f.Add(s, "h")
	}
	f.Fuzz(func(t *testing.T, text, host string) {
		l, ok, err := parseLine(text, 1)
		if !ok || err != nil {
			return
		}
		_, _ = l.matches(host)
		key, err := l.publicKey()
		if err != nil {
			return
		}
		// What was read must be found again in the form in which we write it.
		again, err := parseKeyText(keyText(key))
		if err != nil || !sshkey.Same(key, again) {
			t.Errorf("key of %q does not survive writing: %v", text, err)
		}
	})
}
