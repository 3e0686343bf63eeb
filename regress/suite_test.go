//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWithoutPAM: the line of Debian's driver goes, and nothing else.
func TestWithoutPAM(t *testing.T) {
	driver := filepath.Join(t.TempDir(), "test-exec.sh")
	for text, want := range map[string]string{
		"cat <<EOF\n\tSubsystem\tsftp\n\tUsePAM\t\t\tyes\nEOF\n": "cat <<EOF\n\tSubsystem\tsftp\n\tUsePAM no\nEOF\n",
		"\t#UsePAM yes\n\techo UsePAM yes\n":                     "\t#UsePAM yes\n\techo UsePAM yes\n",
	} {
		if err := os.WriteFile(driver, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := withoutPAM(driver); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(driver); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestWithoutStartupFiles runs a driver like that of the suite after the change.
func TestWithoutStartupFiles(t *testing.T) {
	driver := filepath.Join(t.TempDir(), "test-exec.sh")
	const text = `OBJ=$1
SCRIPT=$2
add() {
	case "$SCP" in
	/*)	PATH_WITH_SCP="/scp:/bin"
		echo "	SetEnv PATH='$PATH_WITH_SCP'" >>$OBJ/sshd_config
		echo "	SetEnv PATH='$PATH_WITH_SCP'" >>$OBJ/sshd_proxy ;;
	esac
}
cat << EOF > $OBJ/sshd_config
	StrictModes		no
EOF
cp $OBJ/sshd_config $OBJ/sshd_proxy
[ -z "$SCP" ] || add
`
	if err := os.WriteFile(driver, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := withoutStartupFiles(driver); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ script, scp, want string }{
		{"/s/connect.sh", "", "\tSetEnv HOME='OBJ/home'\n"},
		{"/s/envpass.sh", "", ""},
		{"/s/scp.sh", "/bin/scp", "\tSetEnv PATH='/scp:/bin' HOME='OBJ/home'\n"},
	} {
		obj := t.TempDir()
		cmd := exec.Command("sh", driver, obj, c.script)
		cmd.Env = append(os.Environ(), "SCP="+c.scp)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, name := range []string{"sshd_config", "sshd_proxy"} {
			got, err := os.ReadFile(filepath.Join(obj, name))
			if err != nil {
				t.Fatal(err)
			}
			if want := "\tStrictModes\t\tno\n" + strings.ReplaceAll(c.want, "OBJ", obj); string(got) != want {
				t.Errorf("%s: %s is %q, want %q", c.script, name, got, want)
			}
		}
	}
	if err := os.WriteFile(driver, []byte("nothing\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := withoutStartupFiles(driver); err == nil {
		t.Error("no error for another driver")
	}
}
