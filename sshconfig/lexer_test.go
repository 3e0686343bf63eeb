package sshconfig

import (
	"slices"
	"testing"
)

func TestSplitKeyword(t *testing.T) {
	for _, tt := range []struct {
		line, keyword, rest string
		ok                  bool
	}{
		{"Port 22", "port", "22", true},
		{"Port=22", "port", "22", true},
		{"Port = 22", "port", "22", true},
		{"Port  =  22", "port", "22", true},
		{"Port==22", "port", "=22", true},
		{"\t Port\t22 ", "port", "22", true},
		{`"Port" 22`, "port", "22", true},
		{`"Port"22`, "port", "22", true},
		{`Po"r"t 22`, "por", "t 22", true},
		{`Port"22"`, "port22", "", true},
		{"PORT 22\r", "port", "22", true},
		{"Port", "port", "", true},
		{"Port 22 \f\r\n", "port", "22", true},
		{"Port\x00 22", "port", "", true},
		{"Port#22", "port#22", "", true},
		{"", "", "", false},
		{"   ", "", "", false},
		{"# Port 22", "", "", false},
		{"  # Port 22", "", "", false},
		{`"Port 22`, "", "", false}, // an open quote silences the line
		{"= Port 22", "port", "22", true},
		{"\f", "\f", "", true}, // only at the end of a line is it white space
	} {
		keyword, rest, ok := splitKeyword(trimLine(tt.line))
		if keyword != tt.keyword || rest != tt.rest || ok != tt.ok {
			t.Errorf("splitKeyword(%q) = %q, %q, %v, want %q, %q, %v", tt.line, keyword, rest, ok, tt.keyword, tt.rest, tt.ok)
		}
	}
}

func TestSplitArgs(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
		ok   bool
	}{
		{"", nil, true},
		{"a", []string{"a"}, true},
		{"a b\tc", []string{"a", "b", "c"}, true},
		{`"a b" c`, []string{"a b", "c"}, true},
		{`'a b' c`, []string{"a b", "c"}, true},
		{`a"b c"d`, []string{"ab cd"}, true},
		{`"a'b" 'c"d'`, []string{"a'b", `c"d`}, true},
		{`a\ b`, []string{"a b"}, true},
		{`"a\ b"`, []string{`a\ b`}, true},
		{`"a\"b"`, []string{`a"b`}, true},
		{`a\\b`, []string{`a\b`}, true},
		{`a\nb`, []string{`a\nb`}, true},
		{`a\`, []string{`a\`}, true},
		{`""`, []string{""}, true},
		{`"" ''`, []string{"", ""}, true},
		{"a # b", []string{"a"}, true},
		{"a#b", []string{"a#b"}, true},
		{`a "#b"`, []string{"a", "#b"}, true},
		{"a\rb", []string{"a\rb"}, true},
		{`"a`, nil, false},
		{`a'`, nil, false},
		{`a # 'b`, []string{"a"}, true},
	} {
		got, ok := splitArgs(tt.in, true)
		if !slices.Equal(got, tt.want) || ok != tt.ok {
			t.Errorf("splitArgs(%q) = %q, %v, want %q, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
	if got, _ := splitArgs("a # b", false); len(got) != 3 {
		t.Errorf("without comments: %q", got)
	}
}

func TestScanner(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"host a exec b", []string{"host", "a", "exec", "b"}},
		{"host=a user = b", []string{"host", "a", "user", "b"}},
		{`exec "a \"b" c`, []string{"exec", `a \`}}, // no escapes, and then an open quote
		{`host "a b"c d`, []string{"host", "a b", "c", "d"}},
		{`"`, nil},
		{"a", []string{"a"}},
		{"a ", []string{"a", ""}},
	} {
		s := scanner{rest: tt.in}
		var got []string
		for {
			word, ok := s.next()
			if !ok {
				break
			}
			got = append(got, word)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}
