package xssh

import (
	"os"
	"strings"
	"testing"
)

// version is that of golang.org/x/crypto for which this package was checked.
const version = "v0.58.0"

// TestVersion fails when go.mod has another version of golang.org/x/crypto. Then
// these have to be compared with its sources before version is changed here:
//   - errors.go: the texts of errors in messages.go, client.go and cipher.go;
//   - conn.go: the read loop of handshake.go still reads again at once or closes
//     the connection;
//   - mux/replay.go: NewControlClientConn (control.go) still sends two messages
//     with one Write each;
//   - agentfwd/kexobserver.go: the first key exchange is in plain text, and its
//     limit for packets is that of common.go.
func TestVersion(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "golang.org/x/crypto " + version + "\n"; !strings.Contains(string(text), want) {
		t.Errorf("go.mod does not have %q: see the comment of this test", want)
	}
}
