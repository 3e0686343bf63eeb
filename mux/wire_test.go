package mux

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/session"
)

// encode removes the spaces from a message in hexadecimal.
func encode(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type wireRow struct {
	name  string
	bytes string
	m     message
	free  int // bytes at the end without which it still parses
}

func hellos() []wireRow {
	return []wireRow{
		{"plain", "00000001 00000004", &helloMessage{version: 4}, 0},
		{"extension", "00000001 00000004 00000004 696e666f 00000001 30",
			&helloMessage{4, []extension{{"info", "0"}}}, 13},
	}
}

func requests() []wireRow {
	return []wireRow{
		{"session", "10000002 00000001 00000000 00000001 00000001 00000001 00000000 0000007e" +
			"00000002 7674 00000003 6c732f 00000004 413d4220 00000002 433d",
			&sessionMessage{1, SessionRequest{TTY: true, X11: true, Agent: true, EscapeChar: '~', Term: "vt", Command: "ls/",
				Env: []session.EnvVar{{Name: "A", Value: "B "}, {Name: "C"}}}}, 14},
		{"subsystem without escape", "10000002 00000002 00000000 00000000 00000000 00000000 00000001 ffffffff 00000000 00000004 73667470",
			&sessionMessage{2, SessionRequest{Subsystem: true, Command: "sftp"}}, 0},
		{"alive", "10000004 00000003", &plainRequest{msgAliveCheck, 3}, 0},
		{"terminate", "10000005 00000003", &plainRequest{msgTerminate, 3}, 0},
		{"stop", "10000009 00000003", &plainRequest{msgStopListening, 3}, 0},
		{"proxy", "1000000f 00000003", &plainRequest{msgProxy, 3}, 0},
		{"unknown", "12345678 00000003", &plainRequest{0x12345678, 3}, 0},
		{"open forward", "10000006 00000004 00000001 00000000 00001f90 00000001 68 00000050",
			&forwardMessage{msgOpenForward, 4, 1, "", 8080, "h", 80}, 0},
		{"close forward of sockets", "10000007 00000005 00000002 00000002 2f61 fffffffe 00000002 2f62 fffffffe",
			&forwardMessage{msgCloseForward, 5, 2, "/a", portSocket, "/b", portSocket}, 0},
		{"stdio", "10000008 00000006 00000000 00000001 68 00000016", &stdioMessage{6, "h", 22}, 0},
		{"info", "20000001 00000007 00000008 6368616e6e656c73", &infoMessage{7, "channels"}, 0},
	}
}

func replies() []wireRow {
	return []wireRow{
		{"ok", "80000001 00000001", &plainReply{kind: msgOK, id: 1}, 0},
		{"denied", "80000002 00000001 00000002 6e6f", &refusalMessage{msgPermissionDenied, 1, "no"}, 0},
		{"failure", "80000003 00000001 00000002 6e6f", &refusalMessage{msgFailure, 1, "no"}, 0},
		{"exit", "80000004 00000002 000000ff", &plainReply{msgExit, 2, 255}, 0},
		{"alive", "80000005 00000001 00001000", &plainReply{msgAlive, 1, 4096}, 0},
		{"opened", "80000006 00000001 00000002", &plainReply{msgSessionOpened, 1, 2}, 0},
		{"remote port", "80000007 00000001 00008000", &plainReply{msgRemotePort, 1, 32768}, 0},
		{"no tty", "80000008 00000002", &plainReply{kind: msgTTYAllocFail, id: 2}, 0},
		{"proxy", "8000000f 00000001", &plainReply{kind: msgProxyReply, id: 1}, 0},
		{"info", "90000001 00000001 00000000 00000003 610d0a", &infoReplyMessage{1, 0, "a\r\n"}, 0},
	}
}

func TestWire(t *testing.T) {
	hello := func(b []byte) (message, error) { return parseHello(b) }
	for _, direction := range []struct {
		name  string
		rows  []wireRow
		parse func([]byte) (message, error)
	}{{"hello", hellos(), hello}, {"request", requests(), parseRequest}, {"reply", replies(), parseReply}} {
		for _, row := range direction.rows {
			t.Run(direction.name+"/"+row.name, func(t *testing.T) {
				b := encode(t, row.bytes)
				if got := row.m.appendTo(nil); !bytes.Equal(got, b) {
					t.Errorf("written\n%x, want\n%x", got, b)
				}
				got, err := direction.parse(b)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, row.m) {
					t.Errorf("read %+v, want %+v", got, row.m)
				}
				for n := range len(b) - row.free {
					var bad *ProtocolError
					if m, err := direction.parse(b[:n]); !errors.As(err, &bad) {
						t.Errorf("cut to %d bytes: %+v, %v", n, m, err)
					}
				}
			})
		}
	}
}

func TestWireMalformed(t *testing.T) {
	for _, tt := range []struct{ name, bytes string }{
		{"string beyond the end", "20000001 00000007 ffffffff 6368"},
		{"NUL in a command", "10000002 00000002 00000000 00000000 00000000 00000000 00000001 ffffffff 00000000 00000004 73006c70"},
		{"port", "10000006 00000004 00000001 00000000 00010000 00000001 68 00000050"},
		{"stdio port", "10000008 00000006 00000000 00000001 68 fffffffd"},
		{"hello again", "00000001 00000004"},
	} {
		var bad *ProtocolError
		if m, err := parseRequest(encode(t, tt.bytes)); !errors.As(err, &bad) {
			t.Errorf("%s: %+v, %v", tt.name, m, err)
		}
	}
	var wrong *VersionError
	if _, err := parseHello(encode(t, "00000001 00000003")); !errors.As(err, &wrong) || wrong.Version != 3 {
		t.Errorf("version 3: %v", err)
	}
	if _, err := parseReply(encode(t, "10000004 00000000")); err == nil {
		t.Error("a request passed for a reply")
	}
}

// TestFrameBounds: no length is believed before it is judged, and a byte that
// follows is left where descriptors would come with it.
func TestFrameBounds(t *testing.T) {
	for _, n := range []uint32{0, 3, maxMessage + 1, 1 << 31, 1<<32 - 1} {
		b := binary.BigEndian.AppendUint32(nil, n)
		r := bytes.NewReader(append(b, make([]byte, 64)...))
		var bad *ProtocolError
		if _, err := readFrame(r, nil); !errors.As(err, &bad) || r.Len() != 64 {
			t.Errorf("length %d: %v, %d bytes left", n, err, r.Len())
		}
	}
	whole := append(binary.BigEndian.AppendUint32(nil, maxMessage), make([]byte, maxMessage+1)...)
	r := bytes.NewReader(whole)
	if b, err := readFrame(r, nil); err != nil || len(b) != maxMessage || r.Len() != 1 {
		t.Errorf("longest message: %d bytes, %v, %d left", len(b), err, r.Len())
	}
	for n, want := range map[int]error{0: io.EOF, 2: io.ErrUnexpectedEOF, 4: io.ErrUnexpectedEOF, 6: io.ErrUnexpectedEOF} {
		if _, err := readFrame(bytes.NewReader([]byte{0, 0, 0, 8, 1, 2, 3}[:n]), nil); err != want {
			t.Errorf("cut to %d bytes: %v, want %v", n, err, want)
		}
	}
	if _, err := frame(&infoMessage{1, strings.Repeat("x", maxMessage)}); err == nil {
		t.Error("a message that is too long was sent")
	}
}

func TestForwardSpecs(t *testing.T) {
	for _, tt := range []struct {
		kind forward.Kind
		text string
		m    forwardMessage
	}{
		{forward.Local, "8080:h:80", forwardMessage{direction: 1, listenPort: 8080, connectHost: "h", connectPort: 80}},
		{forward.Local, ":8080:h:80", forwardMessage{direction: 1, listenHost: "*", listenPort: 8080, connectHost: "h", connectPort: 80}},
		{forward.Local, "/a:/b", forwardMessage{direction: 1, listenHost: "/a", listenPort: portSocket, connectHost: "/b", connectPort: portSocket}},
		{forward.Dynamic, "localhost:1080", forwardMessage{direction: 3, listenHost: "localhost", listenPort: 1080, connectHost: "socks"}},
		{forward.Remote, "0:h:80", forwardMessage{direction: 2, connectHost: "h", connectPort: 80}},
		{forward.Remote, "1080", forwardMessage{direction: 2, listenPort: 1080, connectHost: "socks"}},
	} {
		spec, err := forward.ParseSpec(tt.kind, tt.text)
		if err != nil {
			t.Fatal(err)
		}
		tt.m.kind, tt.m.id = msgOpenForward, 9
		if got := forwardRequest(msgOpenForward, 9, spec); *got != tt.m {
			t.Errorf("%s: sent as %+v, want %+v", tt.text, got, tt.m)
		}
		if got, ok := tt.m.spec(); !ok || got != normal(spec) {
			t.Errorf("%s: read as %+v, %v", tt.text, got, ok)
		}
	}
	for _, bad := range []forwardMessage{
		{direction: 0}, {direction: 4, listenPort: 1, connectHost: "h", connectPort: 1}, {direction: 1, listenPort: 1},
		{direction: 1, listenPort: 1, connectHost: "h"}, {direction: 3},
		{direction: 2, listenPort: portSocket, connectHost: "h", connectPort: 1}, {direction: 3, listenPort: portSocket},
		{direction: 1, listenPort: 1, connectPort: portSocket},
	} {
		if spec, ok := bad.spec(); ok {
			t.Errorf("%+v read as %+v", bad, spec)
		}
	}
}

func FuzzWire(f *testing.F) {
	for _, rows := range [][]wireRow{hellos(), requests(), replies()} {
		for _, row := range rows {
			f.Add(encode(f, row.bytes))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func([]byte) (message, error){
			func(b []byte) (message, error) { return parseHello(b) }, parseRequest, parseReply,
		} {
			m, err := parse(b)
			if err != nil {
				continue
			}
			// What was understood is understood again, and alike.
			again, err := parse(m.appendTo(nil))
			if err != nil || !reflect.DeepEqual(again, m) {
				t.Errorf("%+v became %+v, %v", m, again, err)
			}
		}
	})
}

func FuzzStatus(f *testing.F) {
	f.Add("state alive\nsilence 1500000\nrtt 42000\n")
	f.Fuzz(func(t *testing.T, text string) {
		var s MasterStatus
		parseStatus(text, &s)
		if s.Silence < 0 || s.RTT < 0 {
			t.Errorf("%+v", s)
		}
	})
}
