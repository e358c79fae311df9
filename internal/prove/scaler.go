package prove

import (
	"context"
	"errors"
	"fmt"
	"math"
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

// shareOf a core for each instance: eight of them leave most of the machine to what they share, and to us.
func shareOf(cores int) float64 { return min(0.25, 0.4*float64(cores)/mostInstances) }

// sizes are the numbers of instances.
var sizes = []int{1, 2, 4, mostInstances}

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
		for repeat := range t.pace.repeats {
			for _, i := range rng.Perm(len(sizes)) {
				if err := m.point(ctx, repeat, rng.Perm(mostInstances)[:sizes[i]]); err != nil {
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
	sum    tally  // of what was measured
	leads  uint64 // so far: each has other shoppers
	points int
	filled time.Time // when all were asked for all products
}

// point is one measurement of the chosen instances. Before it all eight are asked, free of their quota, until a request takes as much
// as it did before: caches forget lists after seconds, and a few shoppers fill them slowly, so that few servers would be measured
// loading what many have loaded for each other.
func (m *scaler) point(ctx context.Context, repeat int, chosen []int) error {
	t := m.t
	urls := make([]string, len(chosen))
	for i, c := range chosen {
		urls[i] = m.urls[c]
	}
	if err := m.group.Hold(false); err != nil {
		return err
	}
	// The first of any number have the same shoppers: sizes are compared with each other within a repeat.
	runners, err := m.prepare(ctx, urls, t.pace.scale, t.o.Seed+uint64(repeat*mostInstances)) //nolint:gosec // few
	if err != nil {
		return err
	}
	if err := m.fill(ctx); err != nil {
		return err
	}
	run := ScalingRun{N: len(urls)}
	if run.Lead, err = m.warm(ctx); err != nil {
		return err
	}
	if err := m.group.Hold(true); err != nil {
		return err
	}
	l, err := t.around(ctx, func() error { return m.measure(ctx, runners, urls, &run) })
	if err != nil {
		return err
	}
	m.s.add(run, l)
	m.points++
	t.say("  %d of %d: %s", m.points, t.pace.repeats*len(sizes), run)
	return nil
}

const (
	alike       = 0.10 // two leads in a row that differ by less
	mostLeads   = 5
	leadSeeds   = 1 << 32 // others than those of who is measured
	leadsAPoint = 5       // of the time of a point
)

const (
	kept       = time.Minute // for which an API server has a product in memory
	pointLimit = 2.5         // times a point's length, within which it is over with its leads
)

// fill asks all instances for all products that shoppers know, when what they have in memory would be forgotten before the next point is
// over: they were filled at once and forget at once, which made points a minute apart half as fast.
func (m *scaler) fill(ctx context.Context) error {
	if !m.filled.IsZero() {
		left := time.Until(m.filled.Add(kept))
		if left > time.Duration(pointLimit*float64(m.t.pace.scale)) {
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

// warm asks all instances until a request takes as much processor time as in the lead before. It tells how many leads that took; that
// it was too few shows in how the points scatter.
func (m *scaler) warm(ctx context.Context) (leads int, err error) {
	last := math.Inf(1)
	for leads = 1; ; leads++ {
		m.leads++
		runners, err := m.prepare(ctx, m.urls, m.t.pace.scale/leadsAPoint, leadSeeds+m.leads*mostInstances)
		if err != nil {
			return leads, err
		}
		before, sum := m.group.Had(m.urls), tally{}
		if _, err := play(ctx, runners, &sum); err != nil {
			return leads, err
		}
		each := m.group.Had(m.urls).since(before).CPU / float64(max(1, sum.all))
		if leads == mostLeads || math.Abs(each-last) <= alike*each {
			return leads, nil
		}
		last = each
	}
}

// measure lets the prepared shoppers loose on instances and looks what those had for it.
func (m *scaler) measure(ctx context.Context, runners []*loadsim.Runner, urls []string, run *ScalingRun) (err error) {
	had, begun, sum := m.group.Had(urls), time.Now(), tally{}
	if run.Rate, err = play(ctx, runners, &sum); err != nil {
		return err
	}
	got, took := m.group.Had(urls).since(had), time.Since(begun).Seconds()
	m.sum.all, m.sum.bad = m.sum.all+sum.all, m.sum.bad+sum.bad
	run.PerRequest = got.CPU / float64(max(1, sum.all))
	run.Used = got.CPU / took / (float64(run.N) * m.s.Share)
	run.Stopped = float64(got.Stopped) / float64(max(1, got.Periods))
	run.Stood = got.Stood / took / float64(run.N)
	return nil
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

// prepare makes shoppers for each of the instances; they learn the catalogue, which is not to be measured.
func (m *scaler) prepare(ctx context.Context, urls []string, d time.Duration, seed uint64) ([]*loadsim.Runner, error) {
	sc, err := scenario.Ready("browse")
	if err != nil {
		return nil, err
	}
	runners, errs := make([]*loadsim.Runner, len(urls)), make([]error, len(urls))
	var wg sync.WaitGroup
	for i, u := range urls {
		o := loadsim.Options{Target: u, Scenario: &sc, Users: instanceUsers, Duration: d, Seed: seed + uint64(i), Timeout: callLimit}
		wg.Go(func() { runners[i], errs[i] = loadsim.Prepare(ctx, o) })
	}
	wg.Wait()
	return runners, errors.Join(errs...)
}

// play lets all shoppers loose at once.
func play(ctx context.Context, runners []*loadsim.Runner, sum *tally) (rate float64, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, r := range runners {
		wg.Go(func() {
			rec, failed := r.Run(ctx)
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = errors.Join(err, failed)
				return
			}
			report := rec.Report()
			sum.all += report.Summary.TotalRequests
			sum.bad += report.Summary.Failed
			rate += float64(report.Summary.TotalRequests-report.Summary.Failed) / report.Summary.Duration
		})
	}
	wg.Wait()
	return rate, err
}
