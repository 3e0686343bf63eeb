// Package forward carries TCP and Unix-domain connections through an SSH
// connection: ssh's -L, -R, -D and -W, and a net.Conn dialer and net.Listener
// for Go programs.
//
// The way of one forwarding is the same for every kind:
//
//	text → [ParseSpec] → [Spec] → [Forwarder.Open] → listener → channel → pump
//
// A [Spec] says where connections are accepted and where they go. A
// [Forwarder], one for each SSH connection, starts the engine for the kind: it
// listens here or asks the server to, opens or accepts one SSH channel for
// each connection, and a pump moves the bytes both ways until both sides have
// finished, passing on half-closes and failures.
//
// Channels that the server opens (forwarded-tcpip and
// forwarded-streamlocal@openssh.com) come in through
// [Forwarder.ServeChannel]: golang.org/x/crypto/ssh has one owner for each
// channel type, and that is whoever owns the connection.
//
// Sources: RFC 4254 section 7 (TCP/IP forwarding), OpenSSH's PROTOCOL section
// 2.4 (Unix-domain forwarding), RFC 1928 (SOCKS 5), the SOCKS 4 and 4A notes,
// and the manual pages ssh(1) and ssh_config(5).
package forward
