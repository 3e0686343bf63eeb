// Package bench measures what the documents claim of speed, gossh beside ssh,
// against the same sshd and in one run: `make bench` prints the table.
//
// The two take turns, because these figures are about their ratio: whatever
// else the machine does meets both.
package bench

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// wanted is the environment variable that enables the measurements.
const wanted = "GOSSH_BENCH"

// rounds is how often each case is measured for each program.
const rounds = 9

// bench is the state that all cases share.
type bench struct {
	t      *testing.T
	config string
	dir    string
	gossh  string
	cpu    time.Duration // of the programs that have ended
}

// client is one of the two programs.
type client struct{ name, path string }

func TestCompare(t *testing.T) {
	if os.Getenv(wanted) == "" {
		t.Skipf("set %s=1, or run `make bench`", wanted)
	}
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not installed")
	}
	// Without MaxStartups many logins at a time would be refused at random.
	srv := opensshd.NewServer(t, &opensshd.Options{Extra: "MaxStartups 100:30:200\nMaxSessions 100\n"})
	b := &bench{t: t, config: srv.Config, dir: t.TempDir()}
	b.gossh = filepath.Join(b.dir, "gossh")
	if out, err := exec.Command("go", "build", "-o", b.gossh, "../cmd/gossh").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	clients := []client{{"gossh", b.gossh}, {"ssh", ssh}}
	fmt.Printf("| case | gossh | ssh | gossh / ssh | CPU time |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range cases() {
		b.compare(c, clients)
	}
}

// benchCase measures something about one program; less is better.
type benchCase struct {
	name  string
	unit  string
	setup func(b *bench, c client) (stop func())
	once  func(b *bench, c client) float64
}

// compare prints the medians and their ratio, and the ratio of the CPU times,
// which other programs on the machine disturb less.
func (b *bench) compare(bc benchCase, clients []client) {
	values := make([][]float64, len(clients))
	cpu := make([]time.Duration, len(clients))
	stops := make([]func(), len(clients))
	// charge puts the programs that end in work down to client i.
	charge := func(i int, work func()) {
		b.cpu = 0
		work()
		cpu[i] += b.cpu
	}
	for i, c := range clients {
		stops[i] = func() {}
		if bc.setup != nil {
			stops[i] = bc.setup(b, c)
		}
		bc.once(b, c) // warm
	}
	for range rounds {
		for i, c := range clients {
			charge(i, func() { values[i] = append(values[i], bc.once(b, c)) })
		}
	}
	medians := make([]float64, len(clients))
	for i := range clients {
		charge(i, stops[i])
		slices.Sort(values[i])
		medians[i] = values[i][rounds/2]
	}
	fmt.Printf("| %s | %.4g %s | %.4g %s | %.2f | %.2f |\n", bc.name, medians[0], bc.unit, medians[1], bc.unit,
		medians[0]/medians[1], cpu[0].Seconds()/cpu[1].Seconds())
}

// spent adds the CPU time of a process that has ended.
func (b *bench) spent(p *os.ProcessState) { b.cpu += p.UserTime() + p.SystemTime() }

// run runs one command of the program and returns how long it took.
func (b *bench) run(c client, stdin io.Reader, args ...string) time.Duration {
	cmd := exec.Command(c.path, append([]string{"-F", b.config}, args...)...)
	var stderr strings.Builder
	cmd.Stdin, cmd.Stderr = stdin, &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("%s %v: %v\n%.500s", c.name, args, err, stderr.String())
	}
	took := time.Since(began)
	b.spent(cmd.ProcessState)
	return took
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// volume is the size of the transfers.
const volume = 256 << 20

func cases() []benchCase {
	list := []benchCase{
		{name: "log in and run `true`", unit: "ms", once: func(b *bench, c client) float64 {
			return milliseconds(b.run(c, nil, "sshd", "true"))
		}},
		{name: "`-V`, the start of the program alone", unit: "ms", once: func(b *bench, c client) float64 {
			return milliseconds(b.run(c, nil, "-V"))
		}},
		{name: "`true` through a live master", unit: "ms", setup: startMaster, once: func(b *bench, c client) float64 {
			return milliseconds(b.run(c, nil, "-S", b.socket(c), "sshd", "true"))
		}},
	}
	for _, name := range []string{"default cipher", "chacha20-poly1305", "aes128-gcm"} {
		cipher := []string{"-c", name + "@openssh.com"}
		if name == "default cipher" {
			cipher = nil
		}
		list = append(list,
			benchCase{name: "256 MiB down, " + name, unit: "s", once: func(b *bench, c client) float64 {
				return b.run(c, nil, append(cipher, "sshd", fmt.Sprintf("head -c %d /dev/zero", volume))...).Seconds()
			}},
			benchCase{name: "256 MiB up, " + name, unit: "s", once: func(b *bench, c client) float64 {
				return b.run(c, io.LimitReader(zeros{}, volume), append(cipher, "sshd", "cat >/dev/null")...).Seconds()
			}},
			benchCase{name: "64 MiB through -L, " + name, unit: "s", setup: startForward(cipher...), once: throughForward},
		)
	}
	return append(list, benchCase{name: "connection through -L", unit: "ms", setup: startForward(), once: connectForward})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (b *bench) socket(c client) string { return filepath.Join(b.dir, "s-"+c.name) }

// start starts the program in the background. stop ends it.
func (b *bench) start(c client, ready func() bool, args ...string) (stop func()) {
	cmd := exec.Command(c.path, append([]string{"-F", b.config}, args...)...)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cmd.Process.Kill() }) // if something fails before stop
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }() // ends with the process
	for deadline := time.Now().Add(10 * time.Second); !ready(); {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s %v is not ready", c.name, args)
		}
		time.Sleep(10 * time.Millisecond) // there is nothing to wait on: the socket is the program's
	}
	return func() { cmd.Process.Kill(); <-ended; b.spent(cmd.ProcessState) }
}

func startMaster(b *bench, c client) func() {
	return b.start(c, func() bool {
		conn, err := net.Dial("unix", b.socket(c))
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, "-M", "-N", "-S", b.socket(c), "sshd")
}

// forwardPort returns the socket of a program, since both masters run at once.
func (b *bench) forwardPort(c client) string { return filepath.Join(b.dir, "fwd-"+c.name) }

// startForward forwards a local Unix socket to a source of bytes.
func startForward(cipher ...string) func(b *bench, c client) func() {
	return func(b *bench, c client) func() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.t.Fatal(err)
		}
		go source(l)
		os.Remove(b.forwardPort(c))
		stop := b.start(c, func() bool {
			conn, err := net.Dial("unix", b.forwardPort(c))
			if err == nil {
				conn.Close()
			}
			return err == nil
		}, append(cipher, "-N", "-L", b.forwardPort(c)+":"+l.Addr().String(), "sshd")...)
		return func() { stop(); l.Close() }
	}
}

// source sends 64 MiB on each connection that sends a byte. It returns when
// the listener is closed.
func source(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			if n, _ := conn.Read(make([]byte, 1)); n == 1 {
				io.Copy(conn, io.LimitReader(zeros{}, 64<<20))
			}
		}()
	}
}

func throughForward(b *bench, c client) float64 {
	began := time.Now()
	conn, err := net.Dial("unix", b.forwardPort(c))
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte{1})
	if n, err := io.Copy(io.Discard, conn); n != 64<<20 {
		b.t.Fatalf("%s: %d bytes, %v", c.name, n, err)
	}
	return time.Since(began).Seconds()
}

// connectForward makes a hundred connections in sequence, each up to its first
// byte.
func connectForward(b *bench, c client) float64 {
	const n = 100
	began := time.Now()
	for range n {
		conn, err := net.Dial("unix", b.forwardPort(c))
		if err != nil {
			b.t.Fatal(err)
		}
		conn.Write([]byte{1})
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			b.t.Fatalf("%s: %v", c.name, err)
		}
		conn.Close()
	}
	return milliseconds(time.Since(began)) / n
}
