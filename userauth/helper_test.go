package userauth

import (
	"os"
	"testing"

	"golang.org/x/crypto/ssh"
)

func readKey(t testing.TB, file string) ssh.Signer {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
