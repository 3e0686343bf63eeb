package hostkey

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// outcome is a verdict or an error in one word, and the events.
func outcome(v *Verdict, err error) string {
	var unknown *UnknownError
	var changed *ChangedError
	var revoked *RevokedError
	var address *AddressError
	var cert *CertError
	switch {
	case err == nil:
		s := map[Status]string{
			StatusKnown: "known", StatusKnownWithoutPort: "known without port", StatusAdded: "added",
			StatusLocalhost: "localhost", StatusDNS: "dns", StatusChanged: "changed!", StatusRevoked: "revoked!",
		}[v.Status]
		if v.Restricted != strings.HasSuffix(s, "!") {
			s += " (Restricted is wrong)"
		}
		return s
	case !errors.Is(err, ErrVerification):
		return "not ErrVerification: " + err.Error()
	case errors.As(err, &unknown):
		return "unknown"
	case errors.As(err, &changed):
		return "changed"
	case errors.As(err, &revoked):
		return "revoked"
	case errors.As(err, &address):
		return "address"
	case errors.As(err, &cert):
		return "cert"
	}
	return err.Error()
}

func TestCheck(t *testing.T) {
	k := newKeys(t)
	a := func(key ssh.PublicKey) string { return entryLine("a.example.com", key) }
	for _, tt := range []struct {
		name         string
		user, global string
		opts         Options
		target       Target
		key          ssh.PublicKey
		yes          bool
		want, events string
		asked        int
		file         string // of the user's file; "" is unchanged
	}{
		{name: "known", user: a(k.ed), want: "known", events: "Matched"},
		{name: "known globally", global: a(k.ed), want: "known", events: "Matched"},
		{name: "known in other case", user: entryLine("A.Example.COM", k.ed), want: "known", events: "Matched"},
		{name: "one of several keys", user: a(k.rsa) + a(k.ed2) + a(k.ed), want: "known", events: "Matched"},
		{name: "unknown, yes", yes: true, asked: 1, want: "added", events: "Added", file: a(k.ed)},
		{name: "unknown, no", asked: 1, want: "unknown"},
		{name: "unknown, strict", opts: Options{Strict: StrictYes}, want: "unknown"},
		{name: "unknown, accept-new", opts: Options{Strict: StrictAcceptNew}, want: "added", events: "Added", file: a(k.ed)},
		{name: "unknown, no checking", opts: Options{Strict: StrictNo}, want: "added", events: "Added", file: a(k.ed)},
		{name: "changed", user: a(k.ed2), want: "changed"},
		{name: "changed type", user: a(k.rsa), yes: true, want: "changed"},
		{name: "changed, accept-new", user: a(k.ed2), opts: Options{Strict: StrictAcceptNew}, want: "changed"},
		{name: "changed, no checking", user: a(k.ed2), opts: Options{Strict: StrictNo}, want: "changed!", events: "ChangedTolerated"},
		{name: "revoked", user: a(k.ed) + "@revoked * " + keyText(k.ed), yes: true, want: "revoked"},
		{name: "revoked after the match", user: "@revoked * " + keyText(k.ed) + "\n" + a(k.ed), want: "revoked"},
		{name: "revoked, no checking", user: "@revoked * " + keyText(k.ed), opts: Options{Strict: StrictNo}, want: "revoked!", events: "RevokedTolerated"},
		{name: "revoked for another host", user: "@revoked b.* " + keyText(k.ed) + "\n" + a(k.ed), want: "known", events: "Matched"},
		// What x/crypto's knownhosts gets wrong.
		{name: "a CA's key is no host key", user: "@cert-authority * " + keyText(k.ed), asked: 1, want: "unknown"},
		{name: "a CA's key beside another", user: "@cert-authority * " + keyText(k.ed) + "\n" + a(k.ed2), want: "changed"},
		{name: "bad line", user: "a.example.com ssh-ed25519 AAAA\n" + a(k.ed), want: "known", events: "BadLine Matched"},
		{name: "unknown type", user: "a.example.com ssh-future AAAA\n" + a(k.ed), want: "known", events: "BadLine Matched"},
		{name: "bad marker", user: "@nonsense\n" + a(k.ed), want: "known", events: "BadLine Matched"},
		{name: "a bad line of another host", user: "b ssh-ed25519 AAAA\n" + a(k.ed), want: "known", events: "Matched"},
		{name: "wildcard with a port", user: entryLine("[*.example.com]:2222", k.ed), target: Target{Host: "a.example.com", Port: 2222}, want: "known", events: "Matched"},
		// Ports.
		{name: "port", user: entryLine("[a.example.com]:2222", k.ed), target: Target{Host: "a.example.com", Port: 2222}, want: "known", events: "Matched"},
		{name: "other port", user: entryLine("[a.example.com]:2222", k.ed), target: Target{Host: "a.example.com", Port: 2223}, asked: 1, want: "unknown"},
		{name: "port, known without", user: a(k.ed), target: Target{Host: "a.example.com", Port: 2222}, want: "known without port", events: "Matched"},
		{name: "port, another key without", user: a(k.ed2), target: Target{Host: "a.example.com", Port: 2222}, asked: 1, want: "unknown"},
		{name: "port, another key without, yes", user: a(k.ed2), target: Target{Host: "a.example.com", Port: 2222}, asked: 1, yes: true, want: "added", events: "Added", file: a(k.ed2) + entryLine("[a.example.com]:2222", k.ed)},
		{name: "port, revoked without", user: "@revoked a.* " + keyText(k.ed), yes: true, target: Target{Host: "a.example.com", Port: 2222}, want: "revoked"},
		{name: "port, revoked without, accept-new", user: "@revoked a.* " + keyText(k.ed), opts: Options{Strict: StrictAcceptNew}, target: Target{Host: "a.example.com", Port: 2222}, want: "revoked"},
		{name: "port changed, same without", user: entryLine("[a.example.com]:2222", k.ed2) + a(k.ed), target: Target{Host: "a.example.com", Port: 2222}, want: "changed"},
		{name: "port 22 is not [a]:22", user: entryLine("[a.example.com]:22", k.ed), asked: 1, want: "unknown"},
		// Aliases.
		{name: "alias suppresses the port", user: entryLine("Alias", k.ed), target: Target{Host: "x", Alias: "ALIAS", Port: 2222}, want: "known", events: "Matched"},
		{name: "alias is added", target: Target{Host: "x", Alias: "alias", Port: 2222}, opts: Options{Strict: StrictAcceptNew}, want: "added", events: "Added", file: entryLine("alias", k.ed)},
		// Localhost.
		{name: "localhost", opts: Options{NoHostAuthenticationForLocalhost: true}, target: Target{Host: "localhost", Addr: addr("127.0.0.2")}, user: entryLine("localhost", k.ed2), want: "localhost"},
		{name: "localhost, IPv6", opts: Options{NoHostAuthenticationForLocalhost: true}, target: Target{Host: "localhost", Addr: addr("::1")}, want: "localhost"},
		{name: "localhost by alias", opts: Options{NoHostAuthenticationForLocalhost: true}, target: Target{Host: "localhost", Alias: "alias", Addr: addr("127.0.0.1")}, asked: 1, want: "unknown"},
		{name: "localhost behind a proxy", opts: Options{NoHostAuthenticationForLocalhost: true}, target: Target{Host: "localhost"}, asked: 1, want: "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, tt.user)
			tt.opts.UserFiles, tt.opts.GlobalFiles = []string{file}, []string{write(t, tt.global)}
			c, w := checker(tt.opts)
			w.answer = tt.yes
			if tt.target == (Target{}) {
				tt.target = Target{Host: "a.example.com"}
			}
			if tt.key == nil {
				tt.key = k.ed
			}
			v, err := c.Check(t.Context(), tt.target, tt.key)
			if got := outcome(v, err); got != tt.want {
				t.Errorf("outcome %q, want %q", got, tt.want)
			}
			if got := w.names(); got != tt.events {
				t.Errorf("events %q, want %q", got, tt.events)
			}
			if len(w.questions) != tt.asked {
				t.Errorf("asked %d times, want %d", len(w.questions), tt.asked)
			}
			if tt.file == "" {
				tt.file = tt.user
			}
			if got := read(t, file); got != tt.file {
				t.Errorf("file: %s", shortDiff(got, tt.file))
			}
		})
	}
}

func TestCheckIP(t *testing.T) {
	k := newKeys(t)
	const ip = "192.0.2.1"
	for _, tt := range []struct {
		name, user   string
		opts         Options
		target       Target
		yes          bool
		want, events string
		asked        int
		file         string
	}{
		{name: "both known", user: entryLine("a,"+ip, k.ed), want: "known", events: "Matched"},
		{name: "both new", yes: true, asked: 1, want: "added", events: "Added", file: entryLine("a,"+ip, k.ed)},
		{name: "address new", user: entryLine("a", k.ed), want: "known", events: "Matched AddressAdded", file: entryLine("a", k.ed) + entryLine(ip, k.ed)},
		{name: "address new, strict", user: entryLine("a", k.ed), opts: Options{Strict: StrictYes}, want: "known", events: "Matched AddressAdded", file: entryLine("a", k.ed) + entryLine(ip, k.ed)},
		{name: "name new, address known", user: entryLine(ip, k.ed), yes: true, asked: 1, want: "added", events: "Added", file: entryLine(ip, k.ed) + entryLine("a", k.ed)},
		{name: "address differs, no", user: entryLine("a", k.ed) + entryLine(ip, k.ed2), asked: 1, want: "address", events: "Matched"},
		{name: "address differs, yes", user: entryLine("a", k.ed) + entryLine(ip, k.ed2), yes: true, asked: 1, want: "known", events: "Matched"},
		{name: "address differs, strict", user: entryLine("a", k.ed) + entryLine(ip, k.ed2), opts: Options{Strict: StrictYes}, want: "address", events: "Matched AddressDiffers"},
		{name: "address differs, no checking", user: entryLine("a", k.ed) + entryLine(ip, k.ed2), opts: Options{Strict: StrictNo}, want: "known", events: "Matched AddressDiffers"},
		{name: "new and address differs", user: entryLine(ip, k.ed2), yes: true, asked: 2, want: "added", events: "Added", file: entryLine(ip, k.ed2) + entryLine("a", k.ed)},
		{name: "changed", user: entryLine("a", k.ed2), want: "changed"},
		{name: "a port", target: Target{Host: "a", Port: 2222, Addr: addr(ip)}, yes: true, asked: 1, want: "added", events: "Added", file: entryLine("[a]:2222,["+ip+"]:2222", k.ed)},
		{name: "loopback", target: Target{Host: "a", Addr: addr("127.0.0.1")}, user: entryLine("a", k.ed), want: "known", events: "Matched"},
		{name: "named by address", target: Target{Host: ip, Port: 2222, Addr: addr(ip)}, yes: true, asked: 1, want: "added", events: "Added", file: entryLine("["+ip+"]:2222", k.ed)},
		{name: "behind a proxy", target: Target{Host: "a"}, user: entryLine("a", k.ed) + entryLine(ip, k.ed2), want: "known", events: "Matched"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, tt.user)
			tt.opts.UserFiles, tt.opts.CheckHostIP = []string{file}, true
			c, w := checker(tt.opts)
			w.answer = tt.yes
			if tt.target == (Target{}) {
				tt.target = Target{Host: "a", Addr: addr("::ffff:" + ip)}
			}
			v, err := c.Check(t.Context(), tt.target, k.ed)
			if got := outcome(v, err); got != tt.want {
				t.Errorf("outcome %q, want %q", got, tt.want)
			}
			if got := w.names(); got != tt.events {
				t.Errorf("events %q, want %q", got, tt.events)
			}
			if len(w.questions) != tt.asked {
				t.Errorf("asked %d times, want %d", len(w.questions), tt.asked)
			}
			if tt.file == "" {
				tt.file = tt.user
			}
			if got := read(t, file); got != tt.file {
				t.Errorf("file: %s", shortDiff(got, tt.file))
			}
		})
	}
}

func TestChangedErrorTells(t *testing.T) {
	k := newKeys(t)
	file := write(t, "# x\n"+entryLine("a", k.rsa)+entryLine("a", k.ed2)+entryLine("192.0.2.1", k.ed))
	c, _ := checker(Options{UserFiles: []string{file}, CheckHostIP: true})
	_, err := c.Check(t.Context(), Target{Host: "a", Addr: addr("192.0.2.1")}, k.ed)
	var e *ChangedError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want := []Location{{file, 2, "RSA"}, {file, 3, "ED25519"}}
	if len(e.Offending) != 2 || e.Offending[0] != want[0] || e.Offending[1] != want[1] {
		t.Errorf("offending %v, want %v", e.Offending, want)
	}
	if e.Host != "a" || e.KeyType != "ED25519" || e.Fingerprint != Fingerprint(k.ed) || e.AddTo != file || e.Address != "192.0.2.1" {
		t.Errorf("%+v", e)
	}
	if s := e.Spoofing; s == nil || !s.Known || !s.Unchanged || *s.Location != (Location{file, 4, "ED25519"}) {
		t.Errorf("spoofing %+v", s)
	}
	// Name and address changed together: nothing to add.
	c, _ = checker(Options{UserFiles: []string{write(t, entryLine("a,192.0.2.1", k.ed2))}, CheckHostIP: true})
	_, err = c.Check(t.Context(), Target{Host: "a", Addr: addr("192.0.2.1")}, k.ed)
	if !errors.As(err, &e) || e.Spoofing != nil {
		t.Errorf("%v, spoofing %+v", err, e.Spoofing)
	}
}

func TestNewHostQuestion(t *testing.T) {
	k := newKeys(t)
	hashed, err := newHashedName(NewChecker(Options{}).opts.Rand, "other")
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, entryLine("b,192.0.2.9", k.ed)+entryLine(hashed, k.ed)+entryLine("192.0.2.1", k.ed)+
		"@cert-authority c "+keyText(k.ed)+"\n"+entryLine("d", k.ed2))
	c, w := checker(Options{UserFiles: []string{file}})
	if _, err := c.Check(t.Context(), Target{Host: "a", Addr: addr("192.0.2.1")}, k.ed); err == nil {
		t.Fatal("accepted")
	}
	q := w.questions[0].(NewHostQuestion)
	if q.Host != "a" || q.Address != "192.0.2.1" || q.KeyType != "ED25519" || q.Fingerprint != Fingerprint(k.ed) || q.DNS != nil {
		t.Errorf("%+v", q)
	}
	if len(q.OtherNames) != 2 || q.OtherNames[0].Hosts != "b,192.0.2.9" || q.OtherNames[0].Line != 1 ||
		q.OtherNames[0].Hashed || !q.OtherNames[1].Hashed || q.OtherNames[1].Line != 2 {
		t.Errorf("other names %+v", q.OtherNames)
	}
}

func TestAskFails(t *testing.T) {
	gone := errors.New("terminal is gone")
	c, w := checker(Options{UserFiles: []string{write(t, "")}})
	w.err = gone
	_, err := c.Check(t.Context(), Target{Host: "a"}, newKey(t, "ed25519"))
	if !errors.Is(err, gone) || !errors.Is(err, ErrVerification) {
		t.Error(err)
	}
	// Nobody to ask is a no, as with BatchMode.
	_, err = NewChecker(Options{UserFiles: []string{write(t, "")}}).Check(t.Context(), Target{Host: "a"}, newKey(t, "ed25519"))
	if outcome(nil, err) != "unknown" {
		t.Error(err)
	}
}

func TestNoUserFilesRefusesUnknown(t *testing.T) {
	for _, strict := range []Strictness{StrictAsk, StrictYes, StrictAcceptNew, StrictNo} {
		c, w := checker(Options{Strict: strict})
		w.answer = true
		v, err := c.Check(t.Context(), Target{Host: "a"}, newKey(t, "ed25519"))
		if outcome(v, err) != "unknown" || len(w.questions) != 0 {
			t.Errorf("strict %d: %v %v, asked %d times", strict, v, err, len(w.questions))
		}
	}
}

func TestAddFailureIsTold(t *testing.T) {
	c, w := checker(Options{UserFiles: []string{filepath.Join(t.TempDir(), "no", "such", "file")}, Strict: StrictAcceptNew})
	v, err := c.Check(t.Context(), Target{Host: "a"}, newKey(t, "ed25519"))
	if outcome(v, err) != "added" || event[AddFailed](t, w).Err == nil {
		t.Errorf("%v %v", v, err)
	}
}

// TestUserDirFailureIsTold: a folder that cannot be made is named.
func TestUserDirFailureIsTold(t *testing.T) {
	dir := filepath.Join(write(t, ""), ".ssh") // below a file
	c, w := checker(Options{UserFiles: []string{filepath.Join(dir, "known_hosts")}, Strict: StrictAcceptNew})
	v, err := c.Check(t.Context(), Target{Host: "a"}, newKey(t, "ed25519"))
	if e := event[UserDirFailed](t, w); outcome(v, err) != "added" || e.Dir != dir || e.Err == nil || event[AddFailed](t, w).Err == nil {
		t.Errorf("%v %v, %+v", v, err, e)
	}
}

// TestSearchFailureIsTold: a file that cannot be opened is named before a
// question that it may have answered, and only there.
func TestSearchFailureIsTold(t *testing.T) {
	below := filepath.Join(write(t, ""), "below a file")
	for _, test := range []struct {
		files  []string
		strict Strictness
		want   string
	}{
		{[]string{below}, StrictAsk, below},
		{[]string{write(t, ""), t.TempDir(), filepath.Join(t.TempDir(), "none"), below, below + "2"}, StrictAsk, below},
		{[]string{t.TempDir()}, StrictAsk, ""},
		{[]string{below}, StrictYes, ""},
		{[]string{below}, StrictNo, ""},
	} {
		c, w := checker(Options{UserFiles: test.files, Strict: test.strict})
		c.Check(t.Context(), Target{Host: "a"}, newKey(t, "ed25519"))
		var got []string
		for _, e := range w.events {
			if e, ok := e.(SearchFailed); ok {
				got = append(got, e.File)
			}
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%q, strict %d: told of %q, want %q", test.files, test.strict, s, test.want)
		}
	}
}

func TestRequiredRSASize(t *testing.T) {
	small := newKey(t, "rsa1024")
	for required, want := range map[int]bool{0: true, 512: true, 1024: true, 1025: false, 2048: false} {
		c, _ := checker(Options{UserFiles: []string{write(t, entryLine("a", small))}, RequiredRSASize: required})
		_, err := c.Check(t.Context(), Target{Host: "a"}, small)
		var e *KeySizeError
		if got := !errors.As(err, &e); got != want || err != nil && !errors.Is(err, ErrVerification) {
			t.Errorf("required %d: %v", required, err)
		}
	}
}

func TestKnownHostsCommand(t *testing.T) {
	k := newKeys(t)
	var requests []CommandRequest
	text := entryLine("a", k.ed)
	file := write(t, "")
	command := func(_ context.Context, r CommandRequest) ([]byte, error) {
		requests = append(requests, r)
		return []byte(text), nil
	}
	c, w := checker(Options{UserFiles: []string{file}, KnownHostsCommand: command, CheckHostIP: true, UpdateHostKeys: UpdateYes})
	target := Target{Host: "a", Addr: addr("192.0.2.1")}
	v, err := c.Check(t.Context(), target, k.ed)
	if outcome(v, err) != "known" || v.MayUpdate || v.Found.File != "KnownHostsCommand-HOSTNAME" {
		t.Errorf("%+v %v", v, err)
	}
	// Nothing is written where the key did not come from a file.
	if read(t, file) != "" || w.names() != "Matched AddressUnknown" {
		t.Errorf("events %q, file %q", w.names(), read(t, file))
	}
	if len(requests) != 2 || requests[0].Purpose != PurposeHostname || requests[0].Host != "a" ||
		requests[1].Purpose != PurposeAddress || requests[1].Host != "192.0.2.1" || !sshkey.Same(requests[1].Key, k.ed) {
		t.Errorf("requests %+v", requests)
	}
	algs, err := c.Algorithms(t.Context(), target, []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoED25519}, true)
	if err != nil || algs[0] != ssh.KeyAlgoED25519 || requests[2].Purpose != PurposeOrder || requests[2].Key != nil {
		t.Errorf("%q %v %+v", algs, err, requests[2:])
	}
	// As with ssh the host is then named without port and alias.
	target.Port, target.Alias = 2222, "other"
	if _, err := c.Algorithms(t.Context(), target, []string{ssh.KeyAlgoED25519}, true); err != nil || requests[3].Host != "a" {
		t.Errorf("%v %+v", err, requests[3:])
	}
	failure := errors.New("exit status 1")
	c, _ = checker(Options{UserFiles: []string{write(t, text)}, KnownHostsCommand: func(context.Context, CommandRequest) ([]byte, error) { return nil, failure }})
	if _, err := c.Check(t.Context(), target, k.ed); !errors.Is(err, failure) || !errors.Is(err, ErrVerification) {
		t.Error(err)
	}
	if _, err := c.Algorithms(t.Context(), target, []string{"x"}, true); !errors.Is(err, failure) {
		t.Error(err)
	}
}

func TestVerifyHostKeyDNS(t *testing.T) {
	k := newKeys(t)
	for _, tt := range []struct {
		name   string
		mode   DNSMode
		result DNSResult
		err    error
		want   string
		events string
	}{
		{"secure", DNSYes, DNSResult{Found: true, Matching: true, Secure: true}, nil, "dns", ""},
		{"insecure", DNSYes, DNSResult{Found: true, Matching: true}, nil, "added", "Added"},
		{"secure, but ask", DNSAsk, DNSResult{Found: true, Matching: true, Secure: true}, nil, "added", "Added"},
		{"mismatch", DNSYes, DNSResult{Found: true, Secure: true}, nil, "added", "DNSMismatch Added"},
		{"nothing", DNSYes, DNSResult{Secure: true}, nil, "added", "Added"},
		{"a contradiction", DNSYes, DNSResult{Matching: true, Secure: true}, nil, "added", "Added"},
		{"failure", DNSYes, DNSResult{Found: true, Matching: true, Secure: true}, errors.New("timeout"), "added", "Added"},
		{"off", DNSNo, DNSResult{Found: true, Matching: true, Secure: true}, nil, "added", "Added"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, w := checker(Options{
				UserFiles: []string{write(t, "")}, VerifyHostKeyDNS: tt.mode,
				LookupSSHFP: func(context.Context, string, netip.Addr, ssh.PublicKey) (DNSResult, error) { return tt.result, tt.err },
			})
			w.answer = true
			v, err := c.Check(t.Context(), Target{Host: "a"}, k.ed)
			if got := outcome(v, err); got != tt.want || w.names() != tt.events {
				t.Errorf("outcome %q, events %q", got, w.names())
			}
			if len(w.questions) > 0 && (w.questions[0].(NewHostQuestion).DNS != nil) != (tt.mode != DNSNo) {
				t.Errorf("question %+v", w.questions[0])
			}
		})
	}
}

func TestMayUpdate(t *testing.T) {
	k := newKeys(t)
	line := entryLine("a", k.ed)
	for name, tt := range map[string]struct {
		user, global string
		opts         Options
		target       Target
		want         bool
	}{
		"user file":          {user: line, want: true},
		"global file":        {global: line},
		"both files":         {user: line, global: line, want: true},
		"confirmed":          {want: true},
		"accepted unasked":   {opts: Options{Strict: StrictAcceptNew}},
		"changed":            {user: entryLine("a", k.ed2), opts: Options{Strict: StrictNo}},
		"without port":       {user: line, target: Target{Host: "a", Port: 2222}},
		"localhost":          {user: line, target: Target{Host: "a", Addr: addr("127.0.0.1")}, opts: Options{NoHostAuthenticationForLocalhost: true}},
		"UpdateHostKeys off": {user: line, opts: Options{UpdateHostKeys: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.opts.UserFiles, tt.opts.GlobalFiles = []string{write(t, tt.user)}, []string{write(t, tt.global)}
			switch tt.opts.UpdateHostKeys {
			case -1:
				tt.opts.UpdateHostKeys = UpdateNo
			default:
				tt.opts.UpdateHostKeys = UpdateYes
			}
			c, w := checker(tt.opts)
			w.answer = true
			if tt.target.Host == "" {
				tt.target.Host = "a"
			}
			v, err := c.Check(t.Context(), tt.target, k.ed)
			if err != nil || v.MayUpdate != tt.want {
				t.Errorf("%+v %v, want MayUpdate %v", v, err, tt.want)
			}
		})
	}
}

func TestVerifierRemembers(t *testing.T) {
	k := newKeys(t)
	c, w := checker(Options{UserFiles: []string{filepath.Join(t.TempDir(), "known_hosts")}})
	ctx, cancel := context.WithCancel(t.Context())
	v := c.Verifier(ctx, Target{Host: "a"})
	if v.Verdict() != nil {
		t.Error("a verdict before any key")
	}
	if err := v.Callback("", nil, k.ed); outcome(nil, err) != "unknown" || v.Verdict() != nil {
		t.Errorf("refused key: %v, %v", err, v.Verdict())
	}
	w.answer = true
	if err := v.Callback("", nil, k.ed); err != nil {
		t.Fatal(err)
	}
	cancel() // the handshake is over
	w.answer = false
	for range 3 {
		if err := v.Callback("", nil, k.ed); err != nil {
			t.Errorf("rekey: %v", err)
		}
	}
	if len(w.questions) != 2 || v.Verdict().Status != StatusAdded {
		t.Errorf("asked %d times, %+v", len(w.questions), v.Verdict())
	}
	var e *RekeyError
	if err := v.Callback("", nil, k.ed2); !errors.As(err, &e) || !errors.Is(err, ErrVerification) || e.Shown != Fingerprint(k.ed2) {
		t.Errorf("another key on rekey: %v", err)
	}
}
