// Package sshconfig reads ssh_config(5) and resolves it for one host, exactly
// as OpenSSH does, into one typed [Config].
//
// The way of one resolution:
//
//	Options.CommandLine, ~/.ssh/gossh_config, ~/.ssh/config, /etc/ssh/ssh_config
//	  → lines → Host and Match decide which apply → the first value of a keyword wins
//	  → host name canonicalised → a second pass for Match canonical and final
//	  → defaults → tokens, ~ and ${ENV} expanded → Config
//
// [Load] does all of it. [Config.Dump] prints the result as `ssh -G` does,
// [Config.Origin] says where a value came from, and [Keywords] lists every
// keyword with what this program makes of it.
//
// The reference is OpenSSH 9.2. Where 10.x accepts what 9.2 refuses (keywords,
// Match criteria, tokens), 10.x is followed. Messages are OpenSSH's own, since
// people and tools know them.
package sshconfig
