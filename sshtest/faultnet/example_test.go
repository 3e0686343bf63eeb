package faultnet_test

import (
	"fmt"
	"io"
	"log"
	"net"

	"github.com/gossh-project/gossh/sshtest/faultnet"
)

// A connection that breaks while it is used.
func ExampleWrap() {
	near, far := faultnet.Pipe()
	c := faultnet.Wrap(near)
	defer c.Close()
	go io.Copy(far, far) // the peer returns what it reads

	io.WriteString(c, "hello")
	buf := make([]byte, 5)
	_, err := io.ReadFull(c, buf)
	fmt.Printf("%s %v\n", buf, err)

	c.Link.Cut()
	_, err = c.Read(buf)
	fmt.Println(err)
	// Output:
	// hello <nil>
	// EOF
}

// A server behind a link that corrupts a byte.
func ExampleNewProxy() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			io.WriteString(c, "\x00\x01\x02")
			c.Close()
		}
	}()
	p, err := faultnet.NewProxy(l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	p.CorruptAt(faultnet.Down, 1)

	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	fmt.Printf("%x %v\n", got, err)
	// Output:
	// 00fe02 <nil>
}
