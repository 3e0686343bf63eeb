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

// maxAgentSocket is the longest path that fits into sockaddr_un.sun_path on any
// system, with its NUL. On systems with a lower limit, connecting fails.
const maxAgentSocket = 107

// checkAgentSocket accepts only absolute paths: the other process has another
// working directory, and an abstract socket of Linux has no owner.
func checkAgentSocket(socket string) error {
	if len(socket) > maxAgentSocket || !path.IsAbs(socket) || strings.IndexByte(socket, 0) >= 0 {
		return fmt.Errorf("%w: %.*q", ErrAgentSocket, maxAgentSocket, socket)
	}
	return nil
}

// agentSocket returns the agent of the client, or "" if it has none or if the path
// is not valid. The client then gets the same agent as a client of OpenSSH.
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

// TakesAgent reports whether the master can forward the client's agent. OpenSSH's
// master always forwards its own.
func (c *Client) TakesAgent() bool { return c.hello.has(extAgent) }
