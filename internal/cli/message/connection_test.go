package message

import (
	"testing"
	"time"
)

func TestScaled(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0B", 1: "1B", 1023: "1023B", 1024: "1.0K", 3163: "3.1K", 1536: "1.5K", 10 * 1024: "10.0K",
		102400: "100K", 1048575: "1024K", 1 << 20: "1.0M", 5<<30 + 1<<29: "5.5G", 1 << 60: "1.0E",
	} {
		if got := scaled(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestTimeframe(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "00:00:00", 59 * time.Second: "00:00:59", 3723 * time.Second: "01:02:03",
		25*time.Hour + 5*time.Minute: "1d01h05m", 15*24*time.Hour + 2*time.Hour: "02w1d02h",
	} {
		if got := timeframe(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
