// Package client makes SSH connections as the ssh program would:
//
//	c, err := client.Dial(ctx, "deploy@web-1", nil) // config, jump hosts, agent, known_hosts
//	defer c.Close()
//	out, err := c.Command(ctx, "uname -a").Output()
//	conn, err := c.DialContext(ctx, "tcp", "db:5432")
//	<-c.Done() // and c.Err() says why
//
// The way of one [Dial]: resolve ssh_config for the target; share the
// connection of the master that ControlPath names, if one lives, or else connect
// (TCP, a ProxyCommand, or a jump host, which is a [Client] of its own), exchange
// keys, check the host key, authenticate, start the keepalive. One context and
// one deadline bound all of it; the deadline stands still while a person is
// asked.
//
// [Keep] dials again whenever the connection is lost.
//
// Nothing is printed. A person is asked through a [Prompter], events that are
// worth a line go to Options.Notify, and errors have types.
package client
