package prove

import (
	"context"
	"errors"
	"fmt"
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
	Busy       float64       `json:"busy"` // share of the machine at eight
	Used       []float64     `json:"used"` // of their share, at each point
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

// shareOf a core for each instance: eight of them leave more than half of the machine to what they share, and to us.
func shareOf(cores int) float64 { return min(0.25, 0.4*float64(cores)/mostInstances) }

// scale measures 1, 2, 4 and 8 instances, up and down again, so that what changes meanwhile changes for all alike. All eight run from
// the beginning, warm; those that are not asked have nothing to do.
func (t *trial) scale(ctx context.Context) (Scaling, error) {
	return t.scaled.get(func() (s Scaling, err error) {
		s.Share = shareOf(runtime.NumCPU())
		group, err := t.platform.Instances(ctx, s.Share)
		if err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, group.Close()) }()
		t.say("  starting and warming %d API servers", mostInstances)
		urls, err := group.Grow(ctx, mostInstances, func(ctx context.Context, fresh []string) error {
			_, err := t.together(ctx, fresh, 3*t.pace.scale, &tally{})
			return err
		})
		if err != nil {
			return s, err
		}
		var sum tally
		for range t.pace.repeats {
			for _, n := range []int{1, 2, 4, 8, 8, 4, 2, 1} {
				if err := t.point(ctx, &s, group, urls[:n], &sum); err != nil {
					return s, err
				}
			}
		}
		s.Good = 1 - float64(sum.bad)/float64(max(1, sum.all))
		err = s.fit(t.o.Seed)
		t.report.Scaling = &s
		return s, err
	})
}

// point is one measurement of so many instances.
func (t *trial) point(ctx context.Context, s *Scaling, group Instances, urls []string, sum *tally) error {
	busy, idle := machineTime()
	used, begun := group.CPU(), time.Now()
	rate, err := t.together(ctx, urls, t.pace.scale, sum)
	if err != nil {
		return err
	}
	n := float64(len(urls))
	s.Used = append(s.Used, (group.CPU()-used)/time.Since(begun).Seconds()/(n*s.Share))
	s.Points = append(s.Points, usl.Point{N: n, Throughput: rate})
	if busyNow, idleNow := machineTime(); len(urls) == mostInstances {
		s.Busy = (busyNow - busy) / max(1e-9, busyNow-busy+idleNow-idle)
	}
	t.say("  %d instances: %.0f requests/s", len(urls), rate)
	return nil
}

// tally of requests.
type tally struct{ all, bad int64 }

// instanceUsers are how many shoppers keep each instance busy.
const instanceUsers = 12

// together loads all instances at once, each with as many shoppers, and adds up what they reach.
func (t *trial) together(ctx context.Context, urls []string, d time.Duration, sum *tally) (rate float64, err error) {
	sc, err := scenario.Ready("browse")
	if err != nil {
		return 0, err
	}
	runners := make([]*loadsim.Runner, len(urls))
	for i, u := range urls {
		runners[i], err = loadsim.Prepare(ctx, loadsim.Options{Target: u, Scenario: &sc, Users: instanceUsers, Duration: d, Seed: t.o.Seed + uint64(i), Timeout: callLimit})
		if err != nil {
			return 0, err
		}
	}
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
	f := Finding{
		Measured: percent(s.Efficiency), Value: s.Efficiency, Unit: "share",
		How: fmt.Sprintf("1, 2, 4 and 8 API servers, each held to %.2f cores by a control group, each with %d shoppers of the browse mix straight at it (no edge), all with the platform's Redis and databases; Universal Scalability Law fitted to %d points",
			s.Share, instanceUsers, len(s.Points)),
		Limits: fmt.Sprintf("databases and Redis, which they share (reads: purges, which go to each of them, are not in it); the machine was %.0f %% busy with eight", 100*s.Busy),
		Holds:  s.Efficiency >= targetEfficiency && s.Good >= targetGood && s.Fit.R2 >= fitsWell,
	}
	if s.Between != nil {
		f.Measured += fmt.Sprintf(" (95 %%: %.0f to %.0f %%)", 100*s.Between.Low, 100*s.Between.High)
	}
	f.Measured += fmt.Sprintf("; contention σ %.4f, coherency κ %.5f", s.Fit.Sigma, s.Fit.Kappa)
	f.Details = append(f.Details, "requests/s: "+s.levels(), fmt.Sprintf("one alone: %.0f by the fit; R² %.4f; %s good", s.Fit.Lambda, s.Fit.R2, percent(s.Good)))
	if s.Fit.R2 < fitsWell {
		f.Details = append(f.Details, "not proven: the points scatter too much for the law to say anything")
	}
	if least := slices.Min(s.Used); least < 0.9 {
		f.Details = append(f.Details, fmt.Sprintf("they used %.0f %% of their share at the least: something else than it held them up, others on this machine perhaps", 100*least))
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
	for n := 1.0; n <= mostInstances; n *= 2 {
		sum, count := 0.0, 0.0
		for _, p := range s.Points {
			if p.N == n {
				sum, count = sum+p.Throughput, count+1
			}
		}
		parts = append(parts, fmt.Sprintf("%.0f: %s", n, thousands(sum/max(1, count))))
	}
	return strings.Join(parts, ", ")
}
