package governor

import (
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is asked for and measured, a knob stays between its least value and the bound in force, and once nobody renews that, between
// its usual ones; pressure turns it down all the same.
func TestBoundsAreLeased(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var p Strain
		k := &Knob{Name: Slots, Now: 8, Low: 1, High: 8, Step: 0.7, Press: Strain.Short, Set: func(float64) {}}
		g := New(slog.New(slog.DiscardHandler), func() Strain { return p }, k)
		now := time.Unix(1_800_000_000, 0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Second)
			p.Free = rapid.SampledFrom([]float64{0, 0.15, 1}).Draw(t, "free")
			if rapid.IntRange(0, 3).Draw(t, "asks") == 0 {
				high := rapid.Float64Range(-1, 20).Draw(t, "high")
				if err := g.bound(BoundRequest{Knob: Slots, High: high, Why: "test"}, now, now.Add(boundLease)); (err == nil) != (high >= 1) {
					t.Fatalf("%v: %v", high, err)
				}
			}
			g.step(now)
			if k.Now < k.Low || k.Now > k.High {
				t.Fatalf("%v of %v to %v", k.Now, k.Low, k.High)
			}
		}
		p.Free = 1
		for range 100 {
			now = now.Add(time.Second)
			g.step(now)
		}
		if k.High != 8 || k.Now != 8 || k.lease != (lease{}) {
			t.Fatalf("nobody renewed it, and it is %v of %v", k.Now, k.High)
		}
	})
}
