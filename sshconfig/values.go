package sshconfig

import (
	"math"
	"net"
	"strconv"
	"strings"
)

// cSpace is what isspace(3) takes for white space.
const cSpace = " \t\n\v\f\r"

// strtol reads the integer at the start of s as C's function does: white
// space, a sign, and for base 0 the prefixes 0 and 0x. It returns the number,
// limited to 64 bits, and what follows it; ok is false if there is no number.
func strtol(s string, base int) (n int64, rest string, ok bool) {
	t := strings.TrimLeft(s, cSpace)
	neg := strings.HasPrefix(t, "-")
	if neg || strings.HasPrefix(t, "+") {
		t = t[1:]
	}
	if base == 0 {
		base = 10
		if strings.HasPrefix(t, "0") {
			base = 8
			if len(t) > 2 && (t[1] == 'x' || t[1] == 'X') && digit(t[2]) < 16 {
				base, t = 16, t[2:]
			}
		}
	}
	i := 0
	for ; i < len(t) && digit(t[i]) < base; i++ {
		if d := int64(digit(t[i])); n > (math.MaxInt64-d)/int64(base) {
			n = math.MaxInt64
		} else {
			n = n*int64(base) + d
		}
	}
	if i == 0 {
		return 0, s, false
	}
	if neg {
		n = -n
	}
	return n, t[i:], true
}

// digit returns the value of c as a digit, or 99.
func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'Z':
		return int(c-'A') + 10
	}
	return 99
}

// strtonum reads a decimal number from min to max that fills s. problem is the
// word that OpenBSD's function explains a failure with.
func strtonum(s string, min, max int64) (n int64, problem string) {
	n, rest, ok := strtol(s, 10)
	switch {
	case !ok || rest != "":
		return 0, "invalid"
	case n < min:
		return 0, "too small"
	case n > max:
		return 0, "too large"
	}
	return n, ""
}

// parseInt reads the argument of a keyword that takes an integer.
func parseInt(s string) (n int64, problem string) {
	if s == "" {
		return 0, "missing"
	}
	return strtonum(s, 0, math.MaxInt32)
}

// parseTime reads a time format of sshd_config(5), such as 90, 1h30m or 2w,
// in seconds; ok is false also for more than 2147483647. Seconds may have a
// fraction, which is dropped, and be named once.
func parseTime(s string) (seconds int64, ok bool) {
	if s == "" {
		return 0, false
	}
	var total float64
	seen := false
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if n < 0 {
			n = len(s)
		}
		number, letter := s[:n], ""
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, false
		}
		if n < len(s) {
			letter = lowerASCII(s[n : n+1])
			n++
		}
		unit := timeUnit(letter)
		inSeconds := letter == "" || letter == "s"
		fraction := strings.Contains(number, ".")
		if unit == 0 || inSeconds && seen || fraction && (!inSeconds || number[len(number)-1] == '.') {
			return 0, false
		}
		seen = seen || inSeconds
		total += value * unit
		s = s[n:]
	}
	if total > math.MaxInt32 {
		return 0, false
	}
	return int64(total), true
}

// timeUnit returns the seconds of a letter, 0 for one that has no meaning.
func timeUnit(letter string) float64 {
	switch letter {
	case "", "s":
		return 1
	case "m":
		return 60
	case "h":
		return 60 * 60
	case "d":
		return 24 * 60 * 60
	case "w":
		return 7 * 24 * 60 * 60
	}
	return 0
}

// parsePort reads a port from 0 to 65535 or the name of a TCP service; ok is
// false for anything else.
func parsePort(s string) (port int, ok bool) {
	if n, problem := strtonum(s, 0, 65535); problem == "" {
		return int(n), true
	}
	// A name that cannot be one is not worth reading the system's list for.
	if s == "" || strings.ContainsAny(s, cSpace+"+") || '0' <= s[0] && s[0] <= '9' || lowerASCII(s) != s {
		return 0, false
	}
	n, err := net.LookupPort("tcp", s)
	return n, err == nil
}

// tunAny is the number that "any" stands for in a TunnelDevice.
const tunAny = math.MaxInt32

// parseTun reads local[:remote] of TunnelDevice.
func parseTun(s string) (local, remote int64, ok bool) {
	one := func(s string) (int64, bool) {
		if strings.EqualFold(s, "any") {
			return tunAny, true
		}
		n, problem := strtonum(s, 0, tunAny-2)
		return n, problem == ""
	}
	l, r, both := strings.Cut(s, ":")
	remote = tunAny
	if both {
		if remote, ok = one(r); !ok {
			return 0, 0, false
		}
	}
	local, ok = one(l)
	return local, remote, ok
}

// parseEscape reads an escape character: a character, ^ and a letter, or none.
func parseEscape(s string) (c int64, ok bool) {
	switch {
	case s == "none":
		return int64(EscapeNone), true
	case len(s) == 1:
		return int64(s[0]), true
	case len(s) == 2 && s[0] == '^' && s[1] >= 64 && s[1] < 128:
		return int64(s[1] & 31), true
	}
	return 0, false
}

// parseScaled reads a number with an optional scale (B, K, M, G, T, P or E), as
// scan_scaled(3) does. problem is the text of errno.
func parseScaled(s string) (n int64, problem string) {
	const invalid, tooLarge = "Invalid argument", "Numerical result out of range"
	s = strings.TrimLeft(s, cSpace)
	neg := strings.HasPrefix(s, "-")
	if neg || strings.HasPrefix(s, "+") {
		s = s[1:]
		if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
			return 0, invalid
		}
	}
	end := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(s)
	}
	number, scale := s[:end], s[end:]
	whole, fraction, _ := strings.Cut(number, ".")
	if strings.Contains(fraction, ".") {
		return 0, invalid
	}
	if len(whole) >= maxScaledDigits {
		return 0, tooLarge
	}
	if whole != "" {
		var err error
		if n, err = strconv.ParseInt(whole, 10, 64); err != nil {
			return 0, tooLarge
		}
	}
	// Without a scale, a fraction of a byte is dropped.
	if scale != "" {
		var problem string
		if n, problem = scaleBy(n, fraction, scale); problem != "" {
			return 0, problem
		}
	}
	if neg {
		n = -n
	}
	return n, ""
}

// maxScaledDigits is the number of digits from which scan_scaled gives up.
const maxScaledDigits = 7 * 3

// scaleBy multiplies whole.fraction by the unit that scale begins with.
func scaleBy(whole int64, fraction, scale string) (int64, string) {
	power := strings.IndexByte("BKMGTPE", scale[0]&^0x20)
	if power < 0 || scale[0] < 'A' || len(scale) > 1 && digit(scale[1]) < 99 {
		return 0, "Invalid argument"
	}
	factor := int64(1) << (10 * power)
	if whole > math.MaxInt64/factor {
		return 0, "Numerical result out of range"
	}
	// The fraction is cut, not rounded, until it cannot overflow.
	if len(fraction) > maxScaledDigits-2 {
		fraction = fraction[:maxScaledDigits-2]
	}
	f, err := strconv.ParseInt("0"+fraction, 10, 64)
	if err != nil {
		return 0, "Numerical result out of range"
	}
	digits := len(fraction)
	for f >= math.MaxInt64/factor {
		f /= 10
		digits--
	}
	f *= factor
	for range digits {
		f /= 10
	}
	return whole*factor + f, ""
}

// wordSet names one of the tables of words that a keyword may take.
type wordSet uint8

const (
	wordsFlag wordSet = iota
	wordsAddressFamily
	wordsAgentAdd
	wordsCanonicalize
	wordsCompression
	wordsControlMaster
	wordsMuxAgent
	wordsPubkey
	wordsReconnect
	wordsRequestTTY
	wordsSessionType
	wordsStrict
	wordsTransport
	wordsTunnel
	wordsWarnWeak
	wordsYesNoAsk
	numWordSets
)

// word is what may be written and the constant it stands for. The order
// matters: -G prints the first word of a constant, which is why it says "true"
// for some keywords where the manual says "yes".
type word struct{ text, value string }

// wordTable is read only.
var wordTable = [numWordSets][]word{
	wordsFlag:          {{"yes", "yes"}, {"no", "no"}, {"true", "yes"}, {"false", "no"}},
	wordsAddressFamily: {{"inet", "inet"}, {"inet6", "inet6"}, {"any", "any"}},
	wordsAgentAdd:      {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"ask", "ask"}, {"confirm", "confirm"}},
	wordsCanonicalize:  {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"always", "always"}},
	wordsCompression:   {{"yes", "yes"}, {"no", "no"}},
	wordsControlMaster: {{"true", "yes"}, {"yes", "yes"}, {"false", "no"}, {"no", "no"}, {"auto", "auto"}, {"ask", "ask"}, {"autoask", "autoask"}},
	wordsMuxAgent:      {{"master", "master"}, {"client", "client"}},
	wordsPubkey:        {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"unbound", "unbound"}, {"host-bound", "host-bound"}},
	wordsReconnect:     {{"no", "no"}, {"yes", "yes"}, {"always", "always"}, {"true", "yes"}, {"false", "no"}},
	wordsRequestTTY:    {{"true", "yes"}, {"yes", "yes"}, {"false", "no"}, {"no", "no"}, {"force", "force"}, {"auto", "auto"}},
	wordsSessionType:   {{"none", "none"}, {"subsystem", "subsystem"}, {"default", "default"}},
	wordsStrict:        {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"ask", "ask"}, {"off", "no"}, {"accept-new", "accept-new"}},
	wordsTransport:     {{"x/crypto", "x/crypto"}, {"gossh", "gossh"}},
	wordsTunnel: {{"ethernet", "ethernet"}, {"point-to-point", "point-to-point"}, {"true", "point-to-point"},
		{"yes", "point-to-point"}, {"false", "no"}, {"no", "no"}},
	wordsWarnWeak: {{"yes", "yes"}, {"no", "no"}, {"true", "yes"}, {"false", "no"}, {"no-pq-kex", "no"}},
	wordsYesNoAsk: {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"ask", "ask"}},
}

// lookup returns the constant that text stands for, in any case.
func (w wordSet) lookup(text string) (value string, ok bool) {
	for _, e := range wordTable[w] {
		if strings.EqualFold(e.text, text) {
			return e.value, true
		}
	}
	return "", false
}

// printed returns the word that -G prints for a constant.
func (w wordSet) printed(value string) string {
	for _, e := range wordTable[w] {
		if e.value == value {
			return e.text
		}
	}
	return "UNKNOWN"
}
