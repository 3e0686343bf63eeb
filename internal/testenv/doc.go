// Package testenv sets up what the tests of gossh need around them: a name
// service, tokens that are files, and the signals of an ordinary process.
package testenv
