//go:build linux

package integration_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// TestStalledServer: with ConnectTimeout a server that stops answering is the
// end, in time and in OpenSSH's words, wherever it stops.
func TestStalledServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stage sshtest.Stage
		words string
	}{
		"accept":  {sshtest.StageAccept, "Connection timed out during banner exchange\r\nConnection to 127.0.0.1 port PORT timed out\r\n"},
		"version": {sshtest.StageVersion, "Connection to 127.0.0.1 port PORT timed out\r\n"},
		"kex":     {sshtest.StageKex, "Connection to 127.0.0.1 port PORT timed out\r\n"},
		"auth":    {sshtest.StageAuth, "Connection to 127.0.0.1 port PORT timed out\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, srv := withServer(t, sshtest.Options{Faults: sshtest.Faults{StallAt: c.stage}})
			w.keyOf(srv)
			// Enough for a busy machine to get there.
			const limit = 4 * time.Second
			o := w.run(w.gossh("-o", fmt.Sprint("ConnectTimeout=", limit.Seconds()), "-o", "BatchMode=yes", "sshtest", "true"))
			words := strings.ReplaceAll(c.words, "PORT", fmt.Sprint(srv.Port()))
			o.want(t, 255, "", &words)
			if o.took < limit || o.took > patience/2 {
				t.Errorf("took %v", o.took)
			}
		})
	}
	t.Run("session", func(t *testing.T) {
		t.Parallel()
		w, srv := withServer(t, sshtest.Options{Faults: sshtest.Faults{StallAt: sshtest.StageSession}})
		w.keyOf(srv)
		o := w.run(w.gossh("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1", "sshtest", "true"))
		words := "Timeout, server 127.0.0.1 not responding.\r\n"
		o.want(t, 255, "", &words)
	})
}

// keyOf gives the world the key that the server accepts.
func (w *world) keyOf(srv *sshtest.Server) {
	w.t.Helper()
	key := w.write("id_client", string(srv.ClientKeyPEM()))
	w.write("config", strings.ReplaceAll(w.read("config"), "IdentityFile none", "IdentityFile "+key))
}

// closes are the cases in which the server closes the connection without a
// message.
var closes = map[string]bool{"accept": true, "version": true, "kex": true, "auth": true, "session": true, "killed": true}

var closedWords = regexp.MustCompile(`^(kex_exchange_identification: .*\n)?Connection (closed|reset) by 127\.0\.0\.1 port \d+\n$|` +
	`^Connection to 127\.0\.0\.1 closed by remote host\.\n$|^client_loop: send disconnect: Broken pipe\n$`)

// TestClosingServer compares with ssh the messages about a server that hangs up.
func TestClosingServer(t *testing.T) {
	t.Parallel()
	disconnect := func(at sshtest.Stage, reason uint32) sshtest.Options {
		return sshtest.Options{Faults: sshtest.Faults{Disconnect: sshtest.Disconnect{At: at, Reason: reason, Message: "go \x1baway"}}}
	}
	exit := func(e sshtest.Exit) sshtest.Options {
		return sshtest.Options{Handler: sshtest.Say("out\n", "err\n", e)}
	}
	killed := func(s *sshtest.Session) sshtest.Exit {
		s.Conn.Kill()
		<-s.Context().Done()
		return sshtest.Exit{Silent: true}
	}
	for name, opts := range map[string]sshtest.Options{
		"accept":             {Faults: sshtest.Faults{CloseAt: sshtest.StageAccept}},
		"version":            {Faults: sshtest.Faults{CloseAt: sshtest.StageVersion}},
		"kex":                {Faults: sshtest.Faults{CloseAt: sshtest.StageKex}},
		"auth":               {Faults: sshtest.Faults{CloseAt: sshtest.StageAuth}},
		"session":            {Faults: sshtest.Faults{CloseAt: sshtest.StageSession}},
		"goodbye, version":   disconnect(sshtest.StageVersion, 2),
		"goodbye, auth":      disconnect(sshtest.StageAuth, 12),
		"goodbye, session":   disconnect(sshtest.StageSession, 11),
		"killed":             {Handler: killed},
		"silent end":         exit(sshtest.Exit{Silent: true}),
		"signal":             exit(sshtest.Exit{Signal: "KILL", CoreDumped: true, Message: "of\x1b no use"}),
		"status":             exit(sshtest.Status(77)),
		"large status":       exit(sshtest.Exit{Status: 256 + 3}),
		"refused channel":    {OnOpen: sshtest.RefuseOpen("session", ssh.ResourceShortage, "too\x1b many")},
		"refused, prohibits": {OnOpen: sshtest.RefuseOpen("session", ssh.Prohibited, "")},
		"refused exec":       {OnRequest: sshtest.React(map[string]sshtest.Reaction{"exec": {Verdict: sshtest.Refuse}})},
		"refused env":        {OnRequest: sshtest.React(map[string]sshtest.Reaction{"env": {Verdict: sshtest.Refuse}}), Handler: sshtest.Say("out\n", "", sshtest.Exit{})},
		"banner":             {Banner: "Welcome\x1b[31m\nto é\n", Handler: sshtest.Say("out\n", "", sshtest.Exit{})},
		"text before":        {PreVersion: "some text\r\nmore\r\n", Handler: sshtest.Say("out\n", "", sshtest.Exit{})},
		"no cipher":          {Config: ssh.Config{Ciphers: []string{"arcfour256"}}},
		"no kex":             {Config: ssh.Config{KeyExchanges: []string{"diffie-hellman-group1-sha1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, srv := withServer(t, opts)
			w.keyOf(srv)
			args := []string{"-o", "BatchMode=yes", "-o", "SetEnv=A=b", "sshtest", "command"}
			got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
			got.stderr, want.stderr = sameWords(got.stderr), sameWords(want.stderr)
			if closes[name] {
				// A close that finds something unread is a reset, which meets a
				// read or a write: ssh has words for each, by chance.
				if got.status != 255 || !closedWords.MatchString(got.stderr) {
					t.Errorf("got %v", got)
				}
				return
			}
			compare(t, name, got, want)
		})
	}
}

// TestRefusedTTY: without a terminal on the server the session goes on, unless
// the terminal was asked for.
func TestRefusedTTY(t *testing.T) {
	t.Parallel()
	w, srv := withServer(t, sshtest.Options{
		OnRequest: sshtest.React(map[string]sshtest.Reaction{"pty-req": {Verdict: sshtest.Refuse}}),
		Handler:   sshtest.Say("", "one\ntwo\n", sshtest.Exit{Status: 5})})
	w.keyOf(srv)
	s := w.onScreen(w.gossh("sshtest"))
	before := s.before
	s.expect(`PTY allocation request failed on channel 0\r`)
	s.wantEnd(5)
	if s.modes() != before || !strings.Contains(s.text(), "one\r\ntwo\r\n") {
		t.Errorf("modes %+v, before %+v; %q", s.modes(), before, s.text())
	}
	for _, asked := range []string{"-t", "-tt"} {
		for name, program := range map[string]*exec.Cmd{"ssh": w.ssh(asked, "sshtest", "command"), "gossh": w.gossh(asked, "sshtest", "command")} {
			s := w.onScreen(program)
			before := s.before
			s.expect(`PTY allocation request failed on channel 0\r`)
			s.wantEnd(255)
			if text := strings.Trim(s.text(), "\r\n"); text != "PTY allocation request failed on channel 0" || s.modes() != before {
				t.Errorf("%s %s: modes %+v, before %+v; %q", name, asked, s.modes(), before, s.text())
			}
		}
	}
	if o := w.run(w.gossh("-tt", "sshtest", "command")); o.status != 255 || o.stdout != "" {
		t.Errorf("without a terminal here: %v", o)
	}
}

// TestTooManyKeys: a user who offers too many keys learns how to offer
// fewer.
func TestTooManyKeys(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, sshtest.Options{MaxAuthTries: 2})
	var flags []string
	for i := range 4 {
		flags = append(flags, "-i", w.keygen(fmt.Sprint("key", i), "-t", "ed25519"))
	}
	args := append(flags, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "sshtest", "true")
	got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
	hint := "2 keys were offered: IdentitiesOnly=yes with IdentityFile offers the right one alone.\r\n"
	if !strings.HasSuffix(got.stderr, hint) {
		t.Errorf("no hint in %v", got)
	}
	got.stderr = strings.TrimSuffix(got.stderr, hint)
	compare(t, "too many keys", got, want)
}
