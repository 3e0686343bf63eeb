//go:build linux

package integration_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// muxRow is an operation on a control socket. Its outcome has to be the same
// for all pairs of programs, except for known differences.
type muxRow struct {
	name string
	do   func(r *muxRun)
	// ifMaster and ifClient are regular expressions for what comes of it, all of
	// it, where gossh is that side; empty: what comes of it with ssh as both.
	// The client's goes first.
	ifMaster, ifClient string
	why                string
}

var muxRows = []muxRow{
	{name: "exit status", do: func(r *muxRun) { r.do("sshd", "exit 7"); r.do("sshd", "kill -9 $$") }},
	{name: "output", do: func(r *muxRun) { r.do("sshd", "echo out; echo err >&2; printf unended") }},
	{name: "input", do: func(r *muxRun) {
		data, _ := io.ReadAll(noise(3 << 20))
		o := r.w.run(withInput(r.muxMaster.client(r.client, "sshd", "cat"), string(data)))
		r.note("%d %v", o.status, sha256.Sum256([]byte(o.stdout)) == sha256.Sum256(data))
		r.feed("echo a login shell\n", "sshd")
		r.feed("not read", "-n", "sshd", "cat")
	}},
	{name: "closed output", do: func(r *muxRun) {
		o := r.w.run(r.w.tool("sh", "-c", r.w.lineOf(r.client, r.args("sshd", "yes")...)+" | head -n 2"))
		r.note("%v", o)
	}},
	{name: "environment", do: func(r *muxRun) {
		r.do("-o", "SendEnv=FOO", "-o", "SendEnv=FEE", "-o", "SetEnv=BAR=set", "sshd", "echo foo=$FOO fee=$FEE bar=$BAR master=$MASTER")
	}},
	{name: "subsystem refused", do: func(r *muxRun) { r.do("-s", "sshd", "nosuch") },
		ifMaster: `.*status 255\nerr\| subsystem request failed\\r\\n\n`, why: "ssh's master closes before it writes the line"},
	{name: "terminal without one here", do: func(r *muxRun) { r.do("-tt", "sshd", "echo $TERM; stty size; exit 3") },
		ifMaster: `.*status 3\nout\| xterm\\r\\n\nout\| 0 0\\r\\n\nerr\| Shared connection to 127.0.0.1 closed.\\r\\n\n`,
		why:      "ssh's master sends modes of zero, where ssh by itself sends none"},
	{name: "no terminal here", do: func(r *muxRun) { r.do("-t", "sshd", "echo x") }},
	{name: "-W", do: func(r *muxRun) {
		r.feed("said\n", "-W", r.target, "sshd")
		r.do("-W", "127.0.0.1:1", "sshd")
	}},
	{name: "LocalCommand", do: func(r *muxRun) {
		r.do("-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo local", "sshd", "echo remote")
	}},
	{name: "-O check", do: func(r *muxRun) { r.do("-O", "check", "sshd"); r.do("-q", "-O", "check", "sshd") },
		ifClient: `(.*Master running \(pid=N\)\\r\\n\n)(err\| server last heard [\d.m]+s ago\\r\\n\n)?(-q.*Master running \(pid=N\)\\r\\n\n)`,
		why:      "our master knows whether the server is there, too"},
	{name: "-O forward", do: func(r *muxRun) {
		port := fmt.Sprint(closedPort(r.w.t))
		for _, what := range []string{"forward", "forward", "cancel", "cancel"} {
			r.opened(r.w.run(r.muxMaster.client(r.client, "-O", what, "-L", port+":"+r.target, "sshd")), what)
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			r.note("open %v\n", err == nil)
			if err == nil {
				r.note("%s\n", readLine(r.w.t, c))
				c.Close()
			}
		}
	}, ifClient: `.*\ncancel 255 "" "mux_client_forward: forwarding request failed: port not forwarded\\r\\nmuxclient: master cancel forward request failed\\r\\n"\nopen false\n`,
		why: "ssh says so and exits with 0"},
	{name: "-O forward of sockets", do: func(r *muxRun) {
		dir := filepath.Dir(r.sock)
		for _, flag := range []string{"-L", "-R", "-D"} {
			spec := dir + "/" + flag + ":" + r.target
			if flag == "-D" {
				spec = fmt.Sprint(closedPort(r.w.t))
			}
			r.opened(r.w.run(r.muxMaster.client(r.client, "-O", "forward", flag, spec, "sshd")), flag)
			_, err := os.Stat(dir + "/" + flag)
			r.note("there: %v\n", err == nil)
			r.opened(r.w.run(r.muxMaster.client(r.client, "-O", "cancel", flag, spec, "sshd")), flag)
		}
	}},
	{name: "-O forward, remote", do: func(r *muxRun) {
		o := r.w.run(r.muxMaster.client(r.client, "-O", "forward", "-R", "0:"+r.target, "sshd"))
		port := strings.TrimSpace(o.stdout)
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			r.w.t.Errorf("%v: %v", o, err)
			return
		}
		defer c.Close()
		r.note("%d %q %s\n", o.status, o.stderr, readLine(r.w.t, c))
		r.do("-O", "cancel", "-R", "0:"+r.target, "sshd")
		taken := fmt.Sprint(r.w.srv.Port)
		r.note("%s", strings.ReplaceAll(r.w.run(r.muxMaster.client(r.client, "-O", "forward", "-R", taken+":"+r.target, "sshd")).String(), taken, "TAKEN"))
	}},
	{name: "forwards of a session", do: func(r *muxRun) {
		port := fmt.Sprint(closedPort(r.w.t))
		hello := "exec 3<>/dev/tcp/127.0.0.1/" + port + "; head -n 1 <&3"
		socks := "exec 3<>/dev/tcp/127.0.0.1/" + port + "; printf '\\5\\1\\0' >&3; head -c 2 <&3 | od -t x1"
		for _, f := range []struct{ flag, spec, command string }{
			{"-L", port + ":" + r.target, hello}, {"-R", port + ":" + r.target, hello}, {"-R", "0:" + r.target, "echo hello"}, {"-D", port, socks},
		} {
			script := r.w.write("script", f.command)
			r.opened(r.w.run(r.muxMaster.client(r.client, f.flag, f.spec, "sshd", "bash "+script)), f.flag)
			r.opened(r.w.run(r.muxMaster.client(r.client, "-O", "cancel", f.flag, f.spec, "sshd")), "cancel")
		}
	}},
	{name: "forwards that fail", do: func(r *muxRun) {
		taken := fmt.Sprintf("127.0.0.1:%d", r.w.srv.Port)
		for _, exit := range []string{"no", "yes"} {
			o := r.w.run(r.muxMaster.client(r.client, "-o", "ExitOnForwardFailure="+exit, "-L", taken+":"+r.target, "sshd", "echo alone"))
			r.note("%s", strings.ReplaceAll(o.String(), fmt.Sprint(r.w.srv.Port), "TAKEN"))
		}
	}},
	{name: "ControlMaster", do: func(r *muxRun) {
		for _, way := range []string{"no", "auto", "yes", "autoask"} {
			r.do("-o", "ControlMaster="+way, "sshd", "echo "+way)
		}
		r.do("-M", "-M", "sshd", "echo twice")
	}},
	{name: "agent", do: func(r *muxRun) {
		for range 2 {
			r.do("-A", "sshd", "ssh-add -l | wc -l")
		}
		// What a session of the connection was given, sshd gives to all.
		r.do("-a", "sshd", "ssh-add -l | wc -l")
	}},
	{name: "X11", do: func(r *muxRun) {
		for range 2 {
			r.do("-Y", "sshd", "echo ${DISPLAY:+set}")
		}
		r.do("-x", "sshd", "echo ${DISPLAY:-none}")
	}},
	{name: "-O proxy", do: func(r *muxRun) { r.feed("proxied\n", "-O", "proxy", "sshd", "cat; exit 4") }},
	{name: "-O of nonsense", do: func(r *muxRun) { r.do("-O", "bogus", "sshd"); r.do("-S", "none", "-O", "check", "sshd") }},
	{name: "-O conninfo", do: func(r *muxRun) { r.do("-O", "conninfo", "sshd") },
		ifClient: `.*(\nerr\| mux server does not support info request\\r\\n|\nout\| Connection information for .*\nout\|   cipher .*)\n`,
		why:      "a newer ssh has it"},
	{name: "the path is none", do: func(r *muxRun) {
		r.do("-S", "DIR/none", "-O", "check", "sshd")
		r.do("-S", "DIR/none", "sshd", "echo alone")
		r.do("-o", "ControlMaster=yes", "-S", filepath.Dir(r.sock), "sshd", "echo a folder")
	}},
	// The last: they end the master.
	{name: "-O stop", do: func(r *muxRun) {
		r.do("-O", "stop", "sshd")
		awaitEnd(r.w.t, r.cmd.Process.Pid)
		r.do("-O", "check", "sshd")
		r.do("sshd", "echo alone")
	}},
	{name: "-O exit", do: func(r *muxRun) {
		r.start(r.cmd.Path, "-M", "-N")
		r.do("-O", "exit", "sshd")
		<-r.ended
		r.note("the master: %d\n", r.cmd.ProcessState.ExitCode())
		r.do("-O", "exit", "sshd")
		_, err := os.Stat(r.sock)
		r.note("socket: %v\n", err == nil)
	}},
}

// opened records an outcome without its ports.
func (r *muxRun) opened(o outcome, what string) {
	r.note("%s %d %q %q\n", what, o.status, o.stdout, o.stderr)
}

// TestMuxMatrix: each operation, for each pair of programs.
func TestMuxMatrix(t *testing.T) {
	t.Parallel()
	need(t, "ssh", "xauth", "ssh-add", "bash")
	compareRows(t, muxRows, func(t *testing.T, master, client string) *muxRun {
		w := muxServer(t, "X11Forwarding yes\n"+oneFamily)
		w.write(".Xauthority", "")
		w.agent(w.srv.ClientKey)
		w.setenv("FOO=fromhere", "FEE=fromhere", "DISPLAY="+newXServer(t).display, "XAUTHORITY="+w.write("Xauthority", ""))
		m := w.master(master, "-A", "-Y", "-o", "SendEnv=FOO", "-o", "SetEnv=MASTER=set", "-o", "IdentityAgent=SSH_AUTH_SOCK")
		return &muxRun{muxMaster: m, client: client, target: greeter(t, "hello")}
	})
}

// compareRows runs the operations with each pair of programs, each in its own
// world.
func compareRows(t *testing.T, rows []muxRow, prepare func(t *testing.T, master, client string) *muxRun) {
	var mu sync.Mutex
	logs := map[[2]string][]string{}
	t.Run("pairs", func(t *testing.T) {
		pairs(t, func(t *testing.T, master, client string) {
			r := prepare(t, master, client)
			var all []string
			for _, row := range rows {
				r.log.Reset()
				row.do(r)
				all = append(all, r.log.String())
			}
			mu.Lock()
			defer mu.Unlock()
			logs[[2]string{master, client}] = all
		})
	})
	reference := logs[[2]string{"ssh", "ssh"}]
	for pair, all := range logs {
		for i, row := range rows {
			want := ""
			if pair[0] == gosshPath && row.ifMaster != "" {
				want = row.ifMaster
			}
			if pair[1] == gosshPath && row.ifClient != "" {
				want = row.ifClient
			}
			same := want == "" && all[i] == reference[i]
			if !same && (want == "" || !regexp.MustCompile(`(?s)^(?:`+want+`)$`).MatchString(all[i])) {
				t.Errorf("%s: master %s, client %s:\n%s\nwant %s\nssh:\n%s", row.name, filepath.Base(pair[0]), filepath.Base(pair[1]), all[i], want, reference[i])
			}
		}
	}
}

// askRows are the operations that a master asks about first.
var askRows = []muxRow{
	{name: "no", do: func(r *muxRun) { r.answered("no") },
		ifClient: `.*\nerr\| (mux_client_proxy: master returned error|channel 0: open failed: administratively prohibited): Permission denied\\r\\n\n` +
			`.*\nAllow (multiplex proxy connection\?|shared connection to 127\.0\.0\.1\? )\nTerminate .*`,
		why: "as below"},
	{name: "yes", do: func(r *muxRun) {
		r.answered("yes")
		r.w.write("asked", "")
		r.start(r.cmd.Path, "-o", "ControlMaster=autoask", "-N")
		r.do("-O", "exit", "sshd")
		<-r.ended
		r.note("%s", r.w.read("asked"))
	}, ifClient: `.*\nAllow (multiplex proxy connection\?|shared connection to 127\.0\.0\.1\? )\nDisable further .*`,
		why: "ssh's master is not asked for proxy mode, which it may not survive"},
}

// answered does everything with that answer.
func (r *muxRun) answered(answer string) {
	r.w.write("answer", answer)
	r.w.write("asked", "")
	port := fmt.Sprint(closedPort(r.w.t))
	r.do("sshd", "echo session")
	r.do("-o", "ControlMaster=auto", "sshd", "echo session")
	r.do("-W", r.target, "sshd")
	for _, flags := range [][]string{{"-L", "DIR/l:" + r.target}, {"-R", "DIR/r:" + r.target}, {"-D", port}} {
		for _, what := range []string{"forward", "cancel"} {
			if what == "cancel" && answer == "no" {
				continue // nothing was opened: see the row of -O cancel
			}
			flags[1] = strings.ReplaceAll(flags[1], "DIR", filepath.Dir(r.sock))
			r.opened(r.w.run(r.muxMaster.client(r.client, "-O", what, flags[0], flags[1], "sshd")), what)
		}
	}
	r.do("-O", "proxy", "sshd", "echo proxied")
	if answer == "no" {
		r.do("-O", "exit", "sshd")
	}
	r.do("-O", "stop", "sshd")
	r.note("%s", strings.ReplaceAll(r.w.read("asked"), port, "PORT"))
}

// TestMuxAsk: ControlMaster=ask, by questions to the askpass program.
func TestMuxAsk(t *testing.T) {
	t.Parallel()
	compareRows(t, askRows, func(t *testing.T, master, client string) *muxRun {
		w := muxServer(t, "")
		script := w.script("askpass", "printf '%s\\n' \"$1\" >>"+w.path("asked")+"\ntest $(cat "+w.path("answer")+") = yes && echo yes")
		w.setenv("SSH_ASKPASS="+script, "SSH_ASKPASS_REQUIRE=force")
		m := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
		m.start(master, "-o", "BatchMode=no", "-o", "ControlMaster=ask", "-N")
		return &muxRun{muxMaster: m, client: client, target: greeter(t, "hello")}
	})
}
