package warm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
)

// What is asked for steadily is expected at that rate; what was asked for long ago counts for less.
func TestPopularityForetellsTheNearPast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := warm.NewPopularity(warm.PopularityOptions{HalfLife: time.Minute})
		for range 1000 {
			p.Seen("yesterday's")
		}
		time.Sleep(10 * time.Minute)
		for range 15 * 60 {
			p.Seen("steady")
			p.Seen("steady")
			time.Sleep(time.Second)
		}
		got, err := p.Predict(t.Context(), time.Now(), 10)
		if err != nil || len(got) != 2 || got[0].Key != "steady" || got[0].Rate < 1.95 || got[0].Rate > 2.05 || got[1].Rate > 0.001 {
			t.Errorf("%+v, %v", got, err)
		}
		p.Forget("steady")
		if got, _ := p.Predict(t.Context(), time.Now(), 10); len(got) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// A flood of keys that come once does not hide those that come often.
func TestPopularityIsBounded(t *testing.T) {
	t.Parallel()
	p := warm.NewPopularity(warm.PopularityOptions{Keys: 100, MaxKey: 20})
	for i := range 10_000 {
		p.Count(fmt.Sprint("once ", i), 1)
		p.Count(fmt.Sprint("often ", i%10), 1)
		p.Count(strings.Repeat("long", 10), 1)
	}
	got, err := p.Predict(t.Context(), time.Now(), 10)
	if err != nil || len(got) != 10 || p.Len() != 100 {
		t.Fatalf("%d of %d, %v", len(got), p.Len(), err)
	}
	for _, d := range got {
		if !strings.HasPrefix(d.Key, "often") {
			t.Errorf("%+v", d)
		}
	}
}

// Counts survive a restart, aged by the time in between; what cannot be read changes nothing, and is not overwritten by less.
func TestCountsSurvive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		o := warm.Options{Name: "api-1", Store: store, SaveEvery: time.Minute}
		w := open(t, o, newShelf())
		if had, err := w.Restore(t.Context()); had || err != nil {
			t.Errorf("nothing stored: %v, %v", had, err)
		}
		for range 8 {
			w.Seen("a")
		}
		w.Count("b", 2)
		time.Sleep(time.Minute + time.Second)
		if !store.has("api-1.counts") {
			t.Error("not stored after a minute")
		}
		w.Seen("c")
		w.Close()
		time.Sleep(2 * time.Hour)

		w = open(t, o, newShelf())
		for range 3 {
			w.Seen("c")
		}
		if had, err := w.Restore(t.Context()); !had || err != nil {
			t.Errorf("%v, %v", had, err)
		}
		ranked, err := w.Rank(t.Context(), time.Time{}, 10)
		if err != nil || len(ranked) != 3 || ranked[0].Key != "c" || ranked[1].Key != "a" || ranked[2].Key != "b" {
			t.Errorf("%+v, %v", ranked, err)
		}
		w.Close()

		store.mu.Lock()
		store.docs["api-1.counts"] = []byte("{broken")
		store.mu.Unlock()
		w = open(t, o, newShelf())
		if had, err := w.Restore(t.Context()); had || err == nil {
			t.Errorf("broken: %v, %v", had, err)
		}
		w.Close()
		if string(store.docs["api-1.counts"]) != "{broken" {
			t.Error("nothing known, and what was stored is overwritten")
		}
	})
}

// A rate stays what it was over a restart, however long that took; counts of several processes side by side add up.
func TestRatesSurvive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rate := func(p *warm.Popularity) float64 {
			got, err := p.Predict(t.Context(), time.Now(), 1)
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			return got[0].Rate
		}
		near := func(what string, got, want float64) {
			t.Helper()
			if got < 0.97*want || got > 1.03*want {
				t.Errorf("%s: %v a second, want %v", what, got, want)
			}
		}
		one, two := warm.NewPopularity(warm.PopularityOptions{}), warm.NewPopularity(warm.PopularityOptions{})
		steady := func(minutes, n int, to ...*warm.Popularity) {
			for range minutes * 60 {
				for _, p := range to {
					p.Count("a", float64(n))
				}
				time.Sleep(time.Second)
			}
		}
		steady(10, 1, one, two)
		near("at first", rate(one), 1)
		first, err := one.Encode()
		second, err2 := two.Encode()
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		time.Sleep(3 * time.Hour)
		again, both := warm.NewPopularity(warm.PopularityOptions{}), warm.NewPopularity(warm.PopularityOptions{})
		if err := errors.Join(again.Merge(first), both.Merge(first, second)); err != nil {
			t.Fatal(err)
		}
		near("after a restart", rate(again), 1)
		near("of both", rate(both), 2)
		steady(5, 1, again)
		near("and on", rate(again), 1)
		steady(5*60, 7, again)
		near("and differently", rate(again), 7)
	})
}

// What is stored is bounded, however long keys are: the heaviest stay.
func TestCountsAreBounded(t *testing.T) {
	t.Parallel()
	p := warm.NewPopularity(warm.PopularityOptions{})
	for i := range 4000 {
		p.Count(fmt.Sprintf("%04d %s", i, strings.Repeat("x", 400)), float64(i+1))
	}
	data, err := p.Encode()
	if err != nil || len(data) > 512<<10 || len(data) < 128<<10 {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	q := warm.NewPopularity(warm.PopularityOptions{})
	if err := q.Merge(data); err != nil {
		t.Fatal(err)
	}
	if got, _ := q.Predict(t.Context(), time.Now(), 1); !strings.HasPrefix(got[0].Key, "3999 ") {
		t.Errorf("%v", got)
	}
}

// A store that fails is no reason not to warm.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{fail: errors.New("disk full")}
		w := open(t, warm.Options{Predictor: falling(10), Store: store}, newShelf())
		if _, err := w.Restore(t.Context()); err == nil {
			t.Error("no error")
		}
		if p, err := w.Run(t.Context(), warm.Request{}); err != nil || p.Loaded != 10 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestDir(t *testing.T) {
	t.Parallel()
	d := warm.Dir(filepath.Join(t.TempDir(), "made"))
	if data, err := d.Load(t.Context(), "x.run"); data != nil || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	for _, text := range []string{"one", "two"} {
		if err := d.Save(t.Context(), "x.run", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if data, err := d.Load(t.Context(), "x.run"); string(data) != text || err != nil {
			t.Errorf("%q, %v", data, err)
		}
	}
	for range 2 {
		if err := d.Save(t.Context(), "x.run", nil); err != nil {
			t.Error(err)
		}
	}
	if list, err := os.ReadDir(string(d)); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
	for _, name := range []string{"", "..", "a/b", `a\b`, ".hidden"} {
		if err := d.Save(t.Context(), name, []byte("x")); !errors.Is(err, warm.ErrOptions) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := d.Load(t.Context(), name); !errors.Is(err, warm.ErrOptions) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// The meter knows what is under way and how long things take; what was a few seconds ago does not count.
func TestMeter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := warm.NewMeter(100*time.Millisecond, 10)
		work := func(n int, took time.Duration) {
			began := make([]time.Time, n)
			for i := range began {
				began[i] = m.Begin()
			}
			time.Sleep(took)
			for _, b := range began {
				m.End(b)
			}
		}
		if m.Pressure() != 0 {
			t.Errorf("idle: %v", m.Pressure())
		}
		work(97, 10*time.Millisecond)
		work(3, 900*time.Millisecond)
		if l := m.Latency(); l < 10*time.Millisecond || l > 13*time.Millisecond {
			t.Errorf("3 of 100 are slow: %v", l)
		}
		if p := m.Pressure(); p < 0.1 || p > 0.13 {
			t.Errorf("pressure %v", p)
		}
		work(10, 150*time.Millisecond)
		if l, p := m.Latency(), m.Pressure(); l < 150*time.Millisecond || l > 190*time.Millisecond || p < 1 {
			t.Errorf("13 of 110 are slow: %v, pressure %v", l, p)
		}
		time.Sleep(3 * time.Second)
		if m.Pressure() != 0 {
			t.Errorf("afterwards: %v", m.Pressure())
		}
		b := m.Begin()
		if m.UnderWay() != 1 || m.Pressure() != 0.1 {
			t.Errorf("one under way: %v", m.Pressure())
		}
		m.End(b)
		if most := warm.Most(m, warm.PressureFunc(func() float64 { return 3 })); most.Pressure() != 3 {
			t.Error("not the highest")
		}
	})
}

// Many goroutines may use everything at once.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	w, m := open(t, warm.Options{Rate: 1e6, Store: &memory{}}, newShelf()), warm.NewMeter(time.Second, 100)
	keys := numbered(200)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 3000 {
				b := m.Begin()
				w.Seen(keys[(i*i+g)%len(keys)])
				switch i % 1000 {
				case 100:
					_, _ = w.Run(t.Context(), warm.Request{}) // cancelled by the others
				case 200:
					w.Cancel()
				case 300:
					_, _, _ = w.Progress(), w.Tuning(), m.Pressure()
				}
				m.End(b)
			}
		})
	}
	wg.Wait()
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"version":1,"at":"2026-01-01T00:00:00Z","keys":[{"key":"a","weight":2,"error":1}]}`))
	f.Add([]byte(`{"version":1,"keys":[{"key":"a","weight":-2,"error":1e308}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := warm.NewPopularity(warm.PopularityOptions{Keys: 10})
		if err := p.Merge(data); err != nil && p.Len() > 0 {
			t.Errorf("%v, and yet %d keys", err, p.Len())
		}
		got, err := p.Predict(t.Context(), time.Now(), 100)
		if err != nil || len(got) > 10 {
			t.Errorf("%v, %v", got, err)
		}
		for _, d := range got {
			if !(d.Rate > 0) {
				t.Errorf("%+v", d)
			}
		}
	})
}
