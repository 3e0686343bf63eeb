// Package forward carries TCP and Unix-domain connections through an SSH
// connection: ssh's -L, -R, -D and -W, and a net.Conn dialer and net.Listener
// for Go programs.
//
// The way of one forwarding is the same for every kind:
//
//	text → [ParseSpec] → [Spec] → engine → channel → pump
//
// A Spec says where connections are accepted and where they go. An engine
// listens (here, or by asking the server), opens or accepts one SSH channel
// for each connection, and a pump moves the bytes both ways until both sides
// have finished, passing on half-closes and resets.
//
// Channels that the server opens (forwarded-tcpip and
// forwarded-streamlocal@openssh.com) reach the engines through one [Incoming],
// which the owner of the connection feeds.
//
// Sources: RFC 4254 section 7 (TCP/IP forwarding), OpenSSH's PROTOCOL section
// 2.4 (Unix-domain forwarding), RFC 1928 (SOCKS 5), the SOCKS 4 and 4A notes,
// and the manual pages ssh(1) and ssh_config(5).
package forward
