package localtest

import (
	"os"
	"testing"
	"time"
)

// Soaking is for how long a long test goes on; 0 in `make test`, where it is to be short. `make soak` sets STAMPEDE_SOAK, and
// STAMPEDE_SOAK_FOR tells how long.
func Soaking(t testing.TB) time.Duration {
	t.Helper()
	if os.Getenv("STAMPEDE_SOAK") == "" {
		return 0
	}
	text := os.Getenv("STAMPEDE_SOAK_FOR")
	if text == "" {
		return 10 * time.Minute
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("STAMPEDE_SOAK_FOR=%s: %v", text, err)
	}
	return d
}

// Rounds runs a test so many times, or as long as it is to soak, and no further once it has failed; each run has its number.
func Rounds(t testing.TB, short int, run func(round int)) {
	t.Helper()
	long, began := Soaking(t), time.Now()
	n := 0
	for ; (n < short || time.Since(began) < long) && !t.Failed(); n++ {
		run(n)
	}
	t.Logf("%d rounds in %v", n, time.Since(began).Round(time.Millisecond))
}
