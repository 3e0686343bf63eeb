package sshconfig_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gossh-project/gossh/sshconfig"
)

var (
	diffSeed  = flag.Uint64("diffseed", 1, "first seed of TestSameAsSSH")
	diffCases = flag.Int("diffcases", 0, "number of cases of TestSameAsSSH; 0 means 5000, or 500 with -short")
)

// program is something that behaves like `ssh -G`: it gets the arguments
// without the program's name, and the user's home directory.
type program func(args []string, home string) (stdout, stderr string, exit int)

// testEnv is the environment that both programs see.
var testEnv = []string{"PATH=/usr/bin:/bin", "SHELL=/bin/sh", "LANG=C", "ENVA=alpha", "ENVP=/run/sock", "ENVE="}

// outcome is what came of one run.
type outcome struct {
	stdout, stderr []string
	exit           int
}

func run(p program, args []string, home string) outcome {
	stdout, stderr, exit := p(args, home)
	return outcome{lines(stdout), lines(stderr), exit}
}

func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "Pseudo-terminal will not be allocated"):
			// Says something of the test's standard input and nothing of the
			// configuration.
		case strings.HasPrefix(line, "/bin/sh: "):
			// Commands of Match exec write when they like.
		case strings.HasPrefix(line, "usage: "):
			return append(out, "usage")
		default:
			out = append(out, line)
		}
	}
	return out
}

// reference is an OpenSSH to compare with.
type reference struct {
	path    string
	ten     bool // OpenSSH 10.x as it is released; else Debian's 9.2
	allowed []difference
}

// referenceVariable names a program ssh of OpenSSH 10 in the environment.
const referenceVariable = "GOSSH_TEST_SSH10"

// references are those to be had here: the ssh in PATH, and the one that the
// environment names.
func references(t *testing.T) map[string]reference {
	t.Helper()
	found := map[string]reference{}
	var seen []string
	for _, path := range []string{"ssh", os.Getenv(referenceVariable)} {
		if path == "" {
			continue
		}
		out, err := exec.Command(path, "-V").CombinedOutput()
		seen = append(seen, fmt.Sprintf("%s: %q %v", path, out, err))
		switch {
		case err != nil:
		case strings.HasPrefix(string(out), "OpenSSH_9.2p1 Debian"):
			found["9.2"] = reference{path, false, slices.Concat(allowed, allowed92)}
		case strings.HasPrefix(string(out), "OpenSSH_10."):
			found["10"] = reference{path, true, slices.Concat(allowed, allowed10)}
		}
	}
	if len(found) == 0 && os.Getenv("CI") == "true" {
		t.Fatalf("no ssh to compare with: %s", seen)
	}
	if len(found) == 0 {
		t.Skipf("NOT COMPARED: this needs OpenSSH 9.2 as Debian 12 has it, or 10.x named by %s, and here is %s", referenceVariable, seen)
	}
	return found
}

// difference is one way in which the two programs may differ. apply makes the
// difference vanish if it is there.
type difference struct {
	reason string
	apply  func(ssh, ours *outcome)
}

// allowed is the list of everything in which this program differs from
// OpenSSH of any version on purpose.
var allowed = []difference{
	{"x/crypto lacks some algorithms", func(ssh, ours *outcome) {
		filterLists(ssh, unsupported)
		filterLists(ours, nil)
	}},
	{"a list of nothing but algorithms that x/crypto lacks is refused", func(ssh, ours *outcome) {
		for _, line := range ssh.stdout {
			name, list, _ := strings.Cut(line, " ")
			if slices.Contains(algorithmKeywords, name) && list == "nothing-left" && ours.exit == 255 &&
				(slices.ContainsFunc(ssh.stdout, isQuiet) || strings.Contains(strings.Join(ours.stderr, "\n"), "Bad ")) {
				*ssh = *ours
				return
			}
		}
	}},
	{"a dead server is noticed by default: ServerAliveInterval 30 and ServerAliveCountMax 6", func(ssh, ours *outcome) {
		replaceBoth(ssh, ours, "serveraliveinterval 0", "serveraliveinterval 30")
		replaceBoth(ssh, ours, "serveraliveinterval 300", "serveraliveinterval 30") // Debian's default of BatchMode
		replaceBoth(ssh, ours, "serveralivecountmax 3", "serveralivecountmax 6")
	}},
}

var connectionHash = regexp.MustCompile(`[0-9a-f]{40}`)

// allowed10 is what differs from OpenSSH 10 alone: what Debian's ssh has of its
// own.
var allowed10 = []difference{
	{"ForwardX11Trusted is yes by default, as in Debian's ssh", func(ssh, ours *outcome) {
		replaceBoth(ssh, ours, "forwardx11trusted no", "forwardx11trusted yes")
	}},
	{"Debian's ssh has GSSAPI", func(ssh, ours *outcome) {
		dropLines(ours, "gssapi")
	}},
	{"the system's files are where ssh was built to have them", func(ssh, ours *outcome) {
		for i, line := range ssh.stdout {
			if strings.HasPrefix(line, "globalknownhostsfile /") && strings.HasSuffix(line, "/etc/ssh_known_hosts2") {
				ssh.stdout[i] = "globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
			}
		}
	}},
}

// allowed92 is what differs from OpenSSH 9.2 because this program follows
// OpenSSH 10. Keywords, Match criteria and tokens of OpenSSH 10 that 9.2
// refuses differ too; the generator does not write them for 9.2.
var allowed92 = []difference{
	{"keywords that 9.2 lacks or prints only where they are set", func(ssh, ours *outcome) {
		dropLines(ours, "warnweakcrypto ", "obscurekeystroketiming ", "channeltimeout ")
		dropLines(ours, "revokedhostkeys none")
	}},
	{"9.2 leaves the jump host out of %C", func(ssh, ours *outcome) {
		for _, o := range []*outcome{ssh, ours} {
			if slices.ContainsFunc(o.stdout, func(line string) bool { return strings.HasPrefix(line, "proxyjump ") }) {
				for i, line := range o.stdout {
					o.stdout[i] = connectionHash.ReplaceAllString(line, "%C")
				}
			}
		}
	}},
	{"9.2 lacks mlkem768x25519-sha256", func(ssh, ours *outcome) {
		filterLists(ours, []string{"mlkem768x25519-sha256"})
	}},
	{"the name of the lowest log level", func(ssh, ours *outcome) {
		replaceBoth(ssh, ours, "loglevel SILENT", "loglevel QUIET")
	}},
	{"the default of IPQoS", func(ssh, ours *outcome) {
		replaceBoth(ssh, ours, "ipqos lowdelay throughput", "ipqos ef cs0")
	}},
	{"the default identities", func(ssh, ours *outcome) {
		if n := dropLines(ours, "identityfile ~/.ssh/id_mldsa44_ed25519"); n > 0 {
			dropLines(ssh, "identityfile ~/.ssh/id_xmss", "identityfile ~/.ssh/id_dsa")
		}
	}},
	{"the default order of ciphers", func(ssh, ours *outcome) {
		sortCiphers(ssh)
		sortCiphers(ours)
	}},
	{"tokens in Include; 9.2 takes them for parts of a name", func(ssh, ours *outcome) {
		n := len(ours.stderr)
		unknown := n >= 2 && strings.HasPrefix(ours.stderr[n-2], "vdollar_percent_expand: unknown key ") &&
			ours.stderr[n-1] == "percent_dollar_expand: failed"
		if unknown && !strings.Contains(strings.Join(ssh.stderr, "\n"), "percent_expand: ") {
			*ssh = *ours
		}
	}},
	{"there is no DSA", func(ssh, ours *outcome) {
		filterLists(ssh, []string{"ssh-dss", "ssh-dss-cert-v01@openssh.com"})
	}},
	{"a list of algorithms that names none is refused; 9.2 says so too, and then goes on without any list", func(ssh, ours *outcome) {
		n := len(ours.stderr)
		said := n > 0 && n <= len(ssh.stderr) && ours.stderr[n-1] == ssh.stderr[n-1] &&
			strings.HasPrefix(ours.stderr[n-1], "fill_default_options: ")
		missing := slices.ContainsFunc(algorithmKeywords, func(keyword string) bool {
			return !slices.ContainsFunc(ssh.stdout, func(line string) bool { return strings.HasPrefix(line, keyword+" ") })
		})
		if ours.exit == 255 && (said || missing && ssh.exit == 0) {
			ours.exit, ours.stdout = ssh.exit, ssh.stdout
			ssh.stderr = ssh.stderr[:min(len(ssh.stderr), n)] // up to there they must agree
		}
	}},
}

// dropLines drops the lines of the configuration that begin with one of the
// texts, and returns how many.
func dropLines(o *outcome, begin ...string) int {
	n := len(o.stdout)
	o.stdout = slices.DeleteFunc(o.stdout, func(line string) bool {
		return slices.ContainsFunc(begin, func(b string) bool { return strings.HasPrefix(line, b) })
	})
	return n - len(o.stdout)
}

func sortCiphers(o *outcome) {
	for i, line := range o.stdout {
		if list, ok := strings.CutPrefix(line, "ciphers "); ok {
			names := strings.Split(list, ",")
			slices.Sort(names)
			o.stdout[i] = "ciphers " + strings.Join(names, ",")
		}
	}
}

func isQuiet(line string) bool { return line == "loglevel SILENT" || line == "loglevel QUIET" }

var algorithmKeywords = []string{"ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "casignaturealgorithms",
	"hostbasedacceptedalgorithms", "pubkeyacceptedalgorithms"}

var unsupported = []string{"aes192-cbc", "aes256-cbc",
	"hmac-md5", "hmac-md5-96", "umac-64@openssh.com", "umac-128@openssh.com",
	"hmac-sha1-etm@openssh.com", "hmac-sha1-96-etm@openssh.com", "hmac-md5-etm@openssh.com", "hmac-md5-96-etm@openssh.com",
	"umac-64-etm@openssh.com", "umac-128-etm@openssh.com",
	"diffie-hellman-group18-sha512", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com",
	"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
	"ssh-mldsa44-ed25519@openssh.com", "ssh-mldsa44-ed25519-cert-v01@openssh.com", "mlkem768nistp256-sha256"}

// filterLists takes names off the lists of algorithms. A list that loses its
// last name becomes "nothing-left".
func filterLists(o *outcome, names []string) {
	for i, line := range o.stdout {
		name, list, _ := strings.Cut(line, " ")
		if !slices.Contains(algorithmKeywords, name) {
			continue
		}
		kept := slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return slices.Contains(names, s) })
		if list == "" || len(kept) == 0 {
			kept = []string{"nothing-left"}
		}
		o.stdout[i] = name + " " + strings.Join(kept, ",")
	}
}

// replaceBoth makes two lines the same if ssh has one where we have the other.
func replaceBoth(ssh, ours *outcome, sshLine, ourLine string) {
	if i := slices.Index(ssh.stdout, sshLine); i >= 0 && slices.Contains(ours.stdout, ourLine) {
		ssh.stdout[i] = ourLine
	}
}

// explain compares two outcomes keyword by keyword and returns what differs.
func explain(ssh, ours outcome) string {
	var out strings.Builder
	if ssh.exit != ours.exit {
		fmt.Fprintf(&out, "exit: ssh %d, ours %d\n", ssh.exit, ours.exit)
	}
	diffLines(&out, "stderr", ssh.stderr, ours.stderr)
	diffLines(&out, "stdout", ssh.stdout, ours.stdout)
	return out.String()
}

func diffLines(out *strings.Builder, what string, a, b []string) {
	if slices.Equal(a, b) {
		return
	}
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	for _, line := range a {
		fmt.Fprintf(out, "%s: ssh  %q\n", what, line)
	}
	for _, line := range b {
		fmt.Fprintf(out, "%s: ours %q\n", what, line)
	}
}

// compare returns what differs between two outcomes beyond what is allowed.
func compare(allowed []difference, ssh, ours outcome) string {
	ssh.stdout, ssh.stderr = slices.Clone(ssh.stdout), slices.Clone(ssh.stderr)
	for _, d := range allowed {
		d.apply(&ssh, &ours)
	}
	return explain(ssh, ours)
}

func (r reference) run(args []string, _ string) (string, string, int) { return runG(r.path, args) }

// runG runs a program with the arguments of ssh.
func runG(path string, args []string) (string, string, int) {
	cmd := exec.Command(path, args...)
	cmd.Env = testEnv
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err.Error(), -1
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// viaPackage is this package behind the option parsing of ssh(1).
func viaPackage(args []string, home string) (string, string, int) {
	var stdout, stderr strings.Builder
	opts := sshconfig.Options{
		Home: home, DumpOnly: true, Getenv: testGetenv, GosshFile: "none", Stderr: &stderr,
		Warn: func(p sshconfig.Problem) { fmt.Fprintln(&stderr, p.Text) },
	}
	host, ok := parseArgs(args, &opts)
	if !ok {
		return "", "usage: ", 255
	}
	cfg, err := sshconfig.Load(context.Background(), host, opts)
	if err == nil {
		err = cfg.Dump(&stdout)
	}
	var bad *sshconfig.Error
	switch {
	case errors.As(err, &bad):
		for _, line := range bad.Lines() {
			fmt.Fprintln(&stderr, line)
		}
		if bad.Usage {
			fmt.Fprintln(&stderr, "usage: ")
		}
		return "", stderr.String(), 255
	case err != nil:
		return "", err.Error(), 255
	}
	return stdout.String(), stderr.String(), 0
}

func testGetenv(name string) (string, bool) {
	for _, e := range testEnv {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// parseArgs is getopt(3) with ssh's letters: options, a destination, options
// again, and a command.
func parseArgs(args []string, opts *sshconfig.Options) (host string, ok bool) {
	const withValue = "bceilmopBDEFIJLOPQRSwW"
	for pass := 0; ; pass++ {
		for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
			cluster := args[0][1:]
			args = args[1:]
			for cluster != "" {
				letter := cluster[0]
				cluster = cluster[1:]
				value := ""
				if strings.IndexByte(withValue, letter) >= 0 {
					if cluster == "" {
						if len(args) == 0 {
							return "", false
						}
						cluster, args = args[0], args[1:]
					}
					value, cluster = cluster, ""
				}
				switch letter {
				case 'F':
					opts.UserFile = value
				case 'G':
				default:
					opts.CommandLine = append(opts.CommandLine, sshconfig.Flag(letter, value))
				}
			}
		}
		if pass > 0 {
			opts.Command = strings.Join(args, " ")
			return host, true
		}
		if len(args) == 0 {
			return "", false
		}
		d, err := sshconfig.ParseDestination(args[0])
		if err != nil {
			return "", false
		}
		if d.User != "" {
			opts.CommandLine = append(opts.CommandLine, sshconfig.Flag('l', d.User))
		}
		if d.Port != 0 {
			opts.CommandLine = append(opts.CommandLine, sshconfig.Flag('p', fmt.Sprint(d.Port)))
		}
		host, args = d.Host, args[1:]
	}
}

// TestSameAsSSH compares this package, behind an option parser of the test's,
// and `gossh -G` with `ssh -G` on generated configurations and command lines.
// Each ssh runs once for a case: the processes are what takes the time.
func TestSameAsSSH(t *testing.T) {
	found := references(t)
	gossh := filepath.Join(t.TempDir(), "gossh")
	if out, err := exec.Command("go", "build", "-o", gossh, "../cmd/gossh").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	ours := map[string]program{"package": viaPackage, "program": func(args []string, _ string) (string, string, int) {
		stdout, stderr, status := runG(gossh, args)
		// The name in front of the usage, and of it the first line alone.
		return stdout, strings.Replace(stderr, "usage: gossh", "usage: ssh", 1), status
	}}
	for name, ssh := range found {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sameAs(t, ssh, ours, 5000)
		})
	}
}

func sameAs(t *testing.T, ssh reference, ours map[string]program, cases int) {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case *diffCases != 0:
		cases = *diffCases
	case testing.Short():
		cases /= 10
	}
	base := t.TempDir()
	var next, failures atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(cases) || failures.Load() > 20 {
					return
				}
				seed := *diffSeed + uint64(i)
				g := &generator{r: rand.New(rand.NewPCG(seed, 0)), dir: filepath.Join(base, fmt.Sprint(seed)), ten: ssh.ten}
				c := g.generate()
				if err := c.write(g.dir); err != nil {
					t.Error(err)
					return
				}
				want := run(ssh.run, c.args, u.HomeDir)
				for name, program := range ours {
					if diff := compare(ssh.allowed, want, run(program, c.args, u.HomeDir)); diff != "" {
						failures.Add(1)
						t.Errorf("%s, seed %d:\n%s%s", name, seed, diff, c)
					}
				}
				os.RemoveAll(g.dir)
			}
		})
	}
	wg.Wait()
}
