// Package x11fwd forwards X11: programs on the server open windows here.
//
//	f, err := x11fwd.New(ctx, x11fwd.Options{Display: os.Getenv("DISPLAY"), XAuth: "/usr/bin/xauth"})
//	conn.HandleChannelOpen(x11fwd.ChannelType, f.ServeChannel)
//	cmd.X11 = &session.X11{AuthProtocol: f.AuthProtocol(), AuthCookie: f.Cookie(), Screen: f.Screen()}
//	defer f.Close()
//
// The server never learns the cookie of the local X server. It gets a random
// one of the same kind and length; the first packet of each connection has to
// show it, and only then is it replaced by the real one and passed on. So only
// what the session was told can connect, and only as long as the session.
//
// Without Trusted the cookie is one that the X server itself restricts (its
// SECURITY extension), for as long as ForwardX11Timeout says.
//
// Sources: RFC 4254, section 6.3; X Window System Protocol, section 8
// (connection setup); xauth(1); ssh_config(5).
package x11fwd
