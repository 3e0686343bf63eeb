// Package sshconfig reads ssh_config(5) and resolves it for one host, exactly
// as OpenSSH does, into one typed [Config].
//
// Load resolves a configuration in these steps:
//
//	Options.CommandLine, ~/.ssh/gossh_config, ~/.ssh/config, /etc/ssh/ssh_config
//	  → lines → Host and Match decide which apply → the first value of a keyword wins
//	  → host name canonicalised → a second pass for Match canonical and final
//	  → defaults → tokens, ~ and ${ENV} expanded → Config
//
// [Config.Dump] prints the result as `ssh -G` does. [Config.Origin] returns where a
// value was set. [Keywords] lists every keyword, with its support in this program.
//
// The reference is OpenSSH 10.5; what older versions do in another way is done as in
// 10.5. Error messages are those of OpenSSH, since people and tools know them.
package sshconfig
