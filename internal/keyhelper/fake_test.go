package keyhelper

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// fakeHelper is what the test binary does as a helper: it behaves in the way
// that mode names, and returns the exit status. Modes that begin with sk: are
// of ssh-sk-helper.
func fakeHelper(mode string) int {
	switch name, argument, _ := strings.Cut(mode, "="); name {
	case "dies":
		return 1
	case "dies-late":
		readFrame()
		fmt.Fprint(os.Stderr, "the reason\r\n")
		return 1
	case "hangs":
		readFrame()
		select {}
	case "deaf": // reads nothing
		time.Sleep(time.Hour)
	case "answers": // with the hexadecimal bytes, as they are
		readFrame()
		var raw []byte
		fmt.Sscanf(argument, "%x", &raw)
		os.Stdout.Write(raw)
	case "chatters":
		readFrame()
		for range 100 * maxLines {
			fmt.Fprintln(os.Stderr, strings.Repeat("x", 2*maxLine))
		}
	case "sk:pin":
		fakePIN(readFrame(), argument)
	case "modern":
		fakeToken(argument, true)
	case "classic":
		fakeToken(argument, false)
	}
	return 0
}

// readFrame reads one message; the end of the input ends the process.
func readFrame() []byte {
	var n uint32
	if binary.Read(os.Stdin, binary.BigEndian, &n) != nil {
		os.Exit(0)
	}
	message := make([]byte, n)
	if _, err := io.ReadFull(os.Stdin, message); err != nil {
		os.Exit(0)
	}
	return message
}

func writeFrame(message []byte) {
	os.Stdout.Write(wire.AppendString(nil, message))
}

// fakePIN wants the PIN, and answers with a signature that consists of the
// data.
func fakePIN(message []byte, pin string) {
	r := wire.NewReader(message)
	r.Byte()
	r.Uint32()
	r.Byte()
	r.Uint32()
	private, _, data, _, _, given := r.Bytes(), r.Bytes(), r.Bytes(), r.Bytes(), r.Uint32(), r.Bytes()
	answer := []byte{skHelperVersion, 0, 0, 0, skHelperError, 0, 0, 0, byte(ErrSKPIN)}
	if r.End() == nil && string(given) == pin {
		kind := wire.NewReader(private).Bytes()
		sig := wire.AppendString(wire.AppendString(nil, kind), data)
		sig = append(sig, 5, 0, 0, 0, 9)
		answer = wire.AppendString([]byte{skHelperVersion, 0, 0, 0, skHelperSign}, sig)
	}
	writeFrame(answer)
}

// fakeToken is ssh-pkcs11-helper with the keys of a PEM file, in either
// dialect: a modern helper ends at a second provider, and signs data; a classic
// one answers again, and signs hashes.
func fakeToken(file string, modern bool) {
	providers := 0
	for {
		message := readFrame()
		r := wire.NewReader(message[1:])
		switch message[0] {
		case agentAddSmartcardKey:
			if providers++; modern && providers > 1 {
				os.Exit(255)
			}
			if provider := string(r.Bytes()); provider != "fake" {
				writeFrame([]byte{agentFailure, 0, 0, 0, 1})
				continue
			}
			writeFrame(fakeIdentities(file))
		case agentSignRequest:
			blob, data := r.Bytes(), r.Bytes()
			algo := ""
			if modern {
				algo = string(r.Bytes())
			}
			r.Uint32()
			result := fakeSign(file, blob, data, algo)
			if r.End() != nil || result == nil {
				writeFrame([]byte{agentFailure})
				continue
			}
			writeFrame(wire.AppendString([]byte{agentSignResponse}, result))
		}
	}
}

func fakeIdentities(file string) []byte {
	var keys []byte
	n := 0
	for _, key := range fakeKeys(file) {
		signer, _ := ssh.NewSignerFromKey(key)
		keys = wire.AppendString(wire.AppendString(keys, signer.PublicKey().Marshal()), "label")
		n++
	}
	// A key of a type to come is passed over.
	keys = wire.AppendString(wire.AppendString(keys, wire.AppendString(nil, "ssh-future")), "label")
	return append(binary.BigEndian.AppendUint32([]byte{agentIdentitiesAnswer}, uint32(n+1)), keys...)
}

func fakeKeys(file string) []crypto.Signer {
	text, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	var keys []crypto.Signer
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(block))
		if err != nil {
			panic(err)
		}
		if p, ok := key.(*ed25519.PrivateKey); ok {
			key = *p
		}
		keys = append(keys, key.(crypto.Signer))
	}
	return keys
}

func fakeSign(file string, blob, data []byte, algo string) []byte {
	for _, key := range fakeKeys(file) {
		signer, _ := ssh.NewSignerFromKey(key)
		if string(signer.PublicKey().Marshal()) != string(blob) {
			continue
		}
		if algo != "" {
			sig, err := signer.(ssh.AlgorithmSigner).SignWithAlgorithm(nil, data, algo)
			if err != nil {
				return nil
			}
			return ssh.Marshal(sig)
		}
		switch key := key.(type) {
		case *rsa.PrivateKey: // without a hash: data is the whole of what is padded
			sig, _ := rsa.SignPKCS1v15(nil, key, 0, data)
			return sig
		case *ecdsa.PrivateKey:
			sig, _ := ecdsa.SignASN1(rand.Reader, key, data)
			return sig
		}
	}
	return nil
}
