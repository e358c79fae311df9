package warm_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
)

// Each window is counted once, by each who hears of it; a source that began anew is noticed.
func TestTallyIsHeardOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, two := open(t, warm.Options{}, newShelf()), open(t, warm.Options{}, newShelf())
		rate := func(w *warm.Warmer, key string) float64 {
			all, err := w.Popularity().Predict(t.Context(), time.Now(), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range all {
				if d.Key == key {
					return d.Rate * 60 // the least that a rate is of
				}
			}
			return 0
		}
		tally := warm.NewTally(100, 30*time.Second, 1)
		if !one.Hear("edge", tally.Report()) || one.Hear("edge", tally.Report()) {
			t.Error("a new source is new once")
		}
		for range 10 {
			if !tally.Sampled() {
				t.Fatal("every one is sampled")
			}
			tally.Add("/products/1")
		}
		one.Hear("edge", tally.Report())
		if got := rate(one, "/products/1"); got != 0 {
			t.Errorf("the window is not over, and yet %v", got)
		}
		time.Sleep(30 * time.Second)
		for range 5 {
			for _, w := range []*warm.Warmer{one, two} {
				if anew := w.Hear("edge", tally.Report()); anew && w == one {
					t.Error("known, and yet new")
				}
			}
			time.Sleep(5 * time.Second)
		}
		for _, w := range []*warm.Warmer{one, two} {
			if got := rate(w, "/products/1"); got < 9.8 || got > 10.1 {
				t.Errorf("counted %v times, want 10", got)
			}
		}
		time.Sleep(time.Hour)
		if r := tally.Report(); len(r.Keys) != 0 {
			t.Errorf("of an hour ago: %v", r)
		}
		if !one.Hear("edge", warm.NewTally(100, 30*time.Second, 1).Report()) {
			t.Error("it began anew, and nobody notices")
		}
	})
}

// A sample stands for all.
func TestTallySamples(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tally := warm.NewTally(10, time.Minute, 8)
		for range 80_000 {
			if tally.Sampled() {
				tally.Add("/")
			}
		}
		time.Sleep(time.Minute)
		if r := tally.Report(); len(r.Keys) != 1 || r.Keys[0].Count < 75_000 || r.Keys[0].Count > 85_000 {
			t.Errorf("%+v", r)
		}
	})
}

func BenchmarkTally(b *testing.B) {
	tally := warm.NewTally(4096, time.Minute, 8)
	keys := numbered(2000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if tally.Sampled() {
			tally.Add(keys[i%2000])
		}
	}
}
