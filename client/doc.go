// Package client makes SSH connections as the ssh program does:
//
//	c, err := client.Dial(ctx, "deploy@web-1", nil) // config, jump hosts, agent, known_hosts
//	defer c.Close()
//	out, err := c.Command(ctx, "uname -a").Output()
//	conn, err := c.DialContext(ctx, "tcp", "db:5432")
//	<-c.Done() // and c.Err() returns the reason
//
// [Dial] loads ssh_config for the target. If ControlPath names a running master,
// it shares the master's connection. Otherwise it connects by TCP, a ProxyCommand
// or a jump host (which is a [Client], too), exchanges keys, verifies the host
// key, authenticates and starts the keepalive. One context and one time limit
// govern all of this; the time limit stops while a person is asked. With
// Options.NoFiles everything is configured in code.
//
// [Keep] dials again whenever the connection is lost.
//
// The package prints nothing. A [Prompter] answers questions, Options.Notify
// receives events, and every error of Dial is a [ConnError].
package client
