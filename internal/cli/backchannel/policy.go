package backchannel

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/prompt"
)

// agentPolicy returns the policy of ForwardAgentKeys, ForwardAgentConfirm and
// ForwardAgentLog, or nil if none of them is set. An option that cannot be obeyed
// is an error, because the user would not notice a limit that is missing. The
// function closes the log.
func (f *Forwarding) agentPolicy() (*agentfwd.Policy, func() error, error) {
	own := f.Config.Own
	nothing := func() error { return nil }
	limited := len(own.ForwardAgentKeys) > 0 || own.ForwardAgentConfirm
	if !limited && own.ForwardAgentLog == "" {
		return nil, nothing, nil
	}
	// A log alone forbids nothing.
	policy := &agentfwd.Policy{AllowAll: !limited}
	if len(own.ForwardAgentKeys) > 0 {
		keys, err := agentfwd.NewKeySet(homePaths(own.ForwardAgentKeys)...)
		if err != nil {
			return nil, nil, message.Errorf("ForwardAgentKeys: %s", strings.TrimPrefix(err.Error(), "agentfwd: "))
		}
		policy.Keys = keys
	}
	if own.ForwardAgentConfirm {
		policy.Confirm = prompt.AgentUse(f.Print, f.Turns)
	}
	log, err := openUsageLog(own.ForwardAgentLog)
	if err != nil {
		return nil, nil, err
	}
	policy.Log = func(use agentfwd.Use) {
		if log != nil {
			log.Log(use)
		}
		f.Print.AgentUse(use)
	}
	if log == nil {
		return policy, nothing, nil
	}
	return policy, log.Close, nil
}

// openUsageLog opens the log of ForwardAgentLog, if there is one.
func openUsageLog(path string) (*agentfwd.UsageLog, error) {
	if path == "" {
		return nil, nil
	}
	log, err := agentfwd.OpenUsageLog(path)
	if err != nil {
		return nil, message.Errorf("ForwardAgentLog: %s: %s", path, message.Errno(err))
	}
	return log, nil
}

// homePaths replaces ~/ at the start of file names by the home directory.
func homePaths(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if rest, ok := strings.CutPrefix(name, "~/"); ok {
			if home, err := os.UserHomeDir(); err == nil {
				out[i] = filepath.Join(home, rest)
			}
		}
	}
	return out
}
