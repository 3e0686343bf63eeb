// Package xssh holds what depends on how one version of golang.org/x/crypto/ssh
// works inside: the texts of its errors, the order of its calls, and what it does
// not report. TestVersion names that version, and what to check for another.
package xssh
