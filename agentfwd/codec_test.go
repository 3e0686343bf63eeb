package agentfwd

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gossh-project/gossh/internal/wire"
)

// unhex reads hexadecimal digits, spaces ignored.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMarshalIsByteExact(t *testing.T) {
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{
			"sign request", signRequest{KeyBlob: []byte("k"), Data: []byte("dd"), Flags: flagRSASHA512}.marshal(),
			"0d 00000001 6b 00000002 6464 00000004",
		},
		{
			"session-bind", sessionBind{HostKey: []byte("h"), SessionID: []byte("i"), Signature: []byte("s"), Forwarding: true}.marshal(),
			"1b 00000018 73657373696f6e2d62696e64406f70656e7373682e636f6d 00000001 68 00000001 69 00000001 73 01",
		},
		{
			"session-bind for authentication", sessionBind{}.marshal(),
			"1b 00000018 73657373696f6e2d62696e64406f70656e7373682e636f6d 00000000 00000000 00000000 00",
		},
		{"no identities", marshalIdentities(nil), "0c 00000000"},
		{
			"two identities", marshalIdentities([]Identity{{Blob: []byte("a"), Comment: "x"}, {Blob: []byte("b")}}),
			"0c 00000002 00000001 61 00000001 78 00000001 62 00000000",
		},
		{"failure", failureReply(), "05"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if want := unhex(t, test.want); !bytes.Equal(test.got, want) {
				t.Errorf("got  %x\nwant %x", test.got, want)
			}
		})
	}
}

// messages are one good body of each kind that is parsed.
func messages() map[string][]byte {
	return map[string][]byte{
		"sign request":  signRequest{KeyBlob: []byte("key"), Data: []byte("data"), Flags: 2}.marshal(),
		"session-bind":  sessionBind{HostKey: []byte("h"), SessionID: []byte("i"), Signature: []byte("s")}.marshal(),
		"identities":    marshalIdentities([]Identity{{Blob: []byte("a"), Comment: "x"}}),
		"sign response": append([]byte{msgSignResponse, 0, 0, 0, 9}, "\x00\x00\x00\x01f\x00\x00\x00\x00"...),
	}
}

// parseAs runs the parser of that kind of message.
func parseAs(kind string, msg []byte) (any, error) {
	switch kind {
	case "sign request":
		return parseSignRequest(msg)
	case "session-bind":
		return parseSessionBind(msg)
	case "identities":
		return parseIdentities(msg)
	}
	return parseSignResponse(msg)
}

func TestParseRefusesTruncatedAndTrailing(t *testing.T) {
	for kind, msg := range messages() {
		t.Run(kind, func(t *testing.T) {
			if _, err := parseAs(kind, msg); err != nil {
				t.Fatalf("whole message: %v", err)
			}
			for n := range msg {
				if _, err := parseAs(kind, msg[:n]); !errors.Is(err, ErrMalformed) {
					t.Errorf("first %d of %d bytes: error %v", n, len(msg), err)
				}
			}
			if _, err := parseAs(kind, append(bytes.Clone(msg), 0)); !errors.Is(err, ErrMalformed) {
				t.Errorf("one byte more: error %v", err)
			}
			wrong := bytes.Clone(msg)
			wrong[0] = 99
			if _, err := parseAs(kind, wrong); !errors.Is(err, ErrMalformed) {
				t.Errorf("other type: error %v", err)
			}
		})
	}
}

func TestParseIdentitiesBoundsTheCount(t *testing.T) {
	msg := unhex(t, "0c ffffffff 00000000 00000000")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := parseIdentities(msg); !errors.Is(err, ErrMalformed) {
		t.Fatalf("error %v", err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
		t.Errorf("%d bytes set aside for a message of %d", grown, len(msg))
	}
}

func TestReadMessage(t *testing.T) {
	long := bytes.Repeat([]byte{7}, MaxMessage)
	frame := func(body []byte) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + string(body)
	}
	tests := []struct {
		name, in string
		want     []byte
		err      error
	}{
		{"one byte", "\x00\x00\x00\x01\x05", []byte{5}, nil},
		{"longest", frame(long), long, nil},
		{"nothing", "", nil, io.EOF},
		{"half a length", "\x00\x00", nil, io.ErrUnexpectedEOF},
		{"no body", "\x00\x00\x00\x02", nil, io.ErrUnexpectedEOF},
		{"half a body", "\x00\x00\x00\x02\x05", nil, io.ErrUnexpectedEOF},
		{"empty", "\x00\x00\x00\x00", nil, ErrMalformed},
		{"one too long", frame(append(long, 7)), nil, ErrTooLong},
		{"far too long", "\xff\xff\xff\xff", nil, ErrTooLong},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(test.in), iotest.HalfReader(strings.NewReader(test.in))} {
				got, err := readMessage(r)
				if !errors.Is(err, test.err) || !bytes.Equal(got, test.want) {
					t.Errorf("got %d bytes, error %v; want %d bytes, error %v", len(got), err, len(test.want), test.err)
				}
			}
		})
	}
}

func TestReadMessageTakesMemoryAsBytesArrive(t *testing.T) {
	in := "\x00\x03\xff\xff" + strings.Repeat("x", 100)
	got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			readMessage(strings.NewReader(in))
		}
	})
	if got.AllocedBytesPerOp() > 2*readChunk {
		t.Errorf("%d bytes set aside for 100 that came", got.AllocedBytesPerOp())
	}
}

func TestWriteMessage(t *testing.T) {
	var out bytes.Buffer
	if err := writeMessage(&out, []byte{5, 6}); err != nil || out.String() != "\x00\x00\x00\x02\x05\x06" {
		t.Errorf("wrote %x, error %v", out.Bytes(), err)
	}
	if err := writeMessage(&out, make([]byte, MaxMessage+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("error %v for a message too long", err)
	}
}

func TestExtensionNameIsWhatTheAgentCompares(t *testing.T) {
	msg := wire.AppendString([]byte{msgExtension}, extSessionBind+"\x00")
	if name, err := extensionName(msg); err != nil || name != extSessionBind {
		t.Errorf("got %q, error %v", name, err)
	}
}

func FuzzMessages(f *testing.F) {
	for _, msg := range messages() {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		// What is parsed must come out of marshal as it went in.
		if r, err := parseSignRequest(msg); err == nil && !bytes.Equal(r.marshal(), msg) {
			t.Errorf("sign request %x became %x", msg, r.marshal())
		}
		if ids, err := parseIdentities(msg); err == nil && !bytes.Equal(marshalIdentities(ids), msg) {
			t.Errorf("identities %x became %x", msg, marshalIdentities(ids))
		}
		if b, err := parseSessionBind(msg); err == nil {
			again, err := parseSessionBind(b.marshal())
			if err != nil || !reflect.DeepEqual(again, b) {
				t.Errorf("session-bind %+v became %+v, error %v", b, again, err)
			}
		}
		parseSignResponse(msg)
		extensionName(msg)
		if d := ParseSignedData(msg, nil); d.Purpose == PurposeUnknown && d.User != "" {
			t.Errorf("unknown data with a user: %+v", d)
		}
		_ = Use{Op: "sign", Key: newIdentity(msg, string(msg)), Data: ParseSignedData(msg, msg)}.String()
	})
}
