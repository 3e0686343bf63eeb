package mux

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
)

// ErrAgentSocket is the cause of a path that cannot be that of an agent.
var ErrAgentSocket = errors.New("mux: not the path of an agent's socket")

// maxAgentSocket is what fits into sockaddr_un.sun_path where that is longest,
// with its NUL. Where it is shorter, connecting says so.
const maxAgentSocket = 107

// checkAgentSocket takes absolute paths only: the other process has another
// working directory, and an abstract socket of Linux has no owner.
func checkAgentSocket(socket string) error {
	if len(socket) > maxAgentSocket || !path.IsAbs(socket) || strings.IndexByte(socket, 0) >= 0 {
		return fmt.Errorf("%w: %.*q", ErrAgentSocket, maxAgentSocket, socket)
	}
	return nil
}

// agentSocket is the agent that a client brought. "" is none, for which what
// cannot be one is taken too: the client gets what one of OpenSSH gets.
func (m *helloMessage) agentSocket(log *slog.Logger) string {
	for _, e := range m.extensions {
		if e.name != extAgent {
			continue
		}
		err := checkAgentSocket(e.value)
		if err == nil {
			return e.value
		}
		if e.value != "" {
			log.Debug("mux: agent of a client", "error", err)
		}
		break // a second one is no better
	}
	return ""
}

// TakesAgent tells whether the master forwards the agent of its client, if
// that brings one. OpenSSH's forwards its own.
func (c *Client) TakesAgent() bool { return c.hello.has(extAgent) }
