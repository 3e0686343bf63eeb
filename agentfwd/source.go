package agentfwd

import (
	"fmt"
	"os"
	"strings"
)

// SourceKind is the way in which a Source names its agent.
type SourceKind int

const (
	// SourceEnv is the agent that SSH_AUTH_SOCK names. It is the zero value.
	SourceEnv SourceKind = iota
	// SourceNone is no agent at all.
	SourceNone
	// SourcePath is a socket path (Windows: a pipe name), already expanded.
	SourcePath
	// SourceVariable is the environment variable that Value names.
	SourceVariable
)

// Source says which agent to use: the value of IdentityAgent, or of
// ForwardAgent where that is not yes or no (ssh_config(5)). Its zero value is
// the agent of SSH_AUTH_SOCK.
type Source struct {
	Kind  SourceKind
	Value string // the path, or the variable's name without its $
}

// ParseSource parses the value of IdentityAgent, or a value of ForwardAgent other
// than yes and no, after the expansion of ~ and tokens: "none", "SSH_AUTH_SOCK",
// "$NAME", or a path.
func ParseSource(value string) (Source, error) {
	switch {
	case value == "":
		return Source{}, fmt.Errorf("agentfwd: empty agent address")
	case strings.EqualFold(value, "none"):
		return Source{Kind: SourceNone}, nil
	case value == authSock:
		return Source{Kind: SourceEnv}, nil
	case value[0] == '$':
		if !validVariable(value[1:]) {
			return Source{}, fmt.Errorf("agentfwd: invalid environment variable name %q", value)
		}
		return Source{Kind: SourceVariable, Value: value[1:]}, nil
	}
	return Source{Kind: SourcePath, Value: value}, nil
}

const authSock = "SSH_AUTH_SOCK"

// Address returns the path of the socket, or the name of the pipe. getenv is
// os.Getenv if nil. It returns ErrNoAgent if the source is SourceNone or the
// variable is not set.
func (s Source) Address(getenv func(string) string) (string, error) {
	if getenv == nil {
		getenv = os.Getenv
	}
	var address string
	switch s.Kind {
	case SourceEnv:
		address = getenv(authSock)
		if address == "" {
			address = platformDefault
		}
	case SourcePath:
		address = s.Value
	case SourceVariable:
		address = getenv(s.Value)
	}
	if address == "" {
		return "", ErrNoAgent
	}
	return address, nil
}

// String returns the form that ParseSource parses.
func (s Source) String() string {
	switch s.Kind {
	case SourceNone:
		return "none"
	case SourcePath:
		return s.Value
	case SourceVariable:
		return "$" + s.Value
	}
	return authSock
}

// validVariable follows OpenSSH's valid_env_name: letters, digits and _.
func validVariable(name string) bool {
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
		default:
			return false
		}
	}
	return name != ""
}
