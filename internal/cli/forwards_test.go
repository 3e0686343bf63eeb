package cli

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// testEnvironment connects to srv with options of ssh_config, and returns what a
// runner would use. Messages go to printed.
func testEnvironment(t *testing.T, srv *sshtest.Server, options ...string) (env environment, c *client.Client, printed *bytes.Buffer) {
	t.Helper()
	files, err := srv.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var directives []sshconfig.Directive
	for _, o := range options {
		directives = append(directives, sshconfig.Flag('o', o))
	}
	cfg, err := sshconfig.Load(t.Context(), "host", sshconfig.Options{UserFile: files.Config, CommandLine: directives})
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	printed = new(bytes.Buffer)
	env = newEnvironment("ssh", Std{Stdin: null, Stdout: null, Stderr: null})
	env.print.Console = message.NewConsole(printed)
	env = env.withConfig(cfg)
	if c, err = client.Dial(t.Context(), "host", &client.Options{Config: cfg}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return env, c, printed
}

// usedPort returns a port that is in use until the test ends.
func usedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestOpenAll checks what a forwarding that fails prints, and when it is the end.
func TestOpenAll(t *testing.T) {
	used := usedPort(t)
	local := fmt.Sprintf("LocalForward=127.0.0.1:%d x:1", used)
	cannot := fmt.Sprintf("bind [127.0.0.1]:%d: Address already in use\r\nchannel_setup_fwd_listener_tcpip: cannot listen to port: %d\r\n", used, used)
	dynamic := fmt.Sprintf("DynamicForward=127.0.0.1:%d", freePort(t))
	const none = "Could not request local forwarding.\r\n"
	const refused = "remote port forwarding failed for listen port 1\r\n"
	for name, test := range map[string]struct {
		options []string
		server  *sshtest.Options
		fails   bool
		want    string
	}{
		"nothing":                 {nil, nil, false, ""},
		"local":                   {[]string{local}, nil, false, cannot + none},
		"one of two":              {[]string{local, dynamic}, nil, false, cannot},
		"local, exit":             {[]string{local, dynamic, "ExitOnForwardFailure=yes"}, nil, true, cannot + none},
		"remote":                  {[]string{"RemoteForward=1 x:1"}, &sshtest.Options{NoForwarding: true}, false, "Warning: " + refused},
		"remote, exit":            {[]string{"RemoteForward=1 x:1", "ExitOnForwardFailure=yes"}, &sshtest.Options{NoForwarding: true}, true, "Error: " + refused},
		"ClearAllForwardings=yes": {[]string{local, "ClearAllForwardings=yes", "ExitOnForwardFailure=yes"}, nil, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			env, c, printed := testEnvironment(t, sshtest.NewServer(t, test.server), test.options...)
			f := &forwards{env.print, env.cfg}
			err := f.openAll(t.Context(), connection{client: c})
			if failed := errors.Is(err, message.ErrForward); failed != test.fails || !failed && err != nil {
				t.Errorf("got %v", err)
			}
			if printed.String() != test.want {
				t.Errorf("printed %q, want %q", printed, test.want)
			}
		})
	}
}

// TestCommandLine checks the lines of the escape ~C.
func TestCommandLine(t *testing.T) {
	env, c, printed := testEnvironment(t, sshtest.NewServer(t, nil), "GatewayPorts=no")
	conn := connection{client: c}
	r := &remoteSession{environment: env, connection: conn, client: c, forwards: &forwards{env.print, env.cfg}}
	for _, test := range []struct{ line, want string }{
		{"", ""},
		{"-", ""},
		{"x", "Invalid command.\r\n"},
		{"!true", "Invalid command.\r\n"}, // without PermitLocalCommand
		{"-L", "Bad local forwarding specification.\r\n"},
		{"-Dx:y:z", "Bad local forwarding specification.\r\n"},
		{"-R a b", "Bad remote forwarding specification.\r\n"},
		{fmt.Sprintf(" -L 127.0.0.1:%d:x:1", usedPort(t)), "*Port forwarding failed.\r\n"},
		{fmt.Sprintf("-D 127.0.0.1:%d", freePort(t)), "Forwarding port.\r\n"},
		{"-KD 127.0.0.1:1", "Unknown port forwarding.\r\n"},
		{"-KL x:y:z", "Bad forwarding close specification.\r\n"},
	} {
		printed.Reset()
		r.runCommandLine(t.Context(), test.line)
		got := printed.Bytes()
		if test.want != "" && test.want[0] == '*' { // after other lines
			test.want = test.want[1:]
			got = got[max(0, len(got)-len(test.want)):]
		}
		if string(got) != test.want {
			t.Errorf("%q: printed %q, want %q", test.line, got, test.want)
		}
	}
	open := c.Forwards().Forwards()
	if len(open) != 1 {
		t.Fatalf("%d forwardings", len(open))
	}
	printed.Reset()
	r.runCommandLine(t.Context(), fmt.Sprintf("-KD 127.0.0.1:%d", open[0].Spec().Listen.Port))
	if got := printed.String(); got != "Canceled forwarding.\r\n" {
		t.Errorf("cancel printed %q", got)
	}
	if at := r.forwards.at(conn, forward.Dynamic, open[0].Spec().Listen); len(at) != 0 {
		t.Errorf("%d listeners after cancel", len(at))
	}
}

// TestListenName checks which listening addresses are the same to ~C.
func TestListenName(t *testing.T) {
	for _, host := range []string{"", "*", "localhost"} {
		if got := listenName(forward.Addr{Host: host, Port: 1, EmptyHost: host == ""}); got != (forward.Addr{Port: 1}) {
			t.Errorf("%q: %+v", host, got)
		}
	}
	if got := listenName(forward.Addr{Host: "::1", Port: 1}); got.Host != "::1" {
		t.Errorf("%+v", got)
	}
}
