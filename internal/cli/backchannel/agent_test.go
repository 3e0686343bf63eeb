package backchannel

import (
	"bytes"
	"testing"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
)

// TestLogOnlyPolicy checks that ForwardAgentLog alone forbids nothing.
func TestLogOnlyPolicy(t *testing.T) {
	f := &Forwarding{Print: &message.Printer{Console: message.NewConsole(new(bytes.Buffer))}, Config: &sshconfig.Config{}}
	f.Config.Own.ForwardAgentLog = t.TempDir() + "/log"
	policy, closeLog, err := f.agentPolicy()
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog()
	if !policy.AllowAll || policy.Keys != nil || policy.Confirm != nil {
		t.Errorf("%+v", policy)
	}
}
