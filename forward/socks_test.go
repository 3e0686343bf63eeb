package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// socksCase is what a client sends. A greeting of SOCKS 5 is in front of the
// requests of version 5.
type socksCase struct {
	name    string
	in      string
	target  Addr   // of a good request
	early   string // sent with it
	answers string // what the client is told; "" after a good SOCKS 4 request
	reason  string // in the error of a bad one
}

const (
	greet5 = "\x05\x01\x00"
	greet  = "\x05\x00"
)

var (
	long255 = strings.Repeat("n", 255)
	long256 = strings.Repeat("n", 256)
	reject4 = "\x00\x5b\x00\x00\x00\x00\x00\x00"
)

func reply5(code byte) string {
	return "\x05" + string(rune(code)) + "\x00\x01\x00\x00\x00\x00\x00\x00"
}

var socksCases = []socksCase{
	{name: "4", in: "\x04\x01\x00\x50\x7f\x00\x00\x01\x00", target: tcp("127.0.0.1", 80)},
	{name: "4 with user", in: "\x04\x01\x1f\x90\x0a\x00\x00\x02root\x00", target: tcp("10.0.0.2", 8080)},
	{name: "4 with early data", in: "\x04\x01\x00\x50\x7f\x00\x00\x01\x00hello", target: tcp("127.0.0.1", 80), early: "hello"},
	{name: "4 with the longest user", in: "\x04\x01\x00\x50\x7f\x00\x00\x01" + long255 + "\x00", target: tcp("127.0.0.1", 80)},
	{name: "4a", in: "\x04\x01\x00\x50\x00\x00\x00\x01\x00host\x00", target: tcp("host", 80)},
	{name: "4a with user and early data", in: "\x04\x01\x00\x50\x00\x00\x00\xffu\x00host\x00\x00\x01", target: tcp("host", 80), early: "\x00\x01"},
	{name: "4a with the longest name", in: "\x04\x01\x00\x50\x00\x00\x00\x01" + long255 + "\x00" + long255 + "\x00", target: tcp(long255, 80)},
	{name: "4 with address 0", in: "\x04\x01\x00\x50\x00\x00\x00\x00\x00", target: tcp("0.0.0.0", 80)},
	{name: "4 bind", in: "\x04\x02\x00\x50\x7f\x00\x00\x01\x00", answers: reject4, reason: "command 2"},
	{name: "4 port 0", in: "\x04\x01\x00\x00\x7f\x00\x00\x01\x00", answers: reject4, reason: "port 0"},
	{name: "4 user too long", in: "\x04\x01\x00\x50\x7f\x00\x00\x01" + long256, answers: reject4, reason: "user id too long"},
	{name: "4a name too long", in: "\x04\x01\x00\x50\x00\x00\x00\x01\x00" + long256, answers: reject4, reason: "name too long"},
	{name: "4a empty name", in: "\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00", answers: reject4, reason: "bad name"},

	{name: "5 IPv4", in: greet5 + "\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", target: tcp("127.0.0.1", 80), answers: greet},
	{name: "5 IPv6", in: greet5 + "\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x01\xbb", target: tcp("::1", 443), answers: greet},
	{name: "5 name", in: greet5 + "\x05\x01\x00\x03\x04host\x00\x50", target: tcp("host", 80), answers: greet},
	{name: "5 shortest name", in: greet5 + "\x05\x01\x00\x03\x01h\x00\x50", target: tcp("h", 80), answers: greet},
	{name: "5 longest name", in: greet5 + "\x05\x01\x00\x03\xff" + long255 + "\x00\x50", target: tcp(long255, 80), answers: greet},
	{name: "5 early data", in: greet5 + "\x05\x01\x00\x03\x04host\x00\x50GET /", target: tcp("host", 80), early: "GET /", answers: greet},
	{name: "5 many methods", in: "\x05\x03\x02\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", target: tcp("127.0.0.1", 80), answers: greet},
	{name: "5 only passwords", in: "\x05\x01\x02", answers: "\x05\xff", reason: "authentication"},
	{name: "5 no methods", in: "\x05\x00", answers: "\x05\xff", reason: "authentication"},
	{name: "5 bind", in: greet5 + "\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", answers: greet + reply5(7), reason: "command 2"},
	{name: "5 udp", in: greet5 + "\x05\x03\x00\x01\x7f\x00\x00\x01\x00\x50", answers: greet + reply5(7), reason: "command 3"},
	{name: "5 address type", in: greet5 + "\x05\x01\x00\x02\x7f\x00\x00\x01\x00\x50", answers: greet + reply5(8), reason: "address type 2"},
	{name: "5 port 0", in: greet5 + "\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x00", answers: greet + reply5(1), reason: "port 0"},
	{name: "5 empty name", in: greet5 + "\x05\x01\x00\x03\x00\x00\x50", answers: greet + reply5(1), reason: "bad name"},
	{name: "5 NUL in name", in: greet5 + "\x05\x01\x00\x03\x03a\x00b\x00\x50", answers: greet + reply5(1), reason: "bad name"},
	{name: "5 then 4", in: greet5 + "\x04\x01\x00\x50\x7f\x00\x00\x01\x00", answers: greet, reason: "version 4"},
	{name: "HTTP", in: "GET / HTTP/1.0\r\n\r\n", reason: "version 71"},
	{name: "zero", in: "\x00", reason: "version 0"},
}

type readWriter struct {
	io.Reader
	io.Writer
}

func TestNegotiate(t *testing.T) {
	for _, c := range socksCases {
		t.Run(c.name, func(t *testing.T) {
			readers := map[string]io.Reader{
				"at once":    strings.NewReader(c.in),
				"by bytes":   iotest.OneByteReader(strings.NewReader(c.in)),
				"by halves":  iotest.HalfReader(strings.NewReader(c.in)),
				"with error": iotest.DataErrReader(strings.NewReader(c.in)),
			}
			for how, r := range readers {
				var answers bytes.Buffer
				got, err := negotiate(readWriter{r, &answers})
				if answers.String() != c.answers {
					t.Errorf("%s: answers %q, want %q", how, answers.String(), c.answers)
				}
				if c.reason != "" {
					var bad *socksError
					if !errors.As(err, &bad) || !strings.Contains(bad.reason, c.reason) {
						t.Errorf("%s: error %v, want %q", how, err, c.reason)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				rest, _ := io.ReadAll(r)
				if got.target != c.target || string(got.early)+string(rest) != c.early {
					t.Errorf("%s: got %v early %q rest %q", how, got.target, got.early, rest)
				}
			}
		})
	}
}

// TestNegotiateTruncated cuts each good request everywhere.
func TestNegotiateTruncated(t *testing.T) {
	for _, c := range socksCases {
		if c.reason != "" {
			continue
		}
		whole := strings.TrimSuffix(c.in, c.early)
		for n := range len(whole) {
			_, err := negotiate(readWriter{strings.NewReader(whole[:n]), io.Discard})
			if err != io.ErrUnexpectedEOF {
				t.Errorf("%s cut at %d: %v", c.name, n, err)
			}
		}
	}
}

func TestSOCKSReply(t *testing.T) {
	refused := func(r ssh.RejectionReason, words string) error {
		return fmt.Errorf("wrapped: %w", &OpenError{Reason: r, Message: words})
	}
	for _, c := range []struct {
		err  error
		code byte
	}{
		{nil, 0},
		{refused(ssh.Prohibited, "open failed"), 2},
		{refused(ssh.ConnectionFailed, "Connection refused"), 5},
		{refused(ssh.ConnectionFailed, "Network is unreachable"), 3},
		{refused(ssh.ConnectionFailed, "No route to host"), 4},
		{refused(ssh.ConnectionFailed, "Connection timed out"), 4},
		{refused(ssh.ConnectionFailed, "Name or service not known"), 4},
		{refused(ssh.UnknownChannelType, ""), 1},
		{refused(ssh.ResourceShortage, ""), 1},
		{ErrConnectionLost, 1},
		{ErrClosed, 1},
		{&net.OpError{Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, 5},
		{&net.OpError{Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}, 3},
		{&net.DNSError{IsNotFound: true}, 4},
	} {
		var five, four bytes.Buffer
		(&socksRequest{version: 5}).reply(&five, c.err)
		(&socksRequest{version: 4}).reply(&four, c.err)
		if five.String() != reply5(c.code) {
			t.Errorf("%v: SOCKS 5 reply %q, want code %d", c.err, five.String(), c.code)
		}
		want := reject4
		if c.err == nil {
			want = "\x00\x5a\x00\x00\x00\x00\x00\x00"
		}
		if four.String() != want {
			t.Errorf("%v: SOCKS 4 reply %q", c.err, four.String())
		}
	}
}

func TestNegotiateTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		go far.Write([]byte{5, 1})
		begun := time.Now()
		_, err := negotiateConn(near)
		if took := time.Since(begun); !errors.Is(err, os.ErrDeadlineExceeded) || took != handshakeTime {
			t.Errorf("%v after %v", err, took)
		}
		// A client that spoke in time keeps its connection for ever.
		go far.Write([]byte("\x04\x01\x00\x50\x7f\x00\x00\x01\x00"))
		if _, err := negotiateConn(near); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(10 * handshakeTime)
			far.Write([]byte("x"))
		}()
		if _, err := near.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
	})
}

func FuzzNegotiate(f *testing.F) {
	for _, c := range socksCases {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		var answers bytes.Buffer
		got, err := negotiate(readWriter{r, &answers})
		if err != nil {
			return
		}
		if got.target.Host == "" || got.target.Port < 1 || got.target.Port > 65535 {
			t.Fatalf("target %+v", got.target)
		}
		if !bytes.HasSuffix(in, append(got.early, in[len(in)-r.Len():]...)) {
			t.Fatalf("early data %q is not the rest of %q", got.early, in)
		}
		// What comes in pieces means the same.
		again, err := negotiate(readWriter{iotest.OneByteReader(bytes.NewReader(in)), io.Discard})
		if err != nil || again.target != got.target || again.version != got.version {
			t.Fatalf("by bytes %+v, %v; at once %+v", again, err, got)
		}
	})
}

// curl fetches url through a proxy and returns the body and what went wrong.
func curl(t *testing.T, proxy, url string) (string, error) {
	t.Helper()
	prog := needProgram(t, "curl")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, prog, "-q", "-sS", "--noproxy", "", "-x", proxy, url)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%w: %s", err, stderr.String())
	}
	return stdout.String(), nil
}

// webServer answers every request with the address that was asked for.
func webServer(t *testing.T, network, addr string) (port int) {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Skip(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "host "+r.Host)
	})}
	done := make(chan struct{})
	go func() { srv.Serve(ln); close(done) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return ln.Addr().(*net.TCPAddr).Port
}

// TestDynamicCurl lets curl speak each version to a -D.
func TestDynamicCurl(t *testing.T) {
	f, _ := connect(t, sshtest.Options{})
	fwd := open(t, f, Spec{Kind: Dynamic, Listen: Addr{Host: "127.0.0.1"}}, Options{})
	testCurl(t, fwd.Addrs()[0].String())
	eventually(t, "the connections end", noConns(fwd))
}

func testCurl(t *testing.T, proxy string) {
	t.Helper()
	port := webServer(t, "tcp4", "127.0.0.1:0")
	for _, scheme := range []string{"socks4", "socks4a", "socks5", "socks5h"} {
		host := fmt.Sprintf("localhost:%d", port)
		got, err := curl(t, scheme+"://"+proxy, "http://"+host+"/")
		if err != nil || got != "host "+host {
			t.Errorf("%s: %q, %v", scheme, got, err)
		}
	}
	host := fmt.Sprintf("[::1]:%d", webServer(t, "tcp6", "[::1]:0"))
	if got, err := curl(t, "socks5://"+proxy, "http://"+host+"/"); err != nil || got != "host "+host {
		t.Errorf("IPv6: %q, %v", got, err)
	}
	free := closedPort(t).String() // curl prints the reply code
	if _, err := curl(t, "socks5://"+proxy, "http://"+free+"/"); err == nil || !strings.Contains(err.Error(), "(5)") {
		t.Errorf("refused target: %v", err)
	}
	if _, err := curl(t, "socks4://"+proxy, "http://"+free+"/"); err == nil || !strings.Contains(err.Error(), "(91)") {
		t.Errorf("refused target: %v", err)
	}
}
