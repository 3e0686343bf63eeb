//go:build linux && race

package integration_test

// raceEnabled has the program built with the race detector too.
const raceEnabled = true
