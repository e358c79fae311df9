package localtest

import (
	"testing"
	"time"
)

// Eventually waits for check to hold, looking every 10 ms for at most three minutes, as machines that do other things too may need it, and fails the test with what was waited for when it does not.
func Eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(3 * time.Minute); !check(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("timed out: %s", what)
		}
	}
}
