//go:build !linux

package client

import "os/exec"

// proxyJob is for Linux only. On other systems a ProxyCommand gets the
// terminal's signals.
type proxyJob struct{}

func newProxyJob() *proxyJob                     { return nil }
func (*proxyJob) run(*exec.Cmd, func(err error)) {}
func (*proxyJob) takeBack() bool                 { return false }
