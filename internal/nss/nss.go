// Package nss looks up host names and users as the C library does, by the
// sources that /etc/nsswitch.conf names.
//
// A static Go program knows files and DNS alone. Names of mDNS, virtual
// machines or a Windows domain, and users of LDAP, sssd or systemd-homed, come
// from modules of the C library. Where nsswitch.conf names such a source, a
// [Resolver] runs getent(1), which loads them. Everywhere else it is package
// net or os/user, and nothing is run.
package nss

// Resolver looks up host names and users. The zero value is the system's and
// ready for use. Its methods may be called at the same time.
type Resolver struct {
	// SwitchFile is the file to read in place of /etc/nsswitch.conf. It is read
	// at each lookup that may need it, and may be missing.
	SwitchFile string
	// Getent is the program to run in place of the system's getent.
	Getent string
	// PasswdFile is where the users of the source "files" are, in place of
	// /etc/passwd.
	PasswdFile string
}

// validKey reports whether key can be an argument of getent: one that is not
// taken for an option.
func validKey(key string) bool {
	if key == "" || len(key) > maxKey || key[0] == '-' {
		return false
	}
	for i := 0; i < len(key); i++ {
		if key[i] < ' ' || key[i] == 0x7f {
			return false
		}
	}
	return true
}

// maxKey is longer than any host name (NI_MAXHOST) or user name.
const maxKey = 1024
