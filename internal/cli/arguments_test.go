package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestArgumentsLikeSSH compares the messages about wrong arguments with the real
// ssh's, line ends included: ssh prints some of them outside its log.
func TestArgumentsLikeSSH(t *testing.T) {
	needSSH(t)
	t.Chdir(t.TempDir())
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	var cases [][]string
	add := func(args ...string) { cases = append(cases, args) }
	for _, letter := range "bBcDEeFIiJLlmOopQRSWw" {
		add("-" + string(letter))
		add("host", "-v"+string(letter))
	}
	for _, letter := range []byte("dhHjruUz0356789:;?=@\x01\xff") {
		add("-"+string([]byte{letter}), "host")
		add("host", "-v"+string([]byte{letter}))
	}
	for flag, values := range wrongValues {
		for value := range strings.SplitSeq(values, "|") {
			add(flag, value, "host")
		}
	}
	for _, args := range wrongTogether {
		add(strings.Split(args, "|")...)
	}
	for _, args := range cases {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			all := append([]string{"-F", "none", "-G"}, args...)
			got, want := runMain(t, "ssh", all...), runSSH(t, all...)
			if got.status != want.status {
				t.Errorf("status %d, want %d", got.status, want.status)
			}
			if got, want := comparableText(got.stderr), comparableText(want.stderr); got != want {
				t.Errorf("said %q, want %q", got, want)
			}
		})
	}
	if left, _ := filepath.Glob("*"); len(left) != 2 { // the folder and log
		t.Errorf("left behind: %q", left)
	}
}

// wrongValues are values of each flag that ssh refuses, and similar ones that it
// accepts.
var wrongValues = map[string]string{
	"-p": "0|-1|65536|abc||22x| 22|+22|0x16|999999999999|1.5",
	"-l": "|-x|a;b|a'b|a b|a -b|$x|a\nb|@|a\\b|a\\",
	"-e": "|ab|^|^^|^?|^ab|none|None|\xc3\xa9|^\xff",
	"-c": "|x|none|aes128-ctr,x|+x|-x|^x|-aes*|blowfish-cbc|+|^",
	"-m": "|x|none|hmac-sha2-256,x|+x|-x|^x",
	"-D": "|x|0|65536|-1|a:b|a:1:2|a:1:2:3|[::1:1|::1:1|1:|::|/x:1|1 2|*:|[::1]|[::1]:",
	"-L": "|x|0|1|1:2|1:a|1:a:|1:a:b|1:a:0|1:a:65536|0:a:1|-1:a:1|a:1:b:2:3|1::2|:1:a:2|1:[::1:2|1:::1:2|/x|/x:/y|/x:a|/x:a:1:2|a:x:/y|65536:a:1|1:a:1 x|a b:1|x:a:1",
	"-R": "|x|1:2|1:a|1:a:|1:a:b|1:a:0|1:a:65536|-1:a:1|a:1:b:2:3|1:[::1:2|1:::1:2|/x:a|/x:a:1:2|a:x:/y|65536:a:1|1:a:1 x|x:a:1",
	"-W": "|x|a:b|a:0|a:65536|a:1:2|a:|[::1:1",
	"-w": "|x|1:x|any:any:any|-1|1:2:3|2147483648|:|:1|1:|any:|x:any",
	"-O": "|bogus|Check|check |chec",
	"-J": "|@|a,|a,,b|,|u@|@a|a:0|a:x|a:65536|ssh://|ssh://a:x|ssh://a/b|[::1|-x|a;b|a:1:2|$x",
	"-i": "|missing|none|~/missing|folder",
	"-F": "|missing|-",
	"-E": "|missing/log|folder",
	"-Q": "|x|HELP|Cipher|key-|mac |port|user",
	"-o": "|Bogus|Bogus=|Bogus=1|=|=1| |Port|Port=|Port |Port=1 2|\"Port=1|Port=\"1|#x|User=|LogLevel=x|StrictHostKeyChecking=maybe|" +
		"ConnectTimeout=-1|RekeyLimit=1|AddressFamily=x|IPQoS=x|ControlPersist=x|Ciphers=x|EscapeChar=ab|SetEnv=x|Tunnel=x|" +
		"LocalForward=1|LocalForward=x y|RemoteForward=|DynamicForward=x|ProxyJump=@|Protocol=1|Cipher=x|RSAAuthentication=yes|UseRoaming=yes",
	"--": "-host||@|u@|@h|a b|a;b|a`b|$h|a\nb|h\xff|a\"b|a'b|a|b|ssh://|ssh:///|ssh://h:x|ssh://h:0|ssh://h:65536|ssh://h/x|ssh://@h|ssh://%zz@h|ssh://[::1|ssh://h:1:2|ssh://u'@h|ssh://h:-1",
}

// wrongTogether are flags that contradict each other, and command lines with more
// than one mistake, of which the first is reported.
var wrongTogether = []string{
	"", "-v", "-4", "-p|0", "-i|missing", "-E|missing/log", "--", "-",
	"-p|0|-U|host", "-U|-p|0|host", "-p|0|-V", "-i|missing|-U", "-p|0|-Q|cipher", "-Q|x|-U", "-U|-Q|x", "-p|0|-O|x|host", "-O|x|-p|0|host",
	"-E|missing/log|-U", "-E|missing/log|-p|0|host", "-E|missing/log|a b", "-E|missing/log|-s|host", "-E|missing/log|-Q|x",
	"-E|log|-p|0|host", "-E|log|-O|x|host", "-E|log|-oBogus=1|host", "-E|log|-s|host", "-E|log|-f|host", "-E|log|-l|a b|host",
	"-y|-E|log|host", "-y|-E|missing/log|host", "-y|-p|0|host", "-y|-oBogus=1|host",
	"-q|-p|0|host", "-q|-O|x|host", "-q|-oBogus=1|host", "-q|-s|host", "-q|-f|host", "-q|-1|host", "-q|-e|xx|host", "-q|-J|@|host",
	"-q|a b", "-q|-i|missing|host", "-oLogLevel=QUIET|-f|host", "-oLogLevel=FATAL|-f|host", "-oLogLevel=ERROR|-oBogus=1|host",
	"-1|host", "-1", "--1|host", "-N|-s|host|x", "-s|-N|host|x", "-s|host", "-f|host", "-f|-N|host", "-n|-f|host",
	"-oSessionType=subsystem|host", "-oSessionType=subsystem|-N|host", "-oSessionType=none|-f|host",
	"-oRemoteCommand=x|host|y", "-oRemoteCommand=x|-s|host", "-oRemoteCommand=x|-s|host|y", "-oRemoteCommand=%z|host",
	"-J|a|-J|b|host", "-J|a|-oProxyJump=b|host", "-J|a|-oProxyCommand=b|host", "-oProxyCommand=b|-J|a|host",
	"-W|a:1|-W|b:1|host", "-W|a:1|-O|check|host", "-O|check|-W|a:1|host", "-O|check|-O|exit|host", "-W|a:1|-t|host", "-W|a:1|-s|host|x",
	"-O|check|-L|x|host", "-O|proxy|host", "-S|%|host", "-S|%z|host", "-oIdentityAgent=%z|host", "-oUserKnownHostsFile=%z|host",
	"-oControlPath=${GOSSH_TEST_UNSET}|host", "-oForwardAgent=$GOSSH_TEST_UNSET|host", "-oLocalForward=/tmp/%z a:1|host",
}
