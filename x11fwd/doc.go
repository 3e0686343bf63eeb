// Package x11fwd forwards X11, so that programs on the server open windows on the
// local display.
//
//	f, err := x11fwd.New(ctx, x11fwd.Options{Display: os.Getenv("DISPLAY"), XAuth: "/usr/bin/xauth"})
//	conn.HandleChannelOpen(x11fwd.ChannelType, f.ServeChannel)
//	cmd.X11 = &session.X11{AuthProtocol: f.AuthProtocol(), AuthCookie: f.Cookie(), Screen: f.Screen()}
//	defer f.Close()
//
// The server never gets the cookie of the local X server. It gets a random cookie of
// the same kind and length. The first packet of each connection must contain this
// cookie, which is then replaced by the real one. So only programs that know the
// session's cookie can connect, and only during the session.
//
// Without Trusted, the real cookie is one that the X server restricts (its SECURITY
// extension). It is valid for the time of ForwardX11Timeout.
//
// Sources: RFC 4254, section 6.3; X Window System Protocol, section 8
// (connection setup); xauth(1); ssh_config(5).
package x11fwd
