package archtest

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestChecker gives the checker small trees with one thing wrong in each.
func TestChecker(t *testing.T) {
	imports := func(pkg string, paths ...string) string {
		text := "package " + pkg + "\n"
		for _, p := range paths {
			text += "import _ \"" + strings.Replace(p, "G/", module+"/", 1) + "\"\n"
		}
		return text
	}
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string // "": nothing is wrong
	}{
		{"down", map[string]string{"client/a.go": imports("client", "G/session")}, ""},
		{"two down", map[string]string{"internal/cli/a.go": imports("cli", "G/session")}, ""},
		{"up", map[string]string{"session/a.go": imports("session", "G/client")}, "session must not import client"},
		{"up, in a test", map[string]string{"session/a_test.go": imports("session", "G/client")}, "session must not import client"},
		{"aside", map[string]string{"session/a.go": imports("session", "G/forward")}, "session must not import forward"},
		{"client to mux", map[string]string{"client/a.go": imports("client", "G/mux", "G/sshconfig")}, ""},
		{"mux to client", map[string]string{"mux/a.go": imports("mux", "G/client")}, "mux must not import client"},
		{"mux to terminal", map[string]string{"mux/a.go": imports("mux", "G/internal/terminal")}, "mux must not import internal/terminal"},
		{"on another platform", map[string]string{"mux/a_windows.go": imports("mux", "G/client")}, "mux must not import client"},
		{"behind a build tag", map[string]string{"mux/a.go": "//go:build plan9\n\n" + imports("mux", "G/client")}, "mux must not import client"},
		{"main", map[string]string{"cmd/gossh/main.go": imports("main", "G/internal/cli")}, ""},
		{"a fat main", map[string]string{"cmd/gossh/main.go": imports("main", "G/client")}, "cmd/gossh must not import client"},
		{"to cli", map[string]string{"client/a_test.go": imports("client", "G/internal/cli")}, "client must not import internal/cli"},
		{"the terminal in mux's harness", map[string]string{"mux/harness_test.go": imports("mux_test", "G/internal/terminal")}, ""},
		{"demo", map[string]string{"internal/cli/demo.go": imports("cli", "G/sshtest")}, ""},
		{"test server elsewhere", map[string]string{"internal/cli/main.go": imports("cli", "G/sshtest")}, "internal/cli must not import sshtest"},
		{"test server in a test", map[string]string{"mux/a_test.go": imports("mux", "G/internal/rawssh")}, ""},
		{"test server upwards", map[string]string{"sshtest/a.go": imports("sshtest", "G/session")}, "sshtest must not import session"},
		{"to the tests", map[string]string{"mux/a_test.go": imports("mux", "G/integration_test")}, "mux must not import integration_test"},
		{"from the tests", map[string]string{"integration_test/a_test.go": imports("integration_test", "G/sshtest/opensshd")}, ""},
		{"own external test", map[string]string{"mux/a_test.go": imports("mux_test", "G/mux")}, ""},
		{"new room", map[string]string{"util/a.go": "package util\n"}, "util: a room without a place"},
		{"testdata", map[string]string{"mux/testdata/x/a.go": imports("x", "G/client")}, ""},
		{"crypto", map[string]string{"mux/a.go": imports("mux", "golang.org/x/crypto/ssh")}, ""},
		{"a new module", map[string]string{"mux/a.go": imports("mux", "github.com/x/y")}, "mux must not import github.com/x/y"},
		{"a module of tests", map[string]string{"mux/a.go": imports("mux", "go.uber.org/goleak")}, "mux must not import go.uber.org/goleak"},
		{"a module of tests in one", map[string]string{"mux/a_test.go": imports("mux", "go.uber.org/goleak")}, ""},

		{"exit in main", map[string]string{"cmd/gossh/main.go": "package main\nimport \"os\"\nfunc main() { os.Exit(1) }\n"}, ""},
		{"exit beside main", map[string]string{"cmd/gossh/main.go": "package main\nimport \"os\"\nfunc run() { os.Exit(1) }\n"}, "os.Exit outside main"},
		{"exit in a room", map[string]string{"mux/a.go": "package mux\nimport \"os\"\nfunc main() { os.Exit(1) }\n"}, "os.Exit outside main"},
		{"log.Fatal", map[string]string{"mux/a.go": "package mux\nimport \"log\"\nfunc f() { log.Fatalf(\"\") }\n"}, "log.Fatalf outside main"},
		{"exit in a test", map[string]string{"mux/a_test.go": "package mux\nimport \"os\"\nfunc f() { os.Exit(1) }\n"}, ""},
		{"init", map[string]string{"mux/a.go": "package mux\nfunc init() {}\n"}, "init"},
		{"a method init", map[string]string{"mux/a.go": "package mux\ntype t int\nfunc (t) init() {}\n"}, ""},

		{"error", map[string]string{"mux/a.go": "package mux\nvar e, f = errors.New(\"\"), fmt.Errorf(\"\")\n"}, ""},
		{"assertion", map[string]string{"mux/a.go": "package mux\nvar _ I = (*T)(nil)\n"}, ""},
		{"embedded", map[string]string{"mux/a.go": "package mux\n\n//go:embed x\nvar text string\n"}, ""},
		{"table", map[string]string{"mux/a.go": "package mux\nvar t = [...]int{1}\n"}, ""},
		{"table of a size", map[string]string{"mux/a.go": "package mux\nvar t = [2]int{1}\n"}, ""},
		{"slice", map[string]string{"mux/a.go": "package mux\nvar t = []int{1}\n"}, "package variable t"},
		{"map", map[string]string{"mux/a.go": "package mux\nvar t = map[int]int{}\n"}, "package variable t"},
		{"counter", map[string]string{"mux/a.go": "package mux\nvar n int\n"}, "package variable n"},
		{"pool", map[string]string{"mux/a.go": "package mux\nvar p = sync.Pool{}\n"}, "package variable p"},
		{"one of two", map[string]string{"mux/a.go": "package mux\nvar (\n\te = errors.New(\"\")\n\tn = 3\n)\n"}, "package variable n"},
		{"local", map[string]string{"mux/a.go": "package mux\nfunc f() { var n int; n = 1; _ = n }\n"}, ""},
		{"in a test", map[string]string{"mux/a_test.go": "package mux\nvar n int\n"}, ""},
		{"written", map[string]string{"mux/a.go": "package mux\nvar t = [...]int{1}\n", "mux/b.go": "package mux\nfunc f() { t[0] = 2 }\n"}, "b.go:2: t is written"},
		{"counted", map[string]string{"mux/a.go": "package mux\nvar t = [...]int{1}\nfunc f() { t[0]++ }\n"}, "t is written"},
		{"address", map[string]string{"mux/a.go": "package mux\nvar t = [...]int{1}\nfunc f() *int { return &t[0] }\n"}, "t is written"},
		{"row", map[string]string{"mux/a.go": "package mux\nvar t = [...]struct{ x int }{{1}}\nfunc f() int { r := &t[0]; return r.x }\n"}, ""},
		{"row written", map[string]string{"mux/a.go": "package mux\nvar t = [...]struct{ x int }{{1}}\nfunc f() { r := &t[0]; r.x = 2 }\n"}, "r is written"},
		{"error replaced", map[string]string{"mux/a.go": "package mux\nvar e = errors.New(\"\")\nfunc f() { e = nil }\n"}, "e is written"},
		{"read", map[string]string{"mux/a.go": "package mux\nvar t = [...]int{1}\nfunc f() int { return t[0] }\n"}, ""},

		{"long", map[string]string{"mux/a.go": "package mux\n" + strings.Repeat("\n", maxLines)}, "501 lines"},
		{"long enough", map[string]string{"mux/a.go": "package mux\n" + strings.Repeat("\n", maxLines-1)}, ""},
		{"a long test", map[string]string{"mux/a_test.go": "package mux\n" + strings.Repeat("\n", maxLines)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for name, text := range test.files {
				tree[name] = &fstest.MapFile{Data: []byte(text)}
			}
			found, err := check(tree)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && len(found) > 0:
				t.Errorf("found %q", found)
			case test.want != "" && (len(found) != 1 || !strings.Contains(found[0], test.want)):
				t.Errorf("found %q, want %q", found, test.want)
			}
		})
	}
}

// TestCheckerReadsAll: what cannot be read is an error, not a pass.
func TestCheckerReadsAll(t *testing.T) {
	if _, err := check(fstest.MapFS{"mux/a.go": {Data: []byte("package")}}); err == nil {
		t.Error("a file that is no Go passes")
	}
}
