// Package agentfwd talks to an SSH agent: for our own authentication, and on
// behalf of a remote host that the agent is forwarded to.
//
// The main path for authentication is
//
//	observer := agentfwd.ObserveKex(netConn)       // below the key exchange
//	... ssh.NewClientConn(observer, ...) ...
//	binding, err := observer.Binding(sessionID)    // in an AuthCallback
//	agent, err := agentfwd.Dial(ctx, source, nil)
//	err = agent.Bind(ctx, binding, false)
//	signers, err := agent.Signers(ctx)
//
// and for forwarding, once a connection is up,
//
//	f := agentfwd.NewForwarder(agentfwd.ForwarderConfig{Source: source, Binding: &binding})
//	go f.Serve(client.HandleChannelOpen(agentfwd.ChannelType))
//	f.Allow()                                      // when auth-agent-req@openssh.com goes out
//	defer f.Close()
//
// Each connection to an agent names the server that it is used for, with
// session-bind@openssh.com, so that keys added with ssh-add -h are signed with
// where their owner allowed it and nowhere else. A [Policy] narrows further,
// from this side, what a remote host can do with a forwarded agent.
//
// The wire is that of draft-miller-ssh-agent and of OpenSSH's PROTOCOL.agent;
// the manual pages are ssh-agent(1), ssh-add(1) and ssh_config(5).
package agentfwd
