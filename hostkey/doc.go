// Package hostkey decides whether the key that a server shows is the key of
// the host that was asked for, and keeps the known_hosts files that say so.
//
// The main path of one connection:
//
//	c := hostkey.NewChecker(hostkey.Options{UserFiles: []string{home + "/.ssh/known_hosts"}, Ask: ask})
//	t := hostkey.Target{Host: "db.example.com", Port: 22, Addr: peer}
//	algs, err := c.Algorithms(ctx, t, list, listIsDefault) // before the key exchange
//	v := c.Verifier(ctx, t)                                // one a connection
//	cfg := ssh.ClientConfig{HostKeyAlgorithms: algs, HostKeyCallback: v.Callback}
//	...                                                    // key exchange; v.Verdict() says what to switch off
//	err = c.Update(ctx, v, request)                        // hostkeys-00@openssh.com, after authentication
//
// A Check reads the files, judges the key or the certificate as ssh(1) does
// (VERIFYING HOST KEYS in ssh(1), SSH_KNOWN_HOSTS FILE FORMAT in sshd(8)), asks
// where StrictHostKeyChecking says so, and adds what was accepted. Nothing is
// printed: refusals are errors with exported fields, all of which match
// [ErrVerification], and what a person should merely hear of goes to
// Options.Notify as an [Event].
//
// Nothing here starts a goroutine. Checker and Verifier may be used from
// several goroutines at once.
package hostkey
