package hostkey

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// The field of the drunken bishop, and the characters for how often he has
// been on a square; the last two mark where he began and ended.
const (
	artWidth  = 17
	artHeight = 9
	artChars  = " .o+=*BOX@%&#/^SE"
)

// RandomArt returns the picture of VisualHostKey for the SHA-256 fingerprint:
// eleven lines without a final newline, as ssh-keygen -lv prints them.
func RandomArt(key ssh.PublicKey) string {
	sum := sha256.Sum256(sshkey.Plain(key).Marshal())
	var b strings.Builder
	b.WriteString(artBorder(artTitle(key)))
	field := artField(sum[:])
	for y := range artHeight {
		b.WriteString("\n|")
		for x := range artWidth {
			b.WriteByte(artChars[field[x][y]])
		}
		b.WriteByte('|')
	}
	b.WriteByte('\n')
	b.WriteString(artBorder("[SHA256]"))
	return b.String()
}

// artField walks the bishop: each pair of bits is one diagonal step, low bits
// first, and he slides along the walls.
func artField(sum []byte) (field [artWidth][artHeight]int) {
	const top = len(artChars) - 1
	x, y := artWidth/2, artHeight/2
	for _, b := range sum {
		for range 4 {
			dx, dy := int(b&1)*2-1, int(b>>1&1)*2-1
			x = min(max(x+dx, 0), artWidth-1)
			y = min(max(y+dy, 0), artHeight-1)
			field[x][y] = min(field[x][y]+1, top-2)
			b >>= 2
		}
	}
	field[artWidth/2][artHeight/2] = top - 1
	field[x][y] = top
	return field
}

// artTitle is "[TYPE bits]"; without the bits where OpenSSH's buffer of 17
// bytes has no room for them.
func artTitle(key ssh.PublicKey) string {
	title := fmt.Sprintf("[%s %d]", KeyType(key), keySize(sshkey.Plain(key)))
	if len(title) > artWidth {
		title = "[" + KeyType(key) + "]"
	}
	return title[:min(len(title), artWidth-1)]
}

func artBorder(title string) string {
	left := (artWidth - len(title)) / 2
	return "+" + strings.Repeat("-", left) + title + strings.Repeat("-", artWidth-left-len(title)) + "+"
}
