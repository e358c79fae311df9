package warm_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/stampede-shop/stampede/cache/warm"
)

// Used are those asked for after their turn, late those before; what was loaded and used is a load that nobody waited for.
func TestEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, reg := newShelf(), prometheus.NewPedanticRegistry()
		keys := numbered(100)
		for _, k := range keys[:20] {
			s.held[k] = true
		}
		w := open(t, warm.Options{Predictor: falling(100), Registerer: reg, Window: time.Minute}, s)
		if err := w.Start(warm.Request{Rate: 50}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.Seen("k099")
		w.Count("k098", 3)
		time.Sleep(time.Minute / 2)
		for _, k := range append(keys[:50], "another", "k099", "k000") {
			w.Seen(k)
		}
		if all, _ := w.Effect(); all.Warmed != 0 {
			t.Errorf("judged too early: %+v", all)
		}
		time.Sleep(time.Minute)
		want := warm.Effect{Planned: 100, Warmed: 100, Used: 50, Loads: 80, Avoided: 30, Late: 2}
		if all, last := w.Effect(); all != want || last != want {
			t.Errorf("%+v, want %+v", all, want)
		}
		if want.UseShare() != 0.5 || want.Wasted() != 50 {
			t.Errorf("%v, %v", want.UseShare(), want.Wasted())
		}
		if n, err := testutil.GatherAndCount(reg, "stampede_warm_effect_total"); err != nil || n != 4 {
			t.Errorf("%d, %v", n, err)
		}
		w.Close()
		if n, err := testutil.GatherAndCount(reg); err != nil || n != 0 {
			t.Errorf("closed: %d, %v", n, err)
		}
	})
}

// The amount follows what is used: it falls to where items stop being asked for, rises when all are, and is never beyond its bounds.
func TestAmountFollowsUse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		used      int // of the ranking
		low, high int // where the amount ends
	}{
		"all":    {1000, 1000, 1000},
		"half":   {250, 190, 290},
		"few":    {100, 64, 130},
		"nobody": {0, 64, 64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &memory{}
				o := warm.Options{Predictor: falling(2000), Top: 1000, Window: time.Minute, Store: store}
				w := open(t, o, newShelf())
				for range 8 {
					if _, err := w.Run(t.Context(), warm.Request{}); err != nil {
						t.Fatal(err)
					}
					for _, k := range numbered(c.used) {
						w.Seen(k)
					}
					time.Sleep(time.Minute + time.Second)
				}
				got := w.Tuning()
				if got.Amount < c.low || got.Amount > c.high {
					t.Errorf("amount %d, want %d to %d", got.Amount, c.low, c.high)
				}
				w.Close()
				w = open(t, o, newShelf())
				if _, err := w.Restore(t.Context()); err != nil || w.Tuning() != got {
					t.Errorf("after a restart %+v, before %+v, %v", w.Tuning(), got, err)
				}
			})
		})
	}
}

// The rate rises when items are asked for before their turn, and falls when others needed the room.
func TestRateFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		level := 0.0
		o := warm.Options{Predictor: falling(1000), Top: 1000, Rate: 100, Window: time.Minute,
			Pressure: warm.PressureFunc(func() float64 { return level })}
		w := open(t, o, newShelf())
		begin := w.Tuning()
		if err := w.Start(warm.Request{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, k := range numbered(500) {
			w.Seen(k)
		}
		time.Sleep(2 * time.Minute)
		raised := w.Tuning()
		if begin.Rate != 50 || raised.Rate != 75 {
			t.Errorf("from %v to %v", begin, raised)
		}
		start := time.Now()
		busy := func() float64 { // most of the time
			if time.Since(start)%(4*time.Second) < 3*time.Second {
				return 1
			}
			return 0
		}
		o.Pressure = warm.PressureFunc(busy)
		w = open(t, o, newShelf())
		if _, err := w.Run(t.Context(), warm.Request{}); err != nil {
			t.Fatal(err)
		}
		for _, k := range numbered(500) {
			w.Seen(k)
		}
		time.Sleep(2 * time.Minute)
		if got := w.Tuning(); got.Rate != 37.5 {
			t.Errorf("after pauses %v", got)
		}
	})
}

// Whatever was asked for when, counts fit together and what is learnt is within bounds.
func TestEffectAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		o := warm.Options{Top: rapid.IntRange(1, 400).Draw(rt, "top"), Rate: 1000, Window: time.Second, Predictor: falling(300)}
		seen := rapid.SliceOf(rapid.IntRange(0, 350)).Draw(rt, "seen")
		early := rapid.IntRange(0, len(seen)).Draw(rt, "early")
		keys := numbered(351)
		var e warm.Effect
		var got warm.Tuning
		synctest.Test(t, func(t *testing.T) {
			w := open(t, o, newShelf())
			if err := w.Start(warm.Request{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for _, i := range seen[:early] {
				w.Seen(keys[i])
			}
			time.Sleep(10 * time.Second / 11)
			for _, i := range seen[early:] {
				w.Seen(keys[i])
			}
			time.Sleep(time.Minute)
			e, _ = w.Effect()
			got = w.Tuning()
		})
		if e.Warmed > e.Planned || e.Used > e.Warmed || e.Avoided > e.Loads || e.Avoided > e.Used || e.Loads > e.Warmed || e.Late > e.Planned {
			rt.Fatalf("%+v", e)
		}
		if got.Amount < min(64, o.Top) || got.Amount > o.Top || got.Rate > o.Rate || got.Rate < o.Rate/16 {
			rt.Fatalf("%+v for at most %d", got, o.Top)
		}
	})
}
