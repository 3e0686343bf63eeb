// Package transport is the client side of the SSH transport layer protocol
// (RFC 4253): version exchange, algorithm negotiation, key exchange, the
// encrypted packets, and rekeying. It knows neither authentication nor channels.
//
// The main path:
//
//	c, err := transport.Client(nc, &transport.Config{HostKey: verify})
//	err = c.WritePacket(serviceRequest)
//	p, err := c.ReadPacket()
//
// Client returns after the first key exchange. From then on one goroutine calls
// ReadPacket in a loop; it also carries out the later key exchanges, so they make
// no progress while it is not called. WritePacket may be called by several
// goroutines. It blocks during a key exchange, when only the transport's own
// messages may be sent. A goroutine that reads packets must not wait for that:
// it uses QueuePacket, which never blocks.
//
// The file names follow the layers: version.go, packet.go with the ciphers in
// cipher.go, negotiate.go, kex.go with the methods in exchange.go.
package transport
