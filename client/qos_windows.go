package client

import "github.com/gossh-project/gossh/sshconfig"

// SetQoS does nothing: Windows takes no service class from programs.
func (c *Client) SetQoS(sshconfig.QoS) error { return nil }
