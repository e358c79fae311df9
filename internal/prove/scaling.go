package prove

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
	"github.com/stampede-shop/stampede/usl"
)

const (
	targetEfficiency = 0.85
	mostInstances    = 8
	confidence       = 0.95
	fitsWell         = 0.90 // R² of a fit that says something
	leastUsed        = 0.85 // of their share: with less it was not their share that limited them
)

var scalability = Criterion{
	Number: 3, ID: "scalability", Name: "Scaling of the API servers",
	Target:  "efficiency ≥ 85 % at 8 instances",
	Measure: measureScaling,
}

// Scaling is the capacity of API servers that are each held to a fixed share of a core.
type Scaling struct {
	Share      float64       `json:"share"` // of a core, each
	Points     []usl.Point   `json:"points"`
	Fit        *usl.Result   `json:"fit,omitempty"`
	Efficiency float64       `json:"efficiency"` // of eight, by the fit
	Between    *usl.Interval `json:"between,omitempty"`
	HoldOut    *HoldOut      `json:"hold_out,omitempty"`
	Good       float64       `json:"good"`
	Eight      Load          `json:"eight"` // what the machine did with eight, the last time
	Used       []float64     `json:"used"`  // of their share, at each point
	Held       []float64     `json:"held"`  // share of the periods in which the quota stopped them, at each point
}

// HoldOut is a figure that was predicted from others, and what it was.
type HoldOut struct {
	What      string  `json:"what"`
	Predicted float64 `json:"predicted"`
	Measured  float64 `json:"measured"`
}

// Off is by how much of the measured figure the prediction was wrong.
func (h HoldOut) Off() float64 {
	if h.Measured == 0 {
		return 0
	}
	return h.Predicted/h.Measured - 1
}

func (h HoldOut) String() string {
	return fmt.Sprintf("%s: %.4g predicted, %.4g measured (%+.0f %%)", h.What, h.Predicted, h.Measured, 100*h.Off())
}

// shareOf a core for each instance: eight of them leave three quarters of the machine to what they share, and to us.
func shareOf(cores int) float64 { return min(0.25, 0.24*float64(cores)/mostInstances) }

// scale measures 1, 2, 4 and 8 instances, in an order by chance each time and whichever of them by chance, so that what changes
// meanwhile changes for all alike. All eight run from the beginning, and before each point all eight are asked: caches forget with time,
// and who was asked a while ago only would be measured loading them.
func (t *trial) scale(ctx context.Context) (Scaling, error) {
	return t.scaled.get(func() (s Scaling, err error) {
		s.Share = shareOf(runtime.NumCPU())
		group, err := t.platform.Instances(ctx, s.Share)
		if err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, group.Close()) }()
		t.say("  starting and warming %d API servers", mostInstances)
		m := &scaler{t: t, s: &s, group: group}
		m.urls, err = group.Grow(ctx, mostInstances, func(ctx context.Context, fresh []string) error {
			_, err := m.together(ctx, fresh, 2*t.pace.scale, &tally{})
			return err
		})
		if err == nil {
			err = m.settle(ctx)
		}
		if err != nil {
			return s, err
		}
		rng := rand.New(rand.NewPCG(t.o.Seed, mostInstances)) //nolint:gosec // an order
		for range t.pace.repeats {
			for _, i := range rng.Perm(len(sizes)) {
				if err := m.point(ctx, rng.Perm(mostInstances)[:sizes[i]]); err != nil {
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

// sizes are the numbers of instances.
var sizes = []int{1, 2, 4, mostInstances}

// scaler measures instances.
type scaler struct {
	t     *trial
	s     *Scaling
	group Instances
	urls  []string
	sum   tally
	runs  uint64 // so far: each has other shoppers
}

const (
	settled     = 0.10 // two runs in a row that differ by less are alike
	settleLimit = 6    // runs
)

// settle asks all instances until they answer as many requests as the time before.
func (m *scaler) settle(ctx context.Context) error {
	last := 0.0
	for range settleLimit {
		rate, err := m.together(ctx, m.urls, m.t.pace.scale, &tally{})
		if err != nil {
			return err
		}
		m.t.say("  settling: %d instances, %.0f requests/s", len(m.urls), rate)
		if math.Abs(rate-last) < settled*rate {
			return nil
		}
		last = rate
	}
	return nil // it shows in how the points scatter
}

// point is one measurement of the chosen instances.
func (m *scaler) point(ctx context.Context, chosen []int) error {
	t, s := m.t, m.s
	urls := make([]string, len(chosen))
	for i, c := range chosen {
		urls[i] = m.urls[c]
	}
	lead, err := m.prepare(ctx, m.urls, t.pace.scale/2)
	if err != nil {
		return err
	}
	runners, err := m.prepare(ctx, urls, t.pace.scale)
	if err != nil {
		return err
	}
	if _, err := play(ctx, lead, &tally{}); err != nil {
		return err
	}
	had, begun := m.group.Had(urls), time.Now()
	var rate float64
	l, err := t.around(ctx, func() (err error) {
		rate, err = play(ctx, runners, &m.sum)
		return err
	})
	if err != nil {
		return err
	}
	got := m.group.Had(urls).since(had)
	n := float64(len(urls))
	s.Used = append(s.Used, got.CPU/time.Since(begun).Seconds()/(n*s.Share))
	s.Held = append(s.Held, float64(got.Held)/float64(max(1, got.Periods)))
	s.Points = append(s.Points, usl.Point{N: n, Throughput: rate})
	if len(urls) == mostInstances {
		l.Cores[roleMeasured] = s.Used[len(s.Used)-1] * n * s.Share
		l.Others = max(0, l.Others-l.Cores[roleMeasured])
		s.Eight = l
	}
	t.say("  %d instances: %.0f requests/s", len(urls), rate)
	return nil
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

// together loads instances at once, each with as many shoppers, and adds up what they reach.
func (m *scaler) together(ctx context.Context, urls []string, d time.Duration, sum *tally) (rate float64, err error) {
	runners, err := m.prepare(ctx, urls, d)
	if err != nil {
		return 0, err
	}
	return play(ctx, runners, sum)
}

// prepare makes shoppers for each of the instances; they learn the catalogue, which is not to be measured.
func (m *scaler) prepare(ctx context.Context, urls []string, d time.Duration) ([]*loadsim.Runner, error) {
	sc, err := scenario.Ready("browse")
	if err != nil {
		return nil, err
	}
	runners, errs := make([]*loadsim.Runner, len(urls)), make([]error, len(urls))
	var wg sync.WaitGroup
	for i, u := range urls {
		m.runs++
		o := loadsim.Options{Target: u, Scenario: &sc, Users: instanceUsers, Duration: d, Seed: m.t.o.Seed + m.runs, Timeout: callLimit}
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

// fit fits the law to all points, and to those of fewer than eight to see what it would have said of eight.
func (s *Scaling) fit(seed uint64) error {
	o := usl.Options{Relative: true, Confidence: confidence, Seed: seed}
	fit, err := usl.Fit(s.Points, o)
	if err != nil {
		return err
	}
	s.Fit, s.Efficiency = &fit, fit.Efficiency(mostInstances)
	if i := fit.Interval(func(l usl.Law) float64 { return l.Efficiency(mostInstances) }); i.Low > 0 {
		s.Between = &i
	}
	var known []usl.Point
	var at8, n8 float64
	for _, p := range s.Points {
		if p.N < mostInstances {
			known = append(known, p)
		} else {
			at8, n8 = at8+p.Throughput, n8+1
		}
	}
	if part, err := usl.Fit(known, o); err == nil && n8 > 0 {
		s.HoldOut = &HoldOut{"requests/s of 8 instances, by a fit to 1, 2 and 4", part.Throughput(mostInstances), at8 / n8}
	}
	return nil
}

func measureScaling(ctx context.Context, t *trial) (Finding, error) {
	s, err := t.scale(ctx)
	if err != nil {
		return Finding{}, err
	}
	least := slices.Min(s.Used)
	f := Finding{
		Measured: percent(s.Efficiency), Value: s.Efficiency, Unit: "share",
		How: fmt.Sprintf("1, 2, 4 and 8 API servers, each held to %.2f cores by a control group, each with %d shoppers of the browse mix straight at it (no edge), all with the platform's Redis and databases; sizes and servers in an order by chance, all eight asked before each point; Universal Scalability Law fitted to %d points",
			s.Share, instanceUsers, len(s.Points)),
		Limits: "the servers' own share, as long as the rest of the machine has room (reads: purges, which go to each of them, are not in it); with eight, " + s.Eight.where(),
		Holds:  s.Efficiency >= targetEfficiency && s.Good >= targetGood && s.Fit.R2 >= fitsWell && least >= leastUsed,
	}
	if s.Between != nil {
		f.Measured += fmt.Sprintf(" (95 %%: %.0f to %.0f %%)", 100*s.Between.Low, 100*s.Between.High)
	}
	f.Measured += fmt.Sprintf("; contention σ %.4f, coherency κ %.5f", s.Fit.Sigma, s.Fit.Kappa)
	f.Details = append(f.Details, "requests/s: "+s.levels(), fmt.Sprintf("one alone: %.0f by the fit; R² %.4f; %s good", s.Fit.Lambda, s.Fit.R2, percent(s.Good)))
	if s.Fit.R2 < fitsWell {
		f.Details = append(f.Details, "not proven: the points scatter too much for the law to say anything")
	}
	f.Details = append(f.Details, fmt.Sprintf("they used %.0f %% of their share at the least; their quota stopped them in %.0f %% of its periods at the least", 100*least, 100*slices.Min(s.Held)))
	if least < leastUsed {
		f.Details = append(f.Details, "not proven: something else than their share held them up, others on this machine perhaps")
	}
	if n := s.Fit.Peak(); n < 1e6 {
		f.Details = append(f.Details, fmt.Sprintf("the law's peak is at %.0f instances", n))
	}
	if s.HoldOut != nil {
		f.Details = append(f.Details, "not fitted: "+s.HoldOut.String())
	}
	return f, nil
}

// levels lists the mean of each number of instances.
func (s Scaling) levels() string {
	var parts []string
	for _, n := range sizes {
		parts = append(parts, fmt.Sprintf("%d: %s", n, thousands(s.mean(n))))
	}
	return strings.Join(parts, ", ")
}

// mean of the points of n instances, in requests a second.
func (s Scaling) mean(n int) float64 {
	sum, count := 0.0, 0.0
	for _, p := range s.Points {
		if p.N == float64(n) {
			sum, count = sum+p.Throughput, count+1
		}
	}
	return sum / max(1, count)
}
