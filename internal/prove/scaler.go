package prove

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
	"github.com/stampede-shop/stampede/usl"
)

// shareOf a core for each instance: eight of them leave two fifths of the machine to what they share, and to us.
func shareOf(cores int) float64 { return min(0.25, 0.6*float64(cores)/mostInstances) }

// sizes are the numbers of instances.
var sizes = [...]int{1, 2, 4, mostInstances}

// scale measures 1, 2, 4 and 8 instances, in an order by chance each time and whichever of them by chance, so that what changes
// meanwhile changes for all alike. All eight run from the beginning.
func (t *trial) scale(ctx context.Context) (Scaling, error) {
	return t.scaled.get(func() (s Scaling, err error) {
		s.Share = shareOf(runtime.NumCPU())
		group, err := t.platform.Instances(ctx, s.Share)
		if err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, group.Close()) }()
		t.say("  starting %d API servers", mostInstances)
		m := &scaler{t: t, s: &s, group: group}
		if m.urls, err = group.Start(ctx, mostInstances); err != nil {
			return s, err
		}
		rng := rand.New(rand.NewPCG(t.o.Seed, mostInstances)) //nolint:gosec // an order
		for range t.pace.repeats {
			for _, i := range rng.Perm(len(sizes)) {
				if err := m.point(ctx, rng.Perm(mostInstances), sizes[i]); err != nil {
					return s, err
				}
			}
		}
		s.Good = 1 - float64(m.sum.bad)/float64(max(1, m.sum.all))
		err = s.fit(t.o.Seed)
		t.report.Scaling = &s
		return s, err
	})
}

// scaler measures instances.
type scaler struct {
	t      *trial
	s      *Scaling
	group  Instances
	urls   []string
	sum    tally     // of what was measured
	filled time.Time // when all were asked for all products
}

// point is one measurement of the first n instances in an order by chance. Before it all eight, free of their quota, answer what will be
// asked of the one before them: so whatever the number, all of it has been brought into Redis by somebody, and nobody has it in memory for
// that. One alone would else load by itself what eight load for each other. In it each answers as many requests as in any other point: what
// is asked for the first time costs several times as much as what is in memory, and the faster an instance, the less of it is in a span of
// time.
func (m *scaler) point(ctx context.Context, order []int, n int) error {
	t := m.t
	urls, before := make([]string, len(order)), make([]string, len(order))
	for i, o := range order {
		urls[i], before[(i+1)%len(order)] = m.urls[o], m.urls[o]
	}
	urls = urls[:n]
	if err := m.group.Hold(false); err != nil {
		return err
	}
	seed := t.o.Seed + uint64(len(m.s.Points)*mostInstances) //nolint:gosec // few
	crowds, err := m.prepare(ctx, urls, 2*t.pace.scale, t.pace.round, seed)
	if err != nil {
		return err
	}
	if err := m.fill(ctx); err != nil {
		return err
	}
	run := ScalingRun{N: n}
	t0 := time.Now()
	if os.Getenv("SCAL_OWN") != "" {
		before = urls
	}
	if err := m.rehearse(ctx, before, seed); err != nil {
		return err
	}
	if err := m.group.Hold(true); err != nil {
		return err
	}
	t1 := time.Now()
	var l Load
	run.Speed, err = t.yard.speed(ctx, func() (err error) {
		l, err = t.around(ctx, func() error { return m.measure(ctx, crowds, &run) })
		return err
	})
	if err != nil {
		return err
	}
	m.s.add(run, l)
	t.say("  window %.3f %.3f of %d; rehearsed and measured in %.1f s", float64(t1.UnixNano())/1e9, float64(time.Now().UnixNano())/1e9, n, time.Since(t0).Seconds())
	t.say("  point %d: %s", len(m.s.Points), run)
	return nil
}

const (
	kept       = time.Minute // for which an API server has a product in memory
	pointLimit = 3           // times its usual length, within which a point is over with its rehearsal, however slow
)

// fill asks all instances for all products that shoppers know, when what they have in memory would be forgotten before the next point is
// over: they were filled at once and forget at once, which made points a minute apart half as fast.
func (m *scaler) fill(ctx context.Context) error {
	if !m.filled.IsZero() {
		left := time.Until(m.filled.Add(kept))
		if left > pointLimit*m.t.pace.scale {
			return nil
		}
		if err := pause(ctx, left); err != nil {
			return err
		}
	}
	m.filled = time.Now()
	m.t.say("  asking all for all products")
	return each(ctx, m.urls, func(ctx context.Context, url string) error {
		s := newShop(url, "", m.t.net)
		ids, err := s.products(ctx, m.t.o.known)
		for _, id := range ids {
			if err == nil {
				_, err = s.call(ctx, http.MethodGet, fmt.Sprintf("/products/%d", id), "", nil, nil, http.StatusNotFound)
			}
		}
		return err
	})
}

// rehearse plays a round at all instances.
func (m *scaler) rehearse(ctx context.Context, urls []string, seed uint64) error {
	crowds, err := m.prepare(ctx, urls, m.t.pace.scale, m.t.pace.round, seed)
	if err != nil {
		return err
	}
	return each(ctx, crowds, func(ctx context.Context, c *crowd) error {
		_, err := c.Run(ctx)
		return err
	})
}

// measure lets the prepared shoppers loose on instances and looks what each had for it. An instance is measured for as long as it has
// something to do.
func (m *scaler) measure(ctx context.Context, crowds []*crowd, run *ScalingRun) error {
	var mu sync.Mutex
	var requests, busy float64
	var sum Had
	err := each(ctx, crowds, func(ctx context.Context, c *crowd) error {
		had, begun := m.group.Had([]string{c.url}), time.Now()
		rec, err := c.Run(ctx)
		if err != nil {
			return err
		}
		got, took, report := m.group.Had([]string{c.url}).since(had), time.Since(begun).Seconds(), rec.Report().Summary
		mu.Lock()
		defer mu.Unlock()
		m.sum.all, m.sum.bad = m.sum.all+report.TotalRequests, m.sum.bad+report.Failed
		run.Rate += float64(report.TotalRequests-report.Failed) / report.Duration
		requests, busy, sum = requests+float64(report.TotalRequests), busy+took, sum.plus(got)
		return nil
	})
	run.PerRequest = sum.CPU / max(1, requests)
	run.Used, run.Stood = sum.CPU/busy/m.s.Share, sum.Stood/busy
	run.Stopped = float64(sum.Stopped) / float64(max(1, sum.Periods))
	return err
}

// add takes in a measurement, and what the machine did meanwhile.
func (s *Scaling) add(run ScalingRun, l Load) {
	s.Runs = append(s.Runs, run)
	s.Points = append(s.Points, usl.Point{N: float64(run.N), Throughput: run.Rate})
	if run.N == mostInstances {
		l.Cores[roleMeasured] = run.Used * float64(run.N) * s.Share
		l.Others = max(0, l.Others-l.Cores[roleMeasured])
		s.Eight = l
	}
}

// around looks at what the machine does meanwhile.
func (t *trial) around(ctx context.Context, f func() error) (Load, error) {
	l, _, err := t.watched(ctx, func() (*loadsim.Report, error) {
		before, begun := processorTime(os.Getpid()), time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		r := &loadsim.Report{}
		r.Summary.Scenario, r.Summary.Duration = "browse", time.Since(begun).Seconds()
		r.Generator.CPU = processorTime(os.Getpid()) - before
		return r, nil
	})
	return l, err
}

// tally of requests.
type tally struct{ all, bad int64 }

// instanceUsers are how many shoppers keep each instance busy.
const instanceUsers = 12

// crowd are the shoppers of an instance.
type crowd struct {
	url  string
	seed uint64
	*loadsim.Runner
}

// prepare makes shoppers for each of the instances, who will make so many requests of it; they learn the catalogue, which is not to be
// measured. limit bounds the time of slow ones.
func (m *scaler) prepare(ctx context.Context, urls []string, limit time.Duration, requests int64, seed uint64) ([]*crowd, error) {
	sc, err := scenario.Ready("browse")
	if err != nil {
		return nil, err
	}
	crowds := make([]*crowd, len(urls))
	for i, u := range urls {
		crowds[i] = &crowd{url: u, seed: seed + uint64(i)}
	}
	return crowds, each(ctx, crowds, func(ctx context.Context, c *crowd) (err error) {
		c.Runner, err = loadsim.Prepare(ctx, loadsim.Options{Target: c.url, Scenario: &sc, Users: instanceUsers, Duration: limit, Requests: requests,
			Seed: c.seed, Timeout: callLimit})
		return err
	})
}
