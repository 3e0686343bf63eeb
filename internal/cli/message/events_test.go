package message

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/keyhelper"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
	"golang.org/x/crypto/ssh"
)

// TestHostQuestion checks the question about an unknown host.
func TestHostQuestion(t *testing.T) {
	print, _ := newPrinter(sshconfig.LogInfo)
	var others []hostkey.OtherName
	for i := range 10 {
		others = append(others, hostkey.OtherName{Location: hostkey.Location{File: "/k", Line: i + 1}, Hosts: fmt.Sprintf("host%d", i), Hashed: i == 1})
	}
	text := print.HostQuestion(hostkey.NewHostQuestion{Host: "web", KeyType: "RSA", OtherNames: others, DNS: &hostkey.DNSResult{Matching: true}})
	for _, line := range []string{
		"The authenticity of host 'web' can't be established.\n", "Matching host key fingerprint found in DNS.\n",
		"This host key is known by the following other names/addresses:\n", "    /k:1: host0\n", "    /k:2: [hashed name]\n",
		"    /k:8: host7\n", "    (2 additional names omitted)\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in %q", line, text)
		}
	}
	if strings.Contains(text, "host8") {
		t.Errorf("too many names: %q", text)
	}
}

// TestFingerprintHash checks that the question shows the fingerprint that
// FingerprintHash chooses.
func TestFingerprintHash(t *testing.T) {
	signer, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	key := signer.PublicKey()
	for hash, want := range map[sshconfig.FingerprintHash]string{"SHA256": hostkey.Fingerprint(key), "MD5": hostkey.FingerprintMD5(key)} {
		print := &Printer{Console: NewConsole(io.Discard), Config: &sshconfig.Config{FingerprintHash: hash}}
		q := hostkey.NewHostQuestion{Host: "h", Key: key, KeyType: "ED25519", Fingerprint: hostkey.Fingerprint(key)}
		if text := print.HostQuestion(q); !strings.Contains(text, "fingerprint is "+want+".") {
			t.Errorf("%s: %q lacks %s", hash, text, want)
		}
		if got := print.Fingerprint(key, q.Fingerprint); got != want {
			t.Errorf("%s: %s", hash, got)
		}
	}
}

// TestKeyHelperWords checks the words for failing helpers. A helper that is missing
// is named with its packages.
func TestKeyHelperWords(t *testing.T) {
	missing := &keyhelper.ProgramError{Program: keyhelper.SKHelper, Err: fs.ErrNotExist}
	for _, c := range []struct {
		event client.Event
		want  string
	}{
		{client.KeyHelperLine{Line: "a\x1b[2Jb"}, `a\033[2Jb`},
		{client.KeyHelperFailed{Err: &keyhelper.LoginError{Code: keyhelper.PINIncorrect}}, "PKCS#11 login failed: PIN incorrect"},
		{client.KeyHelperFailed{Err: &keyhelper.LoginError{Code: keyhelper.PINLocked}}, "PKCS#11 login failed: PIN locked"},
		{client.KeyHelperFailed{Err: &keyhelper.LoginError{Code: 5}}, "PKCS#11 login failed: error 5"},
		{client.KeyHelperFailed{Err: keyhelper.ErrPINRequired}, "pin required"},
		{client.KeyHelperFailed{Program: keyhelper.PKCS11Helper, Err: &keyhelper.ProgramError{Path: "/h", Err: keyhelper.ErrTimeout}},
			"ssh-pkcs11-helper: no answer in time"},
		{client.SignFailed{Key: `ED25519-SK "/k"`, Err: missing},
			"ssh-sk-helper: not found. It is part of OpenSSH's client: package openssh-client (Debian), openssh-clients (Fedora), openssh (others).|" +
				`sign_and_send_pubkey: signing failed for ED25519-SK "/k": No such file or directory`},
	} {
		print, printed := newPrinter(sshconfig.LogInfo)
		print.Event(c.event)
		if got := strings.ReplaceAll(printed.String(), "\r\n", "|"); got != c.want+"|" {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// TestHostKeyEvents checks the words for events of package hostkey.
func TestHostKeyEvents(t *testing.T) {
	for _, test := range []struct {
		event hostkey.Event
		want  string
	}{
		{hostkey.Added{Host: "web", KeyType: "ED25519"}, "Warning: Permanently added 'web' (ED25519) to the list of known hosts."},
		{hostkey.AddFailed{File: "/k"}, "Failed to add the host to the list of known hosts (/k)."},
		{hostkey.AddressAdded{KeyType: "RSA", Address: "192.0.2.1"},
			"Warning: Permanently added the RSA host key for IP address '192.0.2.1' to the list of known hosts."},
		{hostkey.AddressAddFailed{KeyType: "RSA", Address: "192.0.2.1", File: "/k"},
			"Failed to add the RSA host key for IP address '192.0.2.1' to the list of known hosts (/k)."},
		{hostkey.AddressUnknown{KeyType: "RSA", Address: "192.0.2.1"},
			"debug1: RSA host key for IP address '192.0.2.1' not in list of known hosts."},
		{hostkey.AddressDiffers{KeyType: "RSA", Host: "web", Address: "192.0.2.1", Offending: hostkey.Location{File: "/k", Line: 3},
			Matching: &hostkey.Location{File: "/m", Line: 4}},
			"Warning: the RSA host key for 'web' differs from the key for the IP address '192.0.2.1'\n" +
				"Offending key for IP in /k:3\nMatching host key in /m:4"},
		{hostkey.BadLine{File: "/k", Line: 3, Err: errors.New("odd")}, "debug1: /k:3: odd"},
		{hostkey.SearchFailed{File: "/k", Err: syscall.EIO}, "hostkeys_find_by_key_hostfile: hostkeys_foreach failed for /k: Input/output error"},
		{hostkey.UserDirFailed{Dir: "/d", Err: syscall.EACCES}, "Could not create directory '/d' (Permission denied)."},
		{hostkey.CommandUnusable{Purpose: hostkey.PurposeHostname, Path: "x", Err: hostkey.ErrNotAbsolute},
			"KnownHostsCommand-HOSTNAME path is not absolute"},
		{hostkey.CommandUnusable{Purpose: hostkey.PurposeHostname, Path: "/x", Err: syscall.ENOENT},
			"Could not stat KnownHostsCommand-HOSTNAME \"/x\": No such file or directory"},
		{hostkey.KeyLearned{KeyType: "RSA", Fingerprint: "SHA256:x"}, "Learned new hostkey: RSA SHA256:x"},
		{hostkey.KeyDeprecated{KeyType: "RSA", Fingerprint: "SHA256:x"}, "Deprecating obsolete hostkey: RSA SHA256:x"},
	} {
		p, printed := newPrinter(sshconfig.LogDebug1)
		p.Event(client.HostKeyEvent{Event: test.event})
		if got := strings.TrimSuffix(strings.ReplaceAll(printed.String(), "\r\n", "|"), "|"); got != test.want {
			t.Errorf("%T:\n got %s\nwant %s", test.event, got, test.want)
		}
	}
}

// TestRestricted checks what a tolerated changed key disables.
func TestRestricted(t *testing.T) {
	p, printed := newPrinter(sshconfig.LogError)
	p.Config.PasswordAuthentication, p.Config.ForwardX11 = true, true
	p.Event(client.HostKeyEvent{Event: hostkey.ChangedTolerated{Err: &hostkey.ChangedError{Host: "web", KeyType: "RSA"}}})
	got := printed.String()
	for what, want := range map[string]bool{
		"Password authentication": true, "X11 forwarding": true,
		"Keyboard-interactive authentication": false, "Agent forwarding": false, "Port forwarding": false,
	} {
		if strings.Contains(got, what+" is disabled to avoid man-in-the-middle attacks.") != want {
			t.Errorf("%s: %v is wrong in %q", what, want, got)
		}
	}
}

// TestForwardResult checks the words for forwardings that fail.
func TestForwardResult(t *testing.T) {
	remote := forward.Spec{Kind: forward.Remote, Listen: forward.Addr{Port: 8}, Connect: forward.Addr{Host: "db", Port: 9}}
	socket := forward.Spec{Kind: forward.Remote, Listen: forward.Addr{Socket: "/s"}, Connect: forward.Addr{Host: "db", Port: 9}}
	local := forward.Spec{Kind: forward.Local, Listen: forward.Addr{Port: 8}, Connect: forward.Addr{Host: "db", Port: 9}}
	for _, test := range []struct {
		spec forward.Spec
		err  error
		want string
	}{
		{remote, &forward.RefusedError{}, "debug1: remote forward failure for: listen 8, connect db:9|Warning: remote port forwarding failed for listen port 8"},
		{socket, &forward.RefusedError{}, "debug1: remote forward failure for: listen /s:-2, connect db:9|Warning: remote port forwarding failed for listen path /s"},
		{local, &forward.ListenError{Addr: forward.Addr{Port: 8}, Binds: []forward.BindError{
			{Host: "::1", Port: 8, Err: syscall.EADDRNOTAVAIL}, {Host: "127.0.0.1", Port: 8, Err: syscall.EACCES, Last: true}}},
			"bind [::1]:8: Cannot assign requested address|bind [127.0.0.1]:8: Permission denied|channel_setup_fwd_listener_tcpip: cannot listen to port: 8"},
		{local, &forward.ListenError{Addr: forward.Addr{Socket: "/s"}, Err: syscall.EADDRINUSE}, "unix_listener: cannot bind to path /s: Address already in use"},
		{local, errors.New("forward: odd"), "odd"},
		{remote, nil, ""}, // Reconnect tries again
	} {
		p, printed := newPrinter(sshconfig.LogDebug1)
		p.ForwardResult(test.spec, nil, test.err)
		if got := strings.TrimSuffix(strings.ReplaceAll(printed.String(), "\r\n", "|"), "|"); got != test.want {
			t.Errorf("%v:\n got %s\nwant %s", test.err, got, test.want)
		}
	}
}

// TestMasterWords checks the words for masters that cannot be used.
func TestMasterWords(t *testing.T) {
	for err, want := range map[error]string{
		mux.ErrNoMaster:   "Control socket connect(/s): No such file or directory",
		mux.ErrStale:      "Control socket connect(/s): Connection refused",
		mux.ErrTimeout:    "Control socket connect(/s): the master does not answer",
		mux.ErrMasterGone: "muxclient: master hello exchange failed",
		mux.ErrPeer:       "Control socket connect(/s): the master is another user's",
		syscall.EACCES:    "Control socket connect(/s): Permission denied",
	} {
		if got := ControlError("/s", fmt.Errorf("mux: %w", err)).Error(); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	for status, want := range map[mux.MasterStatus]string{
		{}:                                   "",
		{RTT: 1234567 * time.Nanosecond}:     ", round trip 1.2ms",
		{Attempt: 3}:                         ", not connected: attempt 3 is under way",
		{Attempt: 3, Next: 90 * time.Second}: ", not connected: attempt 3 in 1m30s",
		{Attempt: 1, Next: 1500 * time.Millisecond, RTT: 1}: ", not connected: attempt 1 in 1.5s",
	} {
		if got := MasterLink(status); got != want {
			t.Errorf("%+v: %q, want %q", status, got, want)
		}
	}
}
