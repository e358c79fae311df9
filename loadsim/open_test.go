package loadsim

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/loadsim/internal/schedule"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// play parses a scenario that a test needs.
func play(t testing.TB, yaml string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	s.Name = t.Name()
	return &s
}

// The dispatcher emits exactly the arrivals of the curve, each when it is due, in order, and no other ones, whatever the
// curve.
func TestOfferEmitsExactlyTheIntendedArrivals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		curve := schedule.New([]schedule.Stage{
			{For: 20 * time.Millisecond, From: rapid.Float64Range(0, 5000).Draw(t, "from"), To: rapid.Float64Range(0, 5000).Draw(t, "to")},
			{For: time.Millisecond, From: 1000, To: rapid.Float64Range(0, 100_000).Draw(t, "spike")},
		})
		o := schedule.Options{Poisson: rapid.Bool().Draw(t, "poisson"), Seed: rapid.Uint64().Draw(t, "seed"), Parts: rapid.IntRange(1, 3).Draw(t, "parts")}
		var want, got []time.Duration
		for a := curve.Arrivals(o); ; {
			at, ok := a.Next()
			if !ok {
				break
			}
			want = append(want, at)
		}
		r := &run{Runner: &Runner{}, started: time.Now(), until: time.Now().Add(time.Minute)}
		var count counters
		r.offer(context.Background(), curve.Arrivals(o), &count, func(_ *metronome, due time.Time) bool {
			if time.Now().Before(due) {
				t.Fatalf("sent %v before it was due", time.Until(due))
			}
			got = append(got, due.Sub(r.started))
			return len(got)%3 != 0
		})
		if !slices.Equal(got, want) || count.due.Load() != int64(len(want)) || count.unsent.Load() != int64(len(want)/3) {
			t.Fatalf("%d arrivals were due, %d sent, %+v", len(want), len(got), count.figures())
		}
	})
}

// Every arrival becomes one request, also when it takes new shoppers.
func TestOpenModel(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	r := simulate(t, s, func(o *Options) {
		o.Users, o.Rate, o.Duration, o.enough = 0, 300, 1500*time.Millisecond, nil
		o.Scenario = ready(t, "journey")
		o.Scenario.Load.Arrivals = scenario.Even
	})
	if r.Summary.TotalRequests != 450 || r.Generator.Due != 450 || r.Generator.Unsent != 0 || s.requests.Load() != 451 {
		t.Errorf("450 arrivals, %d requests, the shop saw %d\n%s", r.Summary.TotalRequests, s.requests.Load(), r.text())
	}
	if r.Summary.Failed != 0 || r.Summary.Model != scenario.Open || r.Summary.Rate != 300 || r.Generator.Lag.Count != 450 {
		t.Errorf("%+v %+v", r.Summary, r.Generator)
	}
}

// stall serves a list after every request that comes in the stalled time has waited for its end.
type stall struct {
	mu   sync.Mutex
	held chan struct{}
}

func (s *stall) begin() { s.mu.Lock(); s.held = make(chan struct{}); s.mu.Unlock() }

func (s *stall) end() { s.mu.Lock(); close(s.held); s.held = nil; s.mu.Unlock() }

func (s *stall) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	wait := s.held
	s.mu.Unlock()
	if wait != nil {
		<-wait
	}
	_, _ = io.WriteString(w, `[{"id":1,"name":"x","price":1}]`)
}

// No coordinated omission: a server that stalls for a second makes all the requests late that were due in that second, not
// only those that were on their way. It makes no difference to the latencies whether there were enough shoppers; when
// there were not, the report says that it is not valid.
func TestNoCoordinatedOmission(t *testing.T) {
	t.Parallel()
	for name, maxUsers := range map[string]int{"enough shoppers": 1000, "too few": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var shop stall
				var ticks atomic.Int64
				rep := inside(t, &shop, "load: {model: open, rate: 100, arrivals: even, duration: 3s}\nshoppers: [{steps: [browse: 1]}]", func(o *Options) {
					o.MaxUsers = maxUsers
					o.Progress = func(Snapshot) {
						switch ticks.Add(1) {
						case 1:
							shop.begin()
						case 2:
							shop.end()
						}
					}
				})
				l := rep.ResponseTimes["browse"]
				// a third of the requests were due in the stalled second; they took from a second down to nothing
				if l.Count != 300 || l.P50 > 0.1 || l.P90 < 0.5 || l.P99 < 0.9 || l.Max < 0.95 || l.Max > 1.1 || l.Avg < 0.12 {
					t.Errorf("%+v", l)
				}
				if crowded := rep.Generator.Crowded > 0; crowded != (maxUsers == 5) || crowded && rep.Summary.Valid {
					t.Errorf("%+v valid %v", rep.Generator, rep.Summary.Valid)
				}
				if late := slices.IndexFunc(rep.Series, func(p Point) bool { return p.P99 > 0.5 }); late < 0 {
					t.Errorf("the time series shows nothing: %+v", rep.Series)
				}
			})
		})
	}
}

// In an open model of sessions each arrival is somebody new.
func TestSessionsArrive(t *testing.T) {
	t.Parallel()
	const yaml = `
load: {model: open, per: session, arrivals: even, rate: 40, duration: 1500ms}
think: 1ms-5ms
shoppers: [{steps: [{view: 2}, {add: 1}, {checkout: 1}]}]`
	s := newFakeShop(t)
	synctest.Test(t, func(t *testing.T) {
		r := inside(t, s.Config.Handler, yaml, nil)
		if r.Generator.Due != 60 || r.Generator.Unsent != 0 || r.Summary.Orders != s.orders.Load() || r.Summary.Failed != 0 {
			t.Errorf("%s", r.text())
		}
		// each comes to its end, but for those whom the end of time has cut short
		if r.Summary.Journeys < 58 || r.Summary.Journeys > 60 || r.Summary.Orders < 58 {
			t.Errorf("%d sessions of 60\n%s", r.Summary.Journeys, r.text())
		}
		r = inside(t, s.Config.Handler, yaml, func(o *Options) { o.MaxUsers, o.Think = 1, 30*time.Millisecond })
		if r.Summary.Valid || r.Generator.Crowded == 0 || r.Generator.Unsent < r.Generator.Crowded || r.Generator.PeakUsers != 1 {
			t.Errorf("one shopper at a time: %+v, valid %v", r.Generator, r.Summary.Valid)
		}
	})
}

// The number of shoppers of a closed model follows the curve up and down.
func TestClosedModelFollowsTheCurve(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	synctest.Test(t, func(t *testing.T) {
		var users []int64 // at each second
		r := inside(t, s.Config.Handler, `
load: {users: 10, stages: [{for: 1500ms, at: 0.2}, {for: 200ms, to: 2}, {for: 800ms, at: 2}, {for: 2600ms, at: 0.3}]}
think: 20ms
shoppers: [{steps: [{browse: 1}]}]`, func(o *Options) {
			o.Progress = func(p Snapshot) { users = append(users, p.Users) }
		})
		if want := []int64{2, 20, 3, 3, 3}; !slices.Equal(users, want) || r.Generator.PeakUsers != 20 {
			t.Errorf("%v shoppers after each second, want %v; %d at most\n%s", users, want, r.Generator.PeakUsers, r.text())
		}
	})
}

// share: the parts add up, and each is within one of the others.
func TestShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, parts := rapid.IntRange(0, 1000).Draw(t, "n"), rapid.IntRange(1, 20).Draw(t, "parts")
		sum := 0
		for part := range parts {
			mine := share(n, part, parts)
			if mine < n/parts || mine > n/parts+1 {
				t.Fatalf("part %d of %d has %d of %d", part, parts, mine, n)
			}
			sum += mine
		}
		if sum != n {
			t.Fatalf("%d in all, want %d", sum, n)
		}
	})
}
