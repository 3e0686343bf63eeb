package sshconfig_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/sshconfig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// home makes a home directory with the given files in its .ssh.
func home(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, ".ssh", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// options are those of a user without anything of the system's.
func options(dir string) sshconfig.Options {
	return sshconfig.Options{
		Home: dir, LocalUser: "me", Hostname: "here.example.com", SystemFile: filepath.Join(dir, "no-system-file"),
		Getenv: testGetenv,
	}
}

func load(t *testing.T, host string, opts sshconfig.Options) *sshconfig.Config {
	t.Helper()
	cfg, err := sshconfig.Load(context.Background(), host, opts)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// loadText resolves host with a user configuration of the given text.
func loadText(t *testing.T, host, text string) *sshconfig.Config {
	t.Helper()
	return load(t, host, options(home(t, map[string]string{"config": text})))
}

// loadLines resolves what must fail and returns the lines, with the directory
// taken out.
func loadLines(t *testing.T, opts sshconfig.Options) []string {
	t.Helper()
	_, err := sshconfig.Load(context.Background(), "web", opts)
	var bad *sshconfig.Error
	if !errors.As(err, &bad) {
		t.Fatalf("error %v, want an *Error", err)
	}
	var out []string
	for _, line := range bad.Lines() {
		out = append(out, strings.ReplaceAll(line, opts.Home+"/.ssh/", ""))
	}
	return out
}

func TestDefaults(t *testing.T) {
	cfg := loadText(t, "Web", "")
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"Host", cfg.Host, "Web"},
		{"HostName", cfg.HostName, "web"},
		{"User", cfg.User, "me"},
		{"Port", cfg.Port, 22},
		{"ServerAliveInterval", cfg.ServerAliveInterval, 30 * time.Second},
		{"ServerAliveCountMax", cfg.ServerAliveCountMax, 6},
		{"StrictHostKeyChecking", cfg.StrictHostKeyChecking, sshconfig.StrictAsk},
		{"ConnectTimeout", cfg.ConnectTimeout, time.Duration(0)},
		{"EscapeChar", cfg.EscapeChar, sshconfig.EscapeChar('~')},
		{"LogLevel", cfg.LogLevel, sshconfig.LogInfo},
		{"ControlPath", cfg.ControlPath, ""},
		{"ControlPersist", cfg.ControlPersist, sshconfig.ControlPersist{}},
		{"IPQoS", cfg.IPQoS, sshconfig.IPQoS{Interactive: 0xb8, Bulk: 0}},
		{"PermitRemoteOpen", cfg.PermitRemoteOpen.Any, true},
		{"UpdateHostKeys", cfg.UpdateHostKeys, sshconfig.Yes},
		{"StreamLocalBindMask", cfg.StreamLocalBindMask, os.FileMode(0o177)},
		{"Reconnect", cfg.Own.Reconnect, sshconfig.ReconnectNo},
		{"SecurityKeyProvider", cfg.SecurityKeyProvider, "internal"},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%s = %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if f := cfg.IdentityFile[0]; f.UserProvided || !strings.HasSuffix(f.Path, "/.ssh/id_rsa") || f.Text != "~/.ssh/id_rsa" {
		t.Errorf("IdentityFile: %+v", f)
	}
	for _, weak := range []string{"ssh-rsa", "ssh-dss", "diffie-hellman-group14-sha1", "3des-cbc"} {
		for _, list := range [][]string{cfg.HostKeyAlgorithms, cfg.PubkeyAcceptedAlgorithms, cfg.KexAlgorithms, cfg.Ciphers, cfg.CASignatureAlgorithms} {
			if slices.Contains(list, weak) {
				t.Errorf("%s is in a default list", weak)
			}
		}
	}
	if _, _, ok := cfg.Origin("Port"); ok || cfg.IsSet("HostKeyAlgorithms") {
		t.Error("a default has an origin")
	}
}

func TestTypedValues(t *testing.T) {
	dir := home(t, map[string]string{"config": `
Host web
  HostName %h.example.com
  User joe
  Port 2222
  ConnectTimeout 1m
  IdentityFile ~/.ssh/%r@%h
  CertificateFile ${ENVA}.pub
  StrictHostKeyChecking off
  ControlPath ~/.ssh/cm-%n-%p
  ControlPersist 10m
  RekeyLimit 1G 1h
  LocalForward 8080 db:80
  LocalForward /run/l.sock /run/%h.sock
  DynamicForward 1080
  RemoteForward 0 localhost:22
  RemoteForward 9000
  SetEnv A=%h B=50%%
  SendEnv LANG LC_*
  SendEnv -LC_*
  EscapeChar ^]
  IPQoS va none
  AddKeysToAgent confirm 5m
  ForwardAgent $ENVP
  IdentityAgent $ENVP
  KnownHostsCommand /bin/khc %H "%t x" ${ENVA} %I
  PermitLocalCommand yes
  LocalCommand echo %T %h
  ProxyCommand nc -- %h %p
  TunnelDevice 3:any
  PermitRemoteOpen a:1 *:2
  AddressFamily inet6
  CanonicalizePermittedCNAMEs none
  UserKnownHostsFile none
  RemoteCommand uptime %n
  ChannelTimeout session=5m *=0
  ObscureKeystrokeTiming interval:80
  Tag blue
  VersionAddendum by %u
  LogLevel debug2
  StreamLocalBindMask 0077
  PreferredAuthentications publickey,password
  RequestTTY force
  LogVerbose kex.c:*:1
`})
	cfg := load(t, "web", options(dir))
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"HostName", cfg.HostName, "web.example.com"},
		{"User", cfg.User, "joe"},
		{"Port", cfg.Port, 2222},
		{"ConnectTimeout", cfg.ConnectTimeout, time.Minute},
		{"IdentityFile", cfg.IdentityFile, []sshconfig.File{{Path: dir + "/.ssh/joe@web.example.com", Text: "~/.ssh/%r@%h", UserProvided: true}}},
		{"CertificateFile", cfg.CertificateFile[0].Path, "alpha.pub"},
		{"StrictHostKeyChecking", cfg.StrictHostKeyChecking, sshconfig.StrictNo},
		{"ControlPath", cfg.ControlPath, dir + "/.ssh/cm-web-2222"},
		{"ControlPersist", cfg.ControlPersist, sshconfig.ControlPersist{Enabled: true, Timeout: 10 * time.Minute}},
		{"RekeyLimit", cfg.RekeyLimit, sshconfig.RekeyLimit{Bytes: 1 << 30, Time: time.Hour}},
		{"LocalForward", cfg.LocalForward, []forward.Spec{
			{Kind: forward.Local, Listen: forward.Addr{Port: 8080}, Connect: forward.Addr{Host: "db", Port: 80}},
			{Kind: forward.Local, Listen: forward.Addr{Socket: "/run/l.sock"}, Connect: forward.Addr{Socket: "/run/web.example.com.sock"}}}},
		{"DynamicForward", cfg.DynamicForward, []forward.Spec{{Kind: forward.Dynamic, Listen: forward.Addr{Port: 1080}}}},
		{"RemoteForward", len(cfg.RemoteForward), 2},
		{"RemoteForward SOCKS", cfg.RemoteForward[1].SOCKS(), true},
		{"SetEnv", cfg.SetEnv, []sshconfig.EnvVar{{Name: "A", Value: "web.example.com"}, {Name: "B", Value: "50%"}}},
		{"SendEnv", cfg.SendEnv, []string{"LANG"}},
		{"EscapeChar", cfg.EscapeChar, sshconfig.EscapeChar(0x1d)},
		{"IPQoS", cfg.IPQoS, sshconfig.IPQoS{Interactive: 0xb0, Bulk: sshconfig.QoSNone}},
		{"AddKeysToAgent", cfg.AddKeysToAgent, sshconfig.AddKeysToAgent{Add: sshconfig.Yes, Confirm: true, Lifetime: 5 * time.Minute}},
		{"ForwardAgent", cfg.ForwardAgent, sshconfig.ForwardAgent{Enabled: true, Socket: "/run/sock"}},
		{"IdentityAgent", cfg.IdentityAgent, "/run/sock"},
		{"ProxyCommand", cfg.ProxyCommand, "nc -- web.example.com 2222"},
		{"TunnelDevice", cfg.TunnelDevice, sshconfig.TunnelDevice{Local: 3, Remote: sshconfig.TunnelAny}},
		{"PermitRemoteOpen", cfg.PermitRemoteOpen, sshconfig.PermitRemoteOpen{Hosts: []string{"a:1", "*:2"}}},
		{"AddressFamily", cfg.AddressFamily, sshconfig.AddressFamilyInet6},
		{"CanonicalizePermittedCNAMEs", len(cfg.CanonicalizePermittedCNAMEs), 0},
		{"UserKnownHostsFile", len(cfg.UserKnownHostsFile), 0},
		{"RemoteCommand", cfg.RemoteCommand, "uptime web"},
		{"ChannelTimeout", cfg.ChannelTimeout, []sshconfig.ChannelTimeout{{Type: "session", Interval: 5 * time.Minute}, {Type: "*"}}},
		{"ObscureKeystrokeTiming", cfg.ObscureKeystrokeTiming.Interval, 80 * time.Millisecond},
		{"Tag", cfg.Tag, "blue"},
		{"VersionAddendum", cfg.VersionAddendum, "by me"},
		{"LogLevel", cfg.LogLevel, sshconfig.LogDebug2},
		{"StreamLocalBindMask", cfg.StreamLocalBindMask, os.FileMode(0o077)},
		{"PreferredAuthentications", cfg.PreferredAuthentications, []string{"publickey", "password"}},
		{"RequestTTY", cfg.RequestTTY, sshconfig.RequestTTYForce},
		{"LogVerbose", cfg.LogVerbose, []string{"kex.c:*:1"}},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%s = %+v, want %+v", tt.name, tt.got, tt.want)
		}
	}
	args, err := cfg.ExpandKnownHostsCommand(sshconfig.KnownHostsTokens{Hostname: "web", Invocation: "HOSTNAME"})
	if want := []string{"/bin/khc", "web", "NONE x", "alpha", "HOSTNAME"}; err != nil || !slices.Equal(args, want) {
		t.Errorf("KnownHostsCommand: %q, %v", args, err)
	}
	if got, err := cfg.ExpandLocalCommand(""); err != nil || got != "echo NONE web.example.com" {
		t.Errorf("LocalCommand: %q, %v", got, err)
	}
	if file, line, ok := cfg.Origin("port"); !ok || file != dir+"/.ssh/config" || line != 5 {
		t.Errorf("Origin(port) = %q, %d, %v", file, line, ok)
	}
	if _, err := sshconfig.Expand("%Z", cfg.ConnectionTokens()); err == nil || err.Error() != "vdollar_percent_expand: unknown key %Z" {
		t.Errorf("Expand: %v", err)
	}
}

func TestCommandLineWins(t *testing.T) {
	opts := options(home(t, map[string]string{"config": "Port 1\nUser file\nServerAliveInterval 7\nSessionType default\n"}))
	opts.CommandLine = []sshconfig.Directive{
		sshconfig.Option("Port=2"), sshconfig.Flag('p', "3"), sshconfig.Flag('l', "ann"), sshconfig.Option("User=bob"),
		sshconfig.Flag('N', ""), sshconfig.Flag('J', "a@gate:22,ssh://b@inner:2200"), sshconfig.Flag('v', ""), sshconfig.Flag('v', ""),
		sshconfig.Flag('W', "db:5432"), sshconfig.Flag('P', "blue"), sshconfig.Option("Reconnect always"),
	}
	cfg := load(t, "web", opts)
	if cfg.Port != 2 || cfg.User != "ann" || cfg.ServerAliveInterval != 7*time.Second || cfg.SessionType != sshconfig.SessionNone ||
		cfg.LogLevel != sshconfig.LogDebug2 || cfg.Tag != "blue" || cfg.Own.Reconnect != sshconfig.ReconnectAlways {
		t.Errorf("%+v", cfg)
	}
	want := []sshconfig.JumpHost{{User: "a", Host: "gate", Port: 22}, {User: "b", Host: "inner", Port: 2200}}
	if !slices.Equal(cfg.ProxyJump, want) {
		t.Errorf("ProxyJump: %v", cfg.ProxyJump)
	}
	if cfg.StdioForward != (forward.Addr{Host: "db", Port: 5432}) || !cfg.ClearAllForwardings || !cfg.ExitOnForwardFailure {
		t.Errorf("-W: %+v", cfg.StdioForward)
	}
	if file, _, _ := cfg.Origin("Port"); file != "command-line" {
		t.Errorf("Origin: %q", file)
	}
	opts.CommandLine, opts.User, opts.Port = opts.CommandLine[:2], "eve", 4
	if cfg := load(t, "web", opts); cfg.User != "eve" || cfg.Port != 2 {
		t.Errorf("destination: %s %d", cfg.User, cfg.Port)
	}
	opts.CommandLine = []sshconfig.Directive{sshconfig.Flag('Z', "")}
	if _, err := sshconfig.Load(context.Background(), "web", opts); !errors.Is(err, sshconfig.ErrUsage) {
		t.Errorf("unknown flag: %v", err)
	}
}

func TestFilesAndTheirOrder(t *testing.T) {
	dir := home(t, map[string]string{
		"config":       "Port 1\nReconnectX yes\nIgnoreUnknown x\n",
		"gossh_config": "User own\nReconnect yes\nForwardAgentKeys a 'b c'\nForwardAgentLog ~/log\nReconnectMaxDelay 5m\nMuxAgent CLIENT\nTransport gossh\n",
	})
	opts := options(dir)
	opts.SystemFile = filepath.Join(dir, "system")
	if err := os.WriteFile(opts.SystemFile, []byte("Port 2\nUser sys\nCompression yes\nIdentityFile /sys\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got := loadLines(t, opts); !slices.Equal(got, []string{
		"config: line 2: Bad configuration option: reconnectx", "config: terminating, 1 bad configuration options"}) {
		t.Errorf("lines: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, ".ssh/config"), []byte("Port 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := load(t, "web", opts)
	if cfg.Port != 1 || cfg.User != "own" || !cfg.Compression || cfg.IdentityFile[0].UserProvided {
		t.Errorf("order: %d %s %v", cfg.Port, cfg.User, cfg.Compression)
	}
	if o := cfg.Own; o.Reconnect != sshconfig.ReconnectYes || !slices.Equal(o.ForwardAgentKeys, []string{"a", "b c"}) ||
		o.ForwardAgentLog != dir+"/log" || o.ReconnectMaxDelay != 5*time.Minute || o.ReconnectMinDelay != time.Second ||
		o.MuxAgent != sshconfig.MuxAgentClient || o.Transport != sshconfig.TransportGossh {
		t.Errorf("Own: %+v", o)
	}
	var dump bytes.Buffer
	if err := cfg.Dump(&dump); err != nil || !strings.HasSuffix(dump.String(), "reconnect yes\nreconnectmaxdelay 300\nforwardagentkeys a b c\nforwardagentlog ~/log\nmuxagent client\ntransport gossh\n") {
		t.Errorf("Dump: %v\n%s", err, dump.String()[max(0, dump.Len()-200):])
	}

	// With -F neither the system's file nor our own is read.
	opts.UserFile = filepath.Join(dir, ".ssh/config")
	if cfg := load(t, "web", opts); cfg.User != "me" || cfg.Compression || cfg.Own.Reconnect != sshconfig.ReconnectNo || cfg.Own.MuxAgent != sshconfig.MuxAgentMaster || cfg.Own.Transport != sshconfig.TransportXCrypto {
		t.Errorf("-F: %s %v", cfg.User, cfg.Compression)
	}
	opts.GosshFile = filepath.Join(dir, ".ssh/gossh_config")
	if cfg := load(t, "web", opts); cfg.User != "own" {
		t.Error("GosshFile is not read with -F")
	}
	opts.GosshFile, opts.UserFile = "", "NONE"
	if cfg := load(t, "web", opts); cfg.Port != 22 {
		t.Error("-F none reads something")
	}
	opts.UserFile = filepath.Join(dir, ".ssh/missing")
	if got := loadLines(t, opts); len(got) != 1 || !strings.HasPrefix(got[0], "Can't open user config file ") || !strings.HasSuffix(got[0], "missing: No such file or directory") &&
		len(opts.UserFile) < 100 {
		t.Errorf("missing: %q", got)
	}
	// Our own keywords are unknown where OpenSSH reads too.
	opts.UserFile = filepath.Join(dir, ".ssh/gossh_config")
	if got := loadLines(t, opts); got[0] != "gossh_config: line 2: Bad configuration option: reconnect" {
		t.Errorf("own keywords in -F: %q", got)
	}
}

func TestFilePermissions(t *testing.T) {
	dir := home(t, map[string]string{"config": "Include inc\n", "inc": "Port 7\n"})
	opts := options(dir)
	if cfg := load(t, "web", opts); cfg.Port != 7 {
		t.Errorf("Port = %d", cfg.Port)
	}
	chmod := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(dir, ".ssh", name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"config", "inc"} {
		chmod(name, 0o602)
		if got := loadLines(t, opts); !slices.Equal(got, []string{"Bad owner or permissions on " + name}) {
			t.Errorf("writable by others: %q", got)
		}
		chmod(name, 0o644)
	}
	// -F does not look, as for ssh; what the file includes is looked at.
	opts.UserFile = filepath.Join(dir, ".ssh/config")
	chmod("config", 0o666)
	load(t, "web", opts)
	chmod("inc", 0o666)
	if got := loadLines(t, opts); !slices.Equal(got, []string{"Bad owner or permissions on inc"}) {
		t.Errorf("included: %q", got)
	}
}

func TestErrorLines(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"Foo bar\nPort x\nPort\nHost\nUser a b\nUser 'a\n", []string{
			"config: line 1: Bad configuration option: foo",
			"config line 2: Bad port 'x'.",
			`config line 3: no argument after keyword "port"`,
			`config line 4: no argument after keyword "host"`,
			"config line 5: keyword user extra arguments at end of line",
			"config line 6: invalid quotes",
			"config: terminating, 6 bad configuration options"}},
		{"RSAAuthentication yes\nCompression maybe\nCompressionLevel 3\n", []string{
			`config line 2: unsupported option "maybe".`,
			`config line 3: Unsupported option "compressionlevel"`,
			"config: terminating, 1 bad configuration options"}},
		{"Match foo\n", []string{"config line 1: missing argument for Match 'foo'", "config line 1: Bad Match condition",
			"config: terminating, 1 bad configuration options"}},
		{"Match foo bar\n", []string{"Unsupported Match attribute foo", "config line 1: Bad Match condition",
			"config: terminating, 1 bad configuration options"}},
		{"Include config\n", []string{"Too many recursive configuration includes"}},
		{"ControlPath %Z\n", []string{"vdollar_percent_expand: unknown key %Z", "percent_dollar_expand: failed"}},
		{"IdentityFile ~/${NOPE}\n", []string{"vdollar_percent_expand: env var ${NOPE} has no value", "invalid environment variable expansion"}},
		{"ProxyJump web\n", []string{"jumphost loop via web"}},
		{"User %u@%h\nRefuseConnection \"not today\"\n", []string{"config line 2: RefuseConnection: not today"}},
		{"Host other\nRefuseConnection no\nHost web\nUser %Z\n", []string{"vdollar_percent_expand: unknown key %Z", "percent_dollar_expand: failed"}},
		{"User %r\n", []string{"vdollar_percent_expand: unknown key %r", "percent_dollar_expand: failed"}},
		{"HostKeyAlgorithms +ssh-dss\n", []string{"config line 1: Bad key types '+ssh-dss'.", "config: terminating, 1 bad configuration options"}},
		{"RevokedHostKeys # none\n", []string{"config line 1: no revokedhostkeys specified"}},
		{"Ciphers aes256-cbc\n", []string{"config line 1: Bad SSH2 cipher spec 'aes256-cbc'."}},
		{"KexAlgorithms x\n", []string{`Unsupported KEX algorithm "x"`, "config line 1: Bad SSH2 KexAlgorithms 'x'.",
			"config: terminating, 1 bad configuration options"}},
		{"LogLevel QUIET\nForkAfterAuthentication yes\n", []string{"Cannot fork into background without a command to execute."}},
	} {
		opts := options(home(t, map[string]string{"config": tt.text}))
		if got := loadLines(t, opts); !slices.Equal(got, tt.want) {
			t.Errorf("%q:\n got %q\nwant %q", tt.text, got, tt.want)
		}
	}
}

func TestWarningsAndLog(t *testing.T) {
	opts := options(home(t, map[string]string{"config": "UseRsh yes\nRSAAuthentication yes\nHost w*\nPort 5\n"}))
	var warnings []string
	var log bytes.Buffer
	opts.Warn = func(p sshconfig.Problem) { warnings = append(warnings, p.Text) }
	opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 2}))
	load(t, "web", opts)
	if len(warnings) != 1 || !strings.HasSuffix(warnings[0], `config line 2: Unsupported option "rsaauthentication"`) {
		t.Errorf("warnings: %q", warnings)
	}
	for _, want := range []string{"Reading configuration data", "config line 3: Applying options for w*", `Deprecated option`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, &log)
		}
	}
	// -q silences even errors.
	opts.CommandLine = []sshconfig.Directive{sshconfig.Flag('q', "")}
	opts.Home = home(t, map[string]string{"config": "Foo bar\n"})
	if got := loadLines(t, opts); len(got) != 0 {
		t.Errorf("-q: %q", got)
	}
}

func TestHostBlocks(t *testing.T) {
	const text = `
Host !bad* *.example.com
  Port 1
Host web DB
  Port 2
Host ?x "a b"
  Port 3
Host *
  User u
`
	for host, want := range map[string]int{"a.example.com": 1, "bad.example.com": 22, "web": 2, "WEB": 22, "DB": 2, "xx": 3,
		"other": 22} {
		if cfg := loadText(t, host, text); cfg.Port != want || cfg.User != "u" {
			t.Errorf("%s: port %d, want %d", host, cfg.Port, want)
		}
	}
}

func TestMatchCriteria(t *testing.T) {
	opts := options(home(t, nil))
	opts.Command = "rsync --server"
	opts.CommandLine = []sshconfig.Directive{sshconfig.Flag('P', "blue"), sshconfig.Flag('l', "joe")}
	opts.LocalAddrs = func() ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("fe80::1%eth0")}, nil
	}
	for criteria, want := range map[string]bool{
		"all": true, "!all": false, "host web": true, "host x,w*": true, "!host web": false, "host=web": true,
		"originalhost web": true, "user joe": true, "user ann": false, "localuser me": true, "final": true, "canonical": false, "!canonical": true,
		"!final":    true, // in the first pass
		"exec true": true, "exec false": false, "exec \"test %n-%r-%L = web-joe-here\"": true, "!exec false": true,
		"tagged blue": true, "tagged re*": false, `tagged ""`: false, "command rsync*": true, "command git*": false,
		`command ""`: false, "sessiontype exec": true, "sessiontype shell": false, "version OpenSSH_10.*": true,
		"version OpenSSH_9.*": false, "!version OpenSSH_9.*": true, "version gossh*": false, "localnetwork 10.0.0.0/8": true, "localnetwork 192.168.0.0/16,fe80::/10": true,
		"!localnetwork 192.168.0.0/16": true, "user joe exec true host web": true, "user ann exec true": false,
		"host web # comment": true,
	} {
		opts.UserFile = filepath.Join(opts.Home, "f")
		if err := os.WriteFile(opts.UserFile, []byte("Match "+criteria+"\nPort 7\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if cfg := load(t, "web", opts); (cfg.Port == 7) != want {
			t.Errorf("Match %s: %v, want %v", criteria, !want, want)
		}
	}
	opts.Command, opts.CommandLine, opts.Version = "", nil, "other_1"
	for criteria, want := range map[string]bool{"version other*": true, "version OpenSSH*": false, `tagged ""`: true, `command ""`: true, "sessiontype shell": true} {
		if err := os.WriteFile(opts.UserFile, []byte("Match "+criteria+"\nPort 7\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if cfg := load(t, "web", opts); (cfg.Port == 7) != want {
			t.Errorf("Match %s: %v, want %v", criteria, !want, want)
		}
	}
}

func TestMatchExecEndsWithContext(t *testing.T) {
	opts := options(home(t, map[string]string{"config": "Match exec \"exec sleep 100\"\nPort 7\n"}))
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	opts.Warn = func(sshconfig.Problem) {}
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if _, err := sshconfig.Load(ctx, "web", opts); !errors.Is(err, why) {
		t.Errorf("error %v", err)
	}
}

func TestInclude(t *testing.T) {
	dir := home(t, map[string]string{
		"config":     "Host nobody\n  Include inner\nHost *\n  Include conf.d/*.conf per-%h ~/.ssh/more 'with space'\n  User after\n",
		"inner":      "Host *\nPort 9\nMatch all\nPort 10\n",
		"more":       "Host other\n  Compression yes\n",
		"per-web":    "HostKeyAlias perweb\n",
		"per-%x":     "BatchMode yes\n",
		"with space": "Tag space\n",
	})
	if err := os.Mkdir(filepath.Join(dir, ".ssh/conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"b.conf": "ConnectTimeout 2\n", "a.conf": "ConnectTimeout 1\n", ".c.conf": "Port 1\n"} {
		if err := os.WriteFile(filepath.Join(dir, ".ssh/conf.d", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := load(t, "web", options(dir))
	if cfg.Port != 22 || cfg.ConnectTimeout != time.Second || cfg.User != "after" || cfg.HostKeyAlias != "perweb" || cfg.Compression || cfg.Tag != "space" {
		t.Errorf("port %d, timeout %v, user %s, alias %s, tag %s", cfg.Port, cfg.ConnectTimeout, cfg.User, cfg.HostKeyAlias, cfg.Tag)
	}
}

// resolver is a DNS with fixed contents.
type resolver map[string]string // name with a dot at the end -> canonical name

func (r resolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if _, ok := r[strings.TrimSuffix(host, ".")+"."]; ok {
		return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
	}
	return nil, &net.DNSError{Name: host, IsNotFound: true}
}

func (r resolver) LookupCNAME(_ context.Context, host string) (string, error) {
	return r[strings.TrimSuffix(host, ".")+"."], nil
}

func TestCanonicalization(t *testing.T) {
	dns := resolver{
		"web.corp.example.": "web.corp.example.", "www.example.": "www.example.", "alias.corp.example.": "real.dc.example.",
		"bare.": "real.dc.example.",
	}
	for _, tt := range []struct {
		name, host, text string
		want             string
		port             int
		fails            string
	}{
		{"suffix", "web", "CanonicalizeHostname yes\nCanonicalDomains example corp.example\nMatch canonical host *.corp.example\nPort 7\n", "web.corp.example", 7, ""},
		{"second pass sees Host", "web", "CanonicalizeHostname yes\nCanonicalDomains corp.example\nHost web.corp.example\nPort 7\n", "web.corp.example", 7, ""},
		{"off", "web", "CanonicalDomains corp.example\nMatch canonical\nPort 7\n", "web", 22, ""},
		{"final only", "web", "Match final host web\nPort 7\n", "web", 7, ""},
		{"too many dots", "web.corp.x", "CanonicalizeHostname yes\nCanonicalDomains example\n", "web.corp.x", 22, ""},
		{"max dots", "web.corp.x", "CanonicalizeHostname yes\nCanonicalizeMaxDots 5\nCanonicalDomains example\nCanonicalizeFallbackLocal no\n", "", 0, `ssh: Could not resolve host "web.corp.x"`},
		{"fallback", "nowhere", "CanonicalizeHostname yes\nCanonicalDomains example\n", "nowhere", 22, ""},
		{"no fallback", "nowhere", "CanonicalizeHostname yes\nCanonicalDomains example\nCanonicalizeFallbackLocal no\n", "", 0, `ssh: Could not resolve host "nowhere"`},
		{"fully qualified", "www.example.", "CanonicalizeHostname yes\n", "www.example", 22, ""},
		{"proxy", "web", "CanonicalizeHostname yes\nCanonicalDomains corp.example\nProxyCommand x\n", "web", 22, ""},
		{"proxy always", "web", "CanonicalizeHostname always\nCanonicalDomains corp.example\nProxyCommand x\n", "web.corp.example", 22, ""},
		{"CNAME permitted", "alias", "CanonicalizeHostname yes\nCanonicalDomains corp.example\nCanonicalizePermittedCNAMEs *.corp.example:*.dc.example\n", "real.dc.example", 22, ""},
		{"CNAME not permitted", "alias", "CanonicalizeHostname yes\nCanonicalDomains corp.example\nCanonicalizePermittedCNAMEs *.corp.example:*.other.example\n", "alias.corp.example", 22, ""},
		{"unknown bare name", "nowhere", "CanonicalizePermittedCNAMEs a:b\n", "", 0, "ssh: Could not resolve hostname nowhere: Name or service not known"},
		{"address", "0x7f.1", "", "127.0.0.1", 22, ""},
		{"domains none", "web", "CanonicalizeHostname yes\nCanonicalDomains none\n", "web", 22, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := options(home(t, map[string]string{"config": tt.text}))
			opts.Resolver = dns
			cfg, err := sshconfig.Load(context.Background(), tt.host, opts)
			if tt.fails != "" {
				if err == nil || err.Error() != tt.fails {
					t.Fatalf("error %v, want %s", err, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if cfg.HostName != tt.want || cfg.Port != tt.port || cfg.Host != tt.host {
				t.Errorf("HostName %q, port %d, want %q, %d", cfg.HostName, cfg.Port, tt.want, tt.port)
			}
		})
	}
}

func TestAlgorithmLists(t *testing.T) {
	for _, tt := range []struct {
		text string
		get  func(*sshconfig.Config) []string
		want []string
	}{
		{"Ciphers aes256-cbc,aes128-ctr", func(c *sshconfig.Config) []string { return c.Ciphers }, []string{"aes128-ctr"}},
		{"Ciphers -aes*,chacha*", func(c *sshconfig.Config) []string { return c.Ciphers }, []string{}},
		{"Ciphers -chacha20*,*ctr", func(c *sshconfig.Config) []string { return c.Ciphers }, []string{"aes128-gcm@openssh.com", "aes256-gcm@openssh.com"}},
		{"HostKeyAlgorithms rsa-sha2-*,ssh-ed25519", func(c *sshconfig.Config) []string { return c.HostKeyAlgorithms },
			[]string{"rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com", "rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com", "ssh-ed25519"}},
		{"CASignatureAlgorithms ssh-rsa,ssh-rsa-cert-v01@openssh.com", func(c *sshconfig.Config) []string { return c.CASignatureAlgorithms }, []string{"ssh-rsa"}},
	} {
		if got := tt.get(loadText(t, "web", tt.text+"\n")); !slices.Equal(got, tt.want) || got == nil {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
	cfg := loadText(t, "web", "MACs ^hmac-sha2-512\nKexAlgorithms +diffie-hellman-group14-sha1\n")
	if cfg.MACs[0] != "hmac-sha2-512" || cfg.MACs[1] != "hmac-sha2-256-etm@openssh.com" || len(cfg.MACs) != 5 {
		t.Errorf("MACs: %q", cfg.MACs)
	}
	if n := len(cfg.KexAlgorithms); cfg.KexAlgorithms[n-1] != "diffie-hellman-group14-sha1" || cfg.KexAlgorithms[0] != "mlkem768x25519-sha256" {
		t.Errorf("KexAlgorithms: %q", cfg.KexAlgorithms)
	}
}

func TestKeywords(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range sshconfig.Keywords() {
		if seen[strings.ToLower(k.Name)] {
			t.Errorf("%s is listed twice", k.Name)
		}
		seen[strings.ToLower(k.Name)] = true
		if k.Status != sshconfig.Implemented && k.Reason == "" {
			t.Errorf("%s has no reason", k.Name)
		}
	}
	for name := range keywordForms {
		if !seen[strings.ToLower(name)] {
			t.Errorf("%s is not listed", name)
		}
	}
	// Every keyword that is implemented has a field of its name.
	typ := reflect.TypeFor[sshconfig.Config]()
	own := reflect.TypeFor[sshconfig.Own]()
	for _, k := range sshconfig.Keywords() {
		if k.Alias != "" || k.Status == sshconfig.Deprecated || k.Status == sshconfig.Unsupported || slices.Contains([]string{"Match", "Include", "RefuseConnection"}, k.Name) {
			continue
		}
		where := typ
		if k.Own {
			where = own
		}
		if _, ok := where.FieldByName(k.Name); !ok {
			t.Errorf("no field %s", k.Name)
		}
	}
}

func TestWithoutEffect(t *testing.T) {
	cfg := loadText(t, "web", "Compression yes\nForwardX11 no\nLogVerbose kex.c:*\nRekeyLimit 1G 1h\nPort 22\nTunnel ethernet\n")
	var names []string
	for _, k := range cfg.WithoutEffect() {
		names = append(names, k.Name)
	}
	if want := []string{"Compression", "LogVerbose", "RekeyLimit", "Tunnel"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestConfigMadeByHand(t *testing.T) {
	cfg := &sshconfig.Config{LocalCommand: "x %T", KnownHostsCommand: "cmd %H"}
	if err := cfg.Dump(&bytes.Buffer{}); !errors.Is(err, sshconfig.ErrNotLoaded) {
		t.Errorf("Dump: %v", err)
	}
	if got, err := cfg.ExpandLocalCommand("tun0"); got != "x tun0" || err != nil {
		t.Errorf("LocalCommand: %q, %v", got, err)
	}
	if got, err := cfg.ExpandKnownHostsCommand(sshconfig.KnownHostsTokens{Hostname: "h"}); err != nil || !slices.Equal(got, []string{"cmd", "h"}) {
		t.Errorf("KnownHostsCommand: %q, %v", got, err)
	}
	if cfg.IsSet("Port") || cfg.WithoutEffect() != nil {
		t.Error("something is set")
	}
}

func TestProxyJumpTokens(t *testing.T) {
	cfg := loadText(t, "web", "User joe\nProxyJump %r@gate-%n,[fe80::1%eth0]:22\n")
	want := []sshconfig.JumpHost{{User: "joe", Host: "gate-web"}, {Host: "fe80::1%eth0", Port: 22}}
	if !slices.Equal(cfg.ProxyJump, want) || cfg.ProxyCommand != "" {
		t.Errorf("%+v", cfg.ProxyJump)
	}
}

func TestParseDestination(t *testing.T) {
	for in, want := range map[string]sshconfig.Destination{
		"web": {Host: "web"}, "joe@web": {User: "joe", Host: "web"}, "a@b@web": {User: "a@b", Host: "web"},
		"ssh://web": {Host: "web"}, "ssh://j%6fe@web:2200/": {User: "joe", Host: "web", Port: 2200},
		"ssh://a+b;x=y@web": {User: "a b", Host: "web"}, "::1": {Host: "::1"}, "web:22": {Host: "web:22"},
		"ssh://web:": {Host: "web"}, "ssh://web.": {Host: "web"},
	} {
		if got, err := sshconfig.ParseDestination(in); err != nil || got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"@web", "ssh://", "ssh://@web", "ssh://web/path", "ssh://web:0", "ssh://web:x", "ssh://%zz@web", "ssh://[web", "ssh://a b"} {
		if got, err := sshconfig.ParseDestination(in); !errors.Is(err, sshconfig.ErrUsage) {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
}

func TestSupportedAlgorithms(t *testing.T) {
	a := sshconfig.SupportedAlgorithms()
	if len(a.AuthenticatedCiphers) != 3 || slices.Contains(a.Keys, "rsa-sha2-256") || !slices.Contains(a.KeySignatures, "rsa-sha2-256") ||
		slices.Contains(a.Signatures, "ssh-ed25519-cert-v01@openssh.com") || slices.Contains(a.MACs, "umac-64@openssh.com") {
		t.Errorf("%+v", a)
	}
}
