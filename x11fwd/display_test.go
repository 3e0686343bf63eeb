package x11fwd

import (
	"errors"
	"runtime"
	"testing"
)

func TestParseDisplay(t *testing.T) {
	for _, c := range []struct {
		name, host string
		number     int
		screen     uint32
		reason     string
	}{
		{":0", "", 0, 0, ""},
		{":10.2", "", 10, 2, ""},
		{"::3", "", 3, 0, ""},
		{"unix:7.1", "", 7, 1, ""},
		{"localhost:10.0", "localhost", 10, 0, ""},
		{"192.0.2.1:1.400", "192.0.2.1", 1, 400, ""},
		{"my-host.example_x:2.401", "my-host.example_x", 2, 0, ""},
		{":0.x", "", 0, 0, ""},
		{"foo", "", 0, 0, "no colon"},
		{":", "", 0, 0, "bad number"},
		{":x", "", 0, 0, "bad number"},
		{":-1", "", 0, 0, "bad number"},
		{":59536", "", 0, 0, "bad number"},
		{":99999999999999999999", "", 0, 0, "bad number"},
		{":0;reboot", "", 0, 0, "invalid character"},
		{":0 ", "", 0, 0, "invalid character"},
		{"$(id):0", "", 0, 0, "invalid character"},
		{"[::1]:0", "", 0, 0, "invalid character"},
		{"-f:0", "", 0, 0, "invalid character"},
		{"é:0", "", 0, 0, "invalid character"},
	} {
		d, err := parseDisplay(c.name)
		var bad *DisplayError
		if c.reason != "" {
			if !errors.As(err, &bad) || bad.Reason != c.reason || bad.Display != c.name {
				t.Errorf("%q: %v, want %s", c.name, err, c.reason)
			}
			continue
		}
		if err != nil || d.host != c.host || d.number != c.number || d.screen != c.screen {
			t.Errorf("%q: %+v, %v", c.name, d, err)
		}
	}
	if _, err := parseDisplay(""); err != ErrNoDisplay {
		t.Errorf("no display: %v", err)
	}
}

func TestEndpoints(t *testing.T) {
	local := []endpoint{{"unix", "/tmp/.X11-unix/X12"}}
	if runtime.GOOS == "linux" {
		local = append([]endpoint{{"unix", "@/tmp/.X11-unix/X12"}}, local...)
	}
	for name, want := range map[string][]endpoint{
		":12":              local,
		"unix:12.1":        local,
		"localhost:12":     {{"tcp", "localhost:6012"}},
		"192.0.2.1:0.0":    {{"tcp", "192.0.2.1:6000"}},
		"h.example.org:9.": {{"tcp", "h.example.org:6009"}},
	} {
		d, err := parseDisplay(name)
		got := d.endpoints()
		if err != nil || len(got) != len(want) {
			t.Errorf("%q: %v, %v", name, got, err)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: %v, want %v", name, got, want)
			}
		}
	}
	for name, want := range map[string]string{"localhost:10.0": "unix:10.0", ":3": ":3", "far:1": "far:1"} {
		if d, _ := parseDisplay(name); d.xauthName() != want {
			t.Errorf("xauth knows %q as %q, want %q", name, d.xauthName(), want)
		}
	}
}
