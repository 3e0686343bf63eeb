//go:build !linux

package client

import "os/exec"

// proxyJob is for Linux alone: elsewhere a ProxyCommand shares the fate of the
// terminal.
type proxyJob struct{}

func newProxyJob() *proxyJob                     { return nil }
func (*proxyJob) run(*exec.Cmd, func(err error)) {}
func (*proxyJob) takeBack() bool                 { return false }
