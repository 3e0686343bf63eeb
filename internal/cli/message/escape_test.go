package message

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/sshtest"
)

// TestEscapeForeign checks the same text in each form.
func TestEscapeForeign(t *testing.T) {
	for _, c := range []struct{ text, ascii, utf8, line string }{
		{"plain", "plain", "plain", "plain"},
		{"a\tb", "a\tb", "a\tb", `a\011b`},
		{"a\nb", "a\nb", "a\nb", `a\012b`},
		{"a\r\nb", "a\r\nb", "a\r\nb", `a\015\012b`},
		{"a\r\r\nb", "a\r\r\nb", "a\r\r\nb", `a\015\015\012b`},
		{"a\n\rb", "a\n\rb", "a\n\rb", `a\012\015b`},
		{"real\rforged", `real\015forged`, `real\015forged`, `real\015forged`},
		{"\rforged", `\015forged`, `\015forged`, `\015forged`},
		{"end\r", `end\015`, `end\015`, `end\015`},
		{"a\r\x1b[Kb", `a\015\033[Kb`, `a\015\033[Kb`, `a\015\033[Kb`},
		{"\x1b]0;t\a", `\033]0;t\007`, `\033]0;t\007`, `\033]0;t\007`},
		{"\b\x7f\x00\v\f", `\010\177\000\013\014`, `\010\177\000\013\014`, `\010\177\000\013\014`},
		{"naïve", `na\303\257ve`, "naïve", "naïve"},
		{"\u009b2J", `\302\2332J`, `\302\2332J`, `\302\2332J`},                     // CSI in UTF-8
		{"\x9b2J", `\2332J`, `\2332J`, `\2332J`},                                   // and in ISO 8859-1
		{"a\u202eb", `a\342\200\256b`, `a\342\200\256b`, `a\342\200\256b`},         // right to left from here
		{"a\u2028b", `a\342\200\250b`, `a\342\200\250b`, `a\342\200\250b`},         // line separator
		{"a\u200bb", `a\342\200\213b`, `a\342\200\213b`, `a\342\200\213b`},         // zero width
		{"\xff\xc3", `\377\303`, `\377\303`, `\377\303`},                           // not UTF-8
		{"\ufffd", `\357\277\275`, "\ufffd", "\ufffd"},                             // the character itself
		{`back\slash`, `back\slash`, `back\slash`, `back\slash`},                   //
		{"\xc3\x28\r\n", `\303(` + "\r\n", `\303(` + "\r\n", `\303(` + `\015\012`}, //
		{strings.Repeat("\r", 3), `\015\015\015`, `\015\015\015`, `\015\015\015`},  //
		{"\n" + "\r\r" + "x", "\n\r\rx", "\n\r\rx", `\012\015\015x`},               //
		{"x\r\ry", `x\015\015y`, `x\015\015y`, `x\015\015y`},                       //
		{"\u00a0", `\302\240`, `\302\240`, `\302\240`},                             // no-break space
		{"█▀ QR ▄█\n", `\342\226\210\342\226\200 QR \342\226\204\342\226\210` + "\n", "█▀ QR ▄█\n", `█▀ QR ▄█\012`},
	} {
		for form, want := range []string{c.ascii, c.utf8, c.line} {
			if got := escapeForeign(c.text, foreignForm(form)); got != want {
				t.Errorf("form %d of %q: %q, want %q", form, c.text, got, want)
			}
		}
	}
}

// TestField checks that a quoted name is ASCII, one line, and short.
func TestField(t *testing.T) {
	for text, want := range map[string]string{
		"root":                              `"root"`,
		"":                                  `""`,
		"a\r\nb\x1b[8m":                     `"a\r\nb\x1b[8m"`,
		`x" to log in as "y`:                `"x\" to log in as \"y"`,
		"é\u202e":                           `"\u00e9\u202e"`,
		strings.Repeat("a", 64):             `"` + strings.Repeat("a", 64) + `"`,
		strings.Repeat("a", 65):             `"` + strings.Repeat("a", 64) + `"...`,
		strings.Repeat("a", 63) + "é" + "b": `"` + strings.Repeat("a", 63) + `"...`,
	} {
		if got := Field(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestLogOverwritten checks that a message cannot overwrite the text before it.
func TestLogOverwritten(t *testing.T) {
	var b bytes.Buffer
	NewConsole(&b).Errorf("Received disconnect from %s: %s", "host", "\rroot@other's password: ")
	if got, want := b.String(), "Received disconnect from host: "+`\015root@other's password: `+"\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestUseQuestion checks that the question about a signature quotes whatever the
// remote host can choose.
func TestUseQuestion(t *testing.T) {
	signer, err := sshtest.NewKey("ssh-ed25519")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(signer.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	id := agentfwd.Identity{Blob: key.Marshal(), Comment: "me\x1b[8m"}
	begin := `Allow host to use key "me\x1b[8m" (` + ssh.FingerprintSHA256(key) + `) to `
	login := agentfwd.SignedData{Purpose: agentfwd.PurposeUserAuth, User: "root\r\nAllow host", HostKey: key}
	unnamed := login
	unnamed.HostKey = nil
	for _, c := range []struct {
		data agentfwd.SignedData
		want string
	}{
		{login, begin + `log in as "root\r\nAllow host"?` + "\nThe host to log in to has the key " + ssh.FingerprintSHA256(key)},
		{unnamed, begin + `log in as "root\r\nAllow host"?` + "\nThe host to log in to is not named."},
		{agentfwd.SignedData{Purpose: agentfwd.PurposeSSHSig, Namespace: "git\"\n"}, begin + `sign for "git\"\n"?`},
		{agentfwd.SignedData{}, begin + `sign something unknown?`},
	} {
		if got := AgentUseQuestion(agentfwd.Use{Host: "host", Key: id, Data: c.data}); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
