//go:build linux || darwin || freebsd

package mux_test

import (
	"testing"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest"
)

func TestPassenger(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	got := run(t, srv.Path(), mux.SessionRequest{Command: "cat; echo err >&2; exit 7"}, "hello\n")
	if want := (result{"hello\n", "err\n", 7}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
