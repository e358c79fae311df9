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

// shareOf a core for each instance: eight of them leave three fifths of the machine to what they share, and to us.
func shareOf(cores int) float64 { return min(0.25, 0.4*float64(cores)/mostInstances) }

// sizes are the numbers of instances.
var sizes = [...]int{1, 2, 4, mostInstances}

// scale measures 1, 2, 4 and 8 instances in short turns, in an order by chance each time and whichever of them by chance. All eight run
// from the beginning, and a round takes seconds, since the machine may be twice as fast a minute later: many short rounds say
// more than a few long ones.
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
		if err := m.prepare(ctx); err != nil {
			return s, err
		}
		rng := rand.New(rand.NewPCG(t.o.Seed, mostInstances)) //nolint:gosec // an order
		for i := range t.pace.repeats {
			if err := m.round(ctx, rng); err != nil {
				return s, err
			}
			t.say("  round %d of %d: %s", i+1, t.pace.repeats, s.last())
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
	crowds [][]*crowd // of each of several kinds, one for each instance
	sum    tally      // of what was measured
	filled time.Time  // when all were asked for all products
}

// round measures each number of instances once.
func (m *scaler) round(ctx context.Context, rng *rand.Rand) error {
	if err := m.fill(ctx); err != nil {
		return err
	}
	for _, i := range rng.Perm(len(sizes)) {
		run := ScalingRun{N: sizes[i]}
		crowds := m.crowds[len(m.s.Runs)%len(m.crowds)]
		var who []*crowd
		for _, o := range rng.Perm(mostInstances)[:run.N] {
			who = append(who, crowds[o])
		}
		measure := func() error { return m.measure(ctx, who, &run) }
		if run.N == mostInstances { // the most that the machine has to bear: how busy it is then decides what the figures are worth
			l, err := m.t.around(ctx, measure)
			if err != nil {
				return err
			}
			m.s.busy(run, l)
		} else if err := measure(); err != nil {
			return err
		}
		m.s.add(run)
	}
	return nil
}

const (
	kept        = time.Minute // for which an API server has a product in memory
	roundLimit  = 2           // times its usual length, within which a round is over, however slow the machine
	warmed      = 2           // times what is measured that all are asked before it, as they are in it
	crowdsEach  = 4           // crowds of an instance, who ask for different things
	crowdsApart = 1000        // between the seeds of instances
)

// fill asks all instances for all products that shoppers know, when what they have in memory would be forgotten before the next point is
// over: they were filled at once and forget at once, which made points a minute apart half as fast.
func (m *scaler) fill(ctx context.Context) error {
	usual := time.Duration(len(sizes)) * m.t.pace.scale
	if !m.filled.IsZero() && time.Until(m.filled.Add(kept)) > roundLimit*usual {
		return nil
	}
	if err := m.group.Hold(false); err != nil {
		return err
	}
	m.filled = time.Now()
	m.t.say("  asking all for all products")
	err := each(ctx, m.urls, func(ctx context.Context, url string) error {
		s := newShop(url, "", m.t.net)
		ids, err := s.products(ctx, m.t.o.known)
		for _, id := range ids {
			if err == nil {
				_, err = s.call(ctx, http.MethodGet, fmt.Sprintf("/products/%d", id), "", nil, nil, http.StatusNotFound)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := m.group.Hold(true); err != nil {
		return err
	}
	for range warmed {
		if err := m.measure(ctx, m.crowds[0], new(ScalingRun)); err != nil {
			return err
		}
	}
	return nil
}

// measure lets shoppers loose on instances and looks what each had for it.
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

// add takes in a measurement.
func (s *Scaling) add(run ScalingRun) {
	s.Runs = append(s.Runs, run)
	s.Points = append(s.Points, usl.Point{N: float64(run.N), Throughput: run.Rate})
}

// busy takes in what the machine did with eight.
func (s *Scaling) busy(run ScalingRun, l Load) {
	l.Cores[roleMeasured] = run.Used * float64(run.N) * s.Share
	l.Others = max(0, l.Others-l.Cores[roleMeasured])
	s.Eight = l
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

// prepare makes shoppers for each instance; they learn the catalogue, which is not to be measured.
func (m *scaler) prepare(ctx context.Context) error {
	sc, err := scenario.Ready("browse")
	if err != nil {
		return err
	}
	m.crowds = make([][]*crowd, crowdsEach)
	for kind := range m.crowds {
		for i, u := range m.urls {
			m.crowds[kind] = append(m.crowds[kind], &crowd{url: u, seed: m.t.o.Seed + uint64(crowdsApart*kind+i)}) //nolint:gosec // few
		}
		err := each(ctx, m.crowds[kind], func(ctx context.Context, c *crowd) (err error) {
			c.Runner, err = loadsim.Prepare(ctx, loadsim.Options{Target: c.url, Scenario: &sc, Users: instanceUsers, Duration: m.t.pace.scale,
				Seed: c.seed, Timeout: callLimit})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
