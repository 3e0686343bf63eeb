package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/prompt"
)

// agentPolicy is what ForwardAgentKeys, ForwardAgentConfirm and ForwardAgentLog
// say; nil if none of them is set, and then everything passes as with ssh. What
// cannot be obeyed is the end: a limit that is not there would not be noticed.
func (p *program) agentPolicy() (*agentfwd.Policy, func() error, error) {
	own := p.cfg.Own
	nothing := func() error { return nil }
	limited := len(own.ForwardAgentKeys) > 0 || own.ForwardAgentConfirm
	if !limited && own.ForwardAgentLog == "" {
		return nil, nothing, nil
	}
	// A log alone takes nothing away.
	policy := &agentfwd.Policy{AllowAll: !limited}
	if len(own.ForwardAgentKeys) > 0 {
		keys, err := agentfwd.NewKeySet(homePaths(own.ForwardAgentKeys)...)
		if err != nil {
			return nil, nil, message.Errorf("ForwardAgentKeys: %s", strings.TrimPrefix(err.Error(), "agentfwd: "))
		}
		policy.Keys = keys
	}
	if own.ForwardAgentConfirm {
		policy.Confirm = prompt.AgentUse(p.print, p.turns)
	}
	log, err := openUsageLog(own.ForwardAgentLog)
	if err != nil {
		return nil, nil, err
	}
	policy.Log = func(use agentfwd.Use) {
		if log != nil {
			log.Log(use)
		}
		p.print.AgentUse(use)
	}
	if log == nil {
		return policy, nothing, nil
	}
	return policy, log.Close, nil
}

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

// homePaths puts the home directory in the place of ~/ in front of a file.
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
