// Package forward forwards TCP and Unix-domain connections through an SSH connection.
// It implements ssh's -L, -R, -D and -W, and for Go programs a dialer of net.Conns
// and a net.Listener.
//
// Every forwarding takes the same steps:
//
//	text → [ParseSpec] → [Spec] → [Forwarder.Open] → listener → channel → pump
//
// A [Spec] describes where connections are accepted and where they go. There is one
// [Forwarder] for each SSH connection. It listens locally, or requests that the server
// listens, and opens or accepts one SSH channel for each connection. A pump copies the
// data in both directions until both have ended. It passes on half-closes and errors.
//
// Channels that the server opens (forwarded-tcpip and
// forwarded-streamlocal@openssh.com) are passed to [Forwarder.ServeChannel] by the
// owner of the connection, since golang.org/x/crypto/ssh allows one handler for each
// channel type.
//
// Sources: RFC 4254 section 7 (TCP/IP forwarding), OpenSSH's PROTOCOL section
// 2.4 (Unix-domain forwarding), RFC 1928 (SOCKS 5), the SOCKS 4 and 4A notes,
// and the manual pages ssh(1) and ssh_config(5).
package forward
