package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const pkgA, pkgB = `"Package":"example.org/a"`, `"Package":"example.org/b"`
	events := []string{
		`{"Action":"start",` + pkgA + `}`,
		`{"Action":"run",` + pkgA + `,"Test":"TestGood"}`,
		`{"Action":"output",` + pkgA + `,"Test":"TestGood","Output":"=== RUN   TestGood\n"}`,
		`{"Action":"output",` + pkgA + `,"Test":"TestGood","Output":"    a_test.go:1: a log\n"}`,
		`{"Action":"pass",` + pkgA + `,"Test":"TestGood"}`,
		`{"Action":"output",` + pkgA + `,"Test":"TestBad/one","Output":"=== RUN   TestBad/one\n"}`,
		`{"Action":"output",` + pkgB + `,"Test":"TestNeedy","Output":"    b_test.go:7: a first log\n"}`,
		`{"Action":"output",` + pkgB + `,"Test":"TestNeedy","Output":"    b_test.go:9: SKIPPED: nc is not installed\n"}`,
		`{"Action":"output",` + pkgA + `,"Test":"TestBad/one","Output":"    a_test.go:5: wrong\n"}`,
		`{"Action":"output",` + pkgA + `,"Test":"TestBad/one","Output":"--- FAIL: TestBad/one (0.00s)\n"}`,
		`{"Action":"fail",` + pkgA + `,"Test":"TestBad/one"}`,
		`{"Action":"skip",` + pkgB + `,"Test":"TestNeedy"}`,
		`{"Action":"output",` + pkgB + `,"Test":"TestOther/sub","Output":"    b_test.go:3: nc is not installed\n"}`,
		`{"Action":"skip",` + pkgB + `,"Test":"TestOther/sub"}`,
		`{"Action":"skip",` + pkgB + `,"Test":"TestBare"}`,
		`{"Action":"skip",` + pkgB + `,"Test":"TestMany/one"}`,
		`{"Action":"skip",` + pkgB + `,"Test":"TestMany/two"}`,
		`no event`,
		`{"Action":"build-output","ImportPath":"example.org/c","Output":"c.go:1: undefined: x\n"}`,
		`{"Action":"output",` + pkgB + `,"Test":"TestHung","Output":"panic: test timed out\n"}`,
		`{"Action":"output",` + pkgB + `,"Output":"FAIL\texample.org/b\t2.0s\n"}`,
		`{"Action":"fail",` + pkgB + `}`,
		`{"Action":"output",` + pkgA + `,"Output":"PASS\n"}`,
		`{"Action":"output",` + pkgA + `,"Output":"FAIL\texample.org/a\t1.0s\n"}`,
		`{"Action":"fail",` + pkgA + `}`,
		`{"Action":"output","Package":"example.org/d","Output":"?   \texample.org/d\t[no test files]\n"}`,
		`{"Action":"skip","Package":"example.org/d"}`,
	}
	const want = `no event
c.go:1: undefined: x
panic: test timed out
FAIL	example.org/b	2.0s
    a_test.go:5: wrong
--- FAIL: TestBad/one (0.00s)
FAIL	example.org/a	1.0s
?   	example.org/d	[no test files]
5 skipped:
  no reason given
    example.org/b TestBare
    example.org/b TestMany (2 subtests)
  nc is not installed
    example.org/b TestNeedy
    example.org/b TestOther/sub
`
	var out bytes.Buffer
	r := newReport(&out)
	if err := r.read(strings.NewReader(strings.Join(events, "\n") + "\n")); err != nil {
		t.Fatal(err)
	}
	r.printSkipped()
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestReportWithoutSkips(t *testing.T) {
	var out bytes.Buffer
	newReport(&out).printSkipped()
	if out.String() != "no test was skipped\n" {
		t.Errorf("got %q", &out)
	}
}

// TestRun runs the program over a module with one test of each kind.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "testreport.exe")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, text := range map[string]string{
		"go.mod":          "module example.org/m\n",
		"a/a_test.go":     "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { t.Log(\"quiet\") }\n\nfunc TestB(t *testing.T) { t.Skip(\"no B\") }\n",
		"bad/bad_test.go": "package bad\n\nimport \"testing\"\n\nfunc TestC(t *testing.T) { t.Error(\"loud\") }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		pkg    string
		status int
		want   string
	}{
		{"./a", 0, `^ok  \texample.org/m/a\t[0-9.]+s\n1 skipped:\n  no B\n    example.org/m/a TestB\n$`},
		{"./bad", 1, `^    bad_test.go:5: loud\n--- FAIL: TestC \([0-9.]+s\)\nFAIL\nFAIL\texample.org/m/bad\t[0-9.]+s\nno test was skipped\n$`},
	} {
		cmd := exec.Command(program, "-count=1", c.pkg)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		out, _ := cmd.Output()
		if cmd.ProcessState.ExitCode() != c.status || !regexp.MustCompile(c.want).Match(out) {
			t.Errorf("%s: status %d, output\n%s", c.pkg, cmd.ProcessState.ExitCode(), out)
		}
	}
}
