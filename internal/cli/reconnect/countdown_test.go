package reconnect

import (
	"testing"
)

// TestFitted checks that the line is as long as fits.
func TestFitted(t *testing.T) {
	for columns, want := range map[int]string{
		100: "Connection to web-1 lost (closed): attempt 1 in 9 s [~.: end]",
		61:  "web-1 lost (closed): attempt 1 in 9 s [~.: end]",
		45:  "Lost (closed): attempt 1 in 9 s [~.: end]",
		40:  "web-1 lost: attempt 1 in 9 s [~.: end]",
		20:  "Lost: attempt 1 in ",
		1:   "",
		0:   "",
	} {
		if got := fitted(columns, "web-1", "closed", "attempt 1 in 9 s", "~.: end"); got != want {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}
