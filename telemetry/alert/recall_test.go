package alert

import (
	"os"
	"slices"
	"testing"
	"time"
)

// Quiet days, with a tenfold swing of traffic, noise and outliers: no false alarm, or one a week where there are weeks, and none that pages. The first day
// is judged without knowing any before. Under STAMPEDE_SOAK there are more of them.
func TestQuietDays(t *testing.T) {
	t.Parallel()
	days, seeds := 2, uint64(1)
	if os.Getenv("STAMPEDE_SOAK") != "" {
		days, seeds = 14, 4
	}
	for seed := range seeds {
		e := engine(t, Options{Rules: DefaultRules(Defaults{Cores: 4}), History: 10_000})
		s := newShop(seed)
		for i := range days * int(24*time.Hour/simStep) {
			now := start.Add(time.Duration(i) * simStep)
			e.Observe(now, s.samples(now, calm()))
		}
		fired := slices.DeleteFunc(e.History(), func(ev Event) bool { return ev.State != Firing })
		t.Logf("seed %d: %d false alarms in %d days", seed, len(fired), days)
		for _, ev := range fired {
			t.Logf("%s %s: %s", ev.At.Format(time.DateTime), ev.Name, ev.Reason)
		}
		if len(fired) > days/7 || slices.ContainsFunc(fired, func(ev Event) bool { return ev.Severity == Page }) {
			t.Errorf("seed %d: too many", seed)
		}
	}
}

// Each planted incident is found by a rule that names it, and all is well again after it.
func TestPlantedIncidents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*incident)
		hour   float64
		want   string        // the alert that has to fire
		within time.Duration // of the incident's begin
	}{
		{"a replica stops replaying", func(i *incident) { i.lag = 30 }, 12, "replica-lag", 30 * time.Second},
		{"no replica takes reads", func(i *incident) { i.noReplica = true }, 12, "replicas-gone", 30 * time.Second},
		{"answers take four times as long", func(i *incident) { i.latency = 4 }, 20, "latency-unusual", 90 * time.Second},
		{"answers take a second", func(i *incident) { i.latency = 60 }, 20, "latency-high", 90 * time.Second},
		{"the database is slow", func(i *incident) { i.db = 8 }, 9, "db-unusual", 90 * time.Second},
		{"the database hangs", func(i *incident) { i.db = 200 }, 9, "db-slow", 2 * time.Minute},
		{"the edge's cache is emptied", func(i *incident) { i.edgeHits = 0.5 }, 15, "edge-hits-drop", 90 * time.Second},
		{"the first tier is of no use", func(i *incident) { i.l1Hits = 0.4 }, 15, "l1-hits-drop", 90 * time.Second},
		{"a tenth of the answers fail", func(i *incident) { i.errors = 0.1 }, 18, "errors-unusual", 90 * time.Second},
		{"half of the answers fail", func(i *incident) { i.errors = 0.5 }, 18, "error-budget-fast", 5 * time.Minute},
		{"payments do not work", func(i *incident) { i.orders = 0 }, 20, "orders-drop", 3 * time.Minute},
		{"nobody reaches the shop", func(i *incident) { i.traffic = 0.02 }, 20, "traffic-drop", 3 * time.Minute},
		{"the worker stands still", func(i *incident) { i.queue = 50_000 }, 20, "queue-depth", 90 * time.Second},
		{"more than there is room for", func(i *incident) { i.shed, i.traffic = 0.3, 3 }, 20, "shedding", 60 * time.Second},
		{"a process is dead", func(i *incident) { i.down = true }, 3, "processes-down", 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := engine(t, Options{Rules: DefaultRules(Defaults{Cores: 2})})
			s := newShop(7)
			bad := calm()
			c.change(&bad)
			begin := start.Add(time.Duration(c.hour * float64(time.Hour)))
			end := begin.Add(8 * time.Minute)
			var fired time.Time
			for now := begin.Add(-30 * time.Minute); now.Before(end.Add(40 * time.Minute)); now = now.Add(simStep) {
				in := calm()
				if !now.Before(begin) && now.Before(end) {
					in = bad
				}
				e.Observe(now, s.samples(now, in))
				if fired.IsZero() && stateOf(e, c.want) == Firing {
					fired = now
				}
			}
			if fired.Before(begin) || fired.Sub(begin) > c.within {
				t.Errorf("%s fired %v after the incident began, want %v at most", c.want, fired.Sub(begin), c.within)
			} else {
				t.Logf("%s after %v", c.want, fired.Sub(begin))
			}
			for _, a := range e.Alerts() {
				if a.State == Firing && a.Name != "error-budget-slow" { // which looks back half an hour and more
					t.Errorf("still fires: %s: %s", a.Name, a.Reason)
				}
			}
		})
	}
}

// What lasts is the new usual after a while, and what never changed may change a little.
func TestAnomaliesAdapt(t *testing.T) {
	t.Parallel()
	e := engine(t, Options{Rules: []Rule{{Name: "odd", Severity: Info, When: Anomaly{Sample: "x", Is: Above, Scale: Log, By: 0.5}}}})
	second := 0
	feed := func(d time.Duration, x float64) {
		for range int(d / (10 * time.Second)) {
			second += 10
			e.Observe(at(second), map[string]float64{"x": x})
		}
	}
	feed(time.Hour, 10)
	feed(10*time.Minute, 11)
	if stateOf(e, "odd") != "" {
		t.Fatal("a tenth more is odd")
	}
	feed(2*time.Minute, 40)
	if stateOf(e, "odd") != Firing {
		t.Fatal("four times as much is not odd")
	}
	feed(70*time.Minute, 40)
	if stateOf(e, "odd") == Firing {
		t.Error("is still odd after an hour")
	}
}

// A course of the day that was seen before is not odd; the same at another time is.
func TestSeasons(t *testing.T) {
	t.Parallel()
	e := engine(t, Options{Rules: []Rule{{Name: "odd", Severity: Info, When: Anomaly{Sample: "x", Is: Above, By: 0.5, Adapt: 24 * time.Hour}}}, History: 1000})
	fired := func(hours int, x func(hour int) float64, first int) (n int) {
		before := len(e.History())
		for i := range hours * 360 {
			now := at(first*3600 + i*10)
			e.Observe(now, map[string]float64{"x": x(first + i/360)})
		}
		for _, ev := range e.History()[:len(e.History())-before] {
			if ev.State == Firing {
				n++
			}
		}
		return n
	}
	noonRush := func(hour int) float64 { // suddenly three times as much at noon, for an hour
		if hour%24 == 12 {
			return 300
		}
		return 100
	}
	// The first noon is odd, and is not learnt from for as long as it is. What is usual is learnt from a calm day.
	if n := fired(24, func(int) float64 { return 100 }, 0); n != 0 {
		t.Fatalf("%d alerts on a calm day", n)
	}
	if n := fired(24, noonRush, 24); n != 1 {
		t.Errorf("%d alerts at the first noon", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	e := engine(b, Options{Rules: DefaultRules(Defaults{Cores: 2})})
	s := newShop(1)
	now := start
	m := s.samples(now, calm())
	for range 3600 {
		now = now.Add(time.Second)
		e.Observe(now, m)
	}
	for b.Loop() {
		now = now.Add(time.Second)
		e.Observe(now, m)
	}
}
