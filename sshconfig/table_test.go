package sshconfig

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestRows checks that every row of the table is complete.
func TestRows(t *testing.T) {
	names := map[string]bool{}
	ids := map[keyword]string{}
	var c Config
	fields := map[string]bool{}
	for i := range keywordTable {
		r := &keywordTable[i]
		for _, name := range append([]string{r.name}, r.aliases...) {
			if name == "" || names[lowerASCII(name)] {
				t.Errorf("row %d: the name %q is empty or not unique", i, name)
			}
			names[lowerASCII(name)] = true
			if got := lookupKeyword(keywordTable[:], lowerASCII(name)); got != i {
				t.Errorf("%s: lookupKeyword returns row %d, want %d", name, got, i)
			}
		}
		if r.id != kwNone {
			if other, ok := ids[r.id]; ok {
				t.Errorf("%s and %s have the same id", r.name, other)
			}
			ids[r.id] = r.name
		}
		if r.set == nil {
			t.Errorf("%s: no set", r.name)
		}
		if (r.status == Implemented) != (r.reason == "") {
			t.Errorf("%s: status %d, reason %q", r.name, r.status, r.reason)
		}
		ignored := r.status == Unsupported || r.status == Deprecated
		structural := slices.Contains([]string{"Host", "Match", "Include", "RefuseConnection"}, r.name)
		if (r.field == nil) != (ignored || structural) {
			t.Errorf("%s: has a field: %v", r.name, r.field != nil)
		}
		if (r.dump == nil) != (ignored || structural && r.name != "Host") {
			t.Errorf("%s: has dump: %v", r.name, r.dump != nil)
		}
		if r.field == nil {
			continue
		}
		where := reflect.ValueOf(&c).Elem()
		if r.own {
			where = where.FieldByName("Own")
		}
		if f := where.FieldByName(r.name); !f.IsValid() || f.Addr().Pointer() != reflect.ValueOf(r.field(&c)).Pointer() {
			t.Errorf("%s: field is not the one of that name", r.name)
		}
		fields[r.name] = true
	}
	for id := kwNone + 1; id < numKeywords; id++ {
		if ids[id] == "" {
			t.Errorf("keyword %d has no row", id)
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[Config](), reflect.TypeFor[Own]()} {
		for i := range typ.NumField() {
			name := typ.Field(i).Name
			derived := slices.Contains([]string{"Host", "HostKeyAlgorithmsByFile", "StdioForward", "Own"}, name)
			if typ.Field(i).IsExported() && !derived && !fields[name] {
				t.Errorf("no row sets the field %s", name)
			}
		}
	}
	if lookupKeyword(keywordTable[:], "nothing") != -1 || lookupKeyword(keywordTable[:], "") != -1 {
		t.Error("an unknown keyword is found")
	}
}

// TestDefaultsAreValid sets each default as a line of a file would.
func TestDefaultsAreValid(t *testing.T) {
	for i := range keywordTable {
		r := &keywordTable[i]
		if r.def == "" {
			continue
		}
		l := newLoader(t.Context(), Options{Home: "/h"})
		b := &block{file: "f", line: 1, active: true, flags: readFlags{ownFile: true}}
		if err := l.processLine(b, r.name+" "+r.def, false); err != nil {
			t.Errorf("%s %s: %v %v", r.name, r.def, err, l.problems)
		}
		want := l.st.values[i]
		if !want.set && r.def != "none" {
			t.Errorf("%s %s does not set the keyword", r.name, r.def)
		}
		l.st = newState(l.rows)
		l.fillDefault(i)
		want.at = origin{}
		if got := l.st.values[i]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the default is %+v, the line sets %+v", r.name, got, want)
		}
	}
}

// samples are arguments that differ from the default. Flags, words, numbers
// and plain strings need none.
var samples = map[string]string{
	"Host": "", "HostName": "web.example.com", "FingerprintHash": "MD5", "GSSAPIKexAlgorithms": "gss-group14-sha256-",
	"ObscureKeystrokeTiming": "interval:40", "Ciphers": "aes128-ctr", "HostKeyAlgorithms": "ssh-ed25519",
	"HostbasedAcceptedAlgorithms": "ssh-ed25519", "IdentityAgent": "/agent", "KexAlgorithms": "curve25519-sha256",
	"CASignatureAlgorithms": "ssh-ed25519", "LogLevel": "DEBUG2", "MACs": "hmac-sha2-256", "PubkeyAcceptedAlgorithms": "ssh-ed25519",
	"VersionAddendum": "some words", "DynamicForward": "1080", "LocalForward": "8080 db:80", "RemoteForward": "8081 [::1]:80",
	"IdentityFile": "~/key", "CertificateFile": "~/key-cert.pub", "CanonicalDomains": "a.example b.example",
	"SendEnv": "LC_*", "SetEnv": "A=b", "LogVerbose": "kex.c:*", "ChannelTimeout": "session=60 global=5m",
	"PermitRemoteOpen": "a:1 b:*", "AddKeysToAgent": "confirm 60", "ForwardAgent": "yes", "TunnelDevice": "1:2",
	"CanonicalizePermittedCNAMEs": "*.a:*.b c:d", "ControlPersist": "60", "EscapeChar": "!", "IPQoS": "af21 cs1",
	"UpdateHostKeys": "no", "RekeyLimit": "1024 60", "StreamLocalBindMask": "0111", "SyslogFacility": "AUTH", "ProxyJump": "joe@a:2222,b",
	"ForwardAgentKeys": "a b", "Port": "2222", "User": "joe",
}

// anyName is a Resolver that knows every name.
type anyName struct{}

func (anyName) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.IPv6Loopback()}, nil
}

func (anyName) LookupCNAME(_ context.Context, host string) (string, error) { return host, nil }

// TestDumpRoundTrips sets each keyword, and checks that the line that Dump
// prints sets it to the same again. OpenSSH prints an interval of
// ObscureKeystrokeTiming without the word that it takes in front of it.
func TestDumpRoundTrips(t *testing.T) {
	lines := func(r *row, options ...string) []string {
		opts := Options{UserFile: "none", Home: "/h", LocalUser: "me", Hostname: "here", DumpOnly: true, Resolver: anyName{}}
		if r.id == kwForkAfterAuthentication { // the others need no command, or forbid one
			opts.Command = "true"
		}
		for _, o := range options {
			opts.CommandLine = append(opts.CommandLine, Option(o))
		}
		c, err := Load(t.Context(), "web", opts)
		if err != nil {
			t.Fatalf("%s: %v", options, err)
		}
		var out strings.Builder
		if err := c.Dump(&out); err != nil {
			t.Fatal(err)
		}
		var found []string
		for line := range strings.Lines(out.String()) {
			if name, _, _ := strings.Cut(line, " "); strings.EqualFold(name, r.name) {
				found = append(found, strings.TrimSuffix(line, "\n"))
			}
		}
		return found
	}
	for i := range keywordTable {
		r := &keywordTable[i]
		sample, ok := samples[r.name]
		if r.dump == nil || ok && sample == "" {
			continue
		}
		if !ok {
			sample = sampleOf(r)
		}
		unset, set := lines(r), lines(r, r.name+" "+sample)
		if len(set) == 0 || slices.Equal(unset, set) {
			t.Errorf("%s %s: Dump prints %q, without it %q", r.name, sample, set, unset)
		}
		options := slices.Clone(set)
		if r.name == "ObscureKeystrokeTiming" {
			options[0] = strings.Replace(options[0], " ", " interval:", 1)
		}
		if again := lines(r, options...); !slices.Equal(set, again) {
			t.Errorf("%s %s: Dump prints %q, and then %q", r.name, sample, set, again)
		}
	}
}

// sampleOf returns an argument that is not the default.
func sampleOf(r *row) string {
	switch reflect.ValueOf(r.field(new(Config))).Elem().Kind() {
	case reflect.Int, reflect.Int64:
		return "7"
	case reflect.Bool:
		if r.def == "yes" {
			return "no"
		}
		return "yes"
	}
	if reflect.TypeOf(r.field(new(Config))) == reflect.TypeFor[*string]() || r.words == wordsFlag {
		return "/some/text"
	}
	for _, w := range wordTable[r.words] {
		if w.value != r.def {
			return w.text
		}
	}
	return ""
}

// TestDocumentedKeywords compares the table with the one that people read:
// every keyword that does less or more than ssh_config(5) says is there.
func TestDocumentedKeywords(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Keywords of ssh_config(5)\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !ok {
		t.Fatal("docs/compatibility.md has no section of keywords")
	}
	documented := map[string]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, name := range strings.Split(cells[1], ",") {
			documented[strings.TrimSpace(name)] = strings.TrimSpace(cells[2])
		}
	}
	for _, not := range []string{"keyword", "---"} {
		delete(documented, not)
	}
	seen := map[string]bool{}
	for _, k := range Keywords() {
		if k.Alias != "" {
			continue
		}
		name := k.Name
		if documented[name] == "" && strings.HasPrefix(name, "GSSAPI") {
			name = "GSSAPI…"
		}
		status := documented[name]
		seen[name] = true
		switch {
		case k.Own && status != "gossh",
			k.Status == NoEffect && status != "no",
			k.Status == Partial && status != "differs",
			k.Status == Implemented && !k.Own && status != "" && status != "yes" && status != "differs",
			(k.Status == Unsupported || k.Status == Deprecated) && status != "":
			t.Errorf("%s has status %d (own: %v) and is documented as %q", k.Name, k.Status, k.Own, status)
		}
	}
	for name := range documented {
		if !seen[name] {
			t.Errorf("%s is documented and not in the table", name)
		}
	}
}
