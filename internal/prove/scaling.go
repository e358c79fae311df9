package prove

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/usl"
)

const (
	targetEfficiency = 0.85
	mostInstances    = 8
	confidence       = 0.95
	knownProducts    = 1000 // that shoppers come for
	leastUsed        = 0.85 // of their share: with less it was not their share that limited them
)

var scalability = Criterion{
	Number: 3, ID: "scalability", Name: "Scaling of the API servers",
	Target:  "efficiency ≥ 85 % at 8 instances, with 95 % certainty",
	Measure: measureScaling,
}

// Scaling is the capacity of API servers that are each held to a fixed share of a core.
type Scaling struct {
	Share      float64       `json:"share"` // of a core, each
	Points     []usl.Point   `json:"points"`
	Fit        *usl.Result   `json:"fit,omitempty"`
	Efficiency float64       `json:"efficiency"`        // of eight, by the fit
	Ratio      float64       `json:"ratio"`             // of eight's rate to eight times that of one, as measured
	Between    *usl.Interval `json:"between,omitempty"` // for Ratio
	HoldOut    *HoldOut      `json:"hold_out,omitempty"`
	Good       float64       `json:"good"`
	Runs       []ScalingRun  `json:"runs"`  // one for each point
	Eight      Load          `json:"eight"` // what the machine did with eight, the last time
}

// ScalingRun is one measurement.
type ScalingRun struct {
	N          int     `json:"n"`                 // instances
	Rate       float64 `json:"rate"`              // good requests a second
	PerRequest float64 `json:"cpu_s_per_request"` // of theirs
	Used       float64 `json:"used"`              // of their share
	Stopped    float64 `json:"stopped"`           // share of the quota's periods in which it stopped them
	Stood      float64 `json:"stood"`             // share of the time for which each stood still for that
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

// last says what the last round found.
func (s *Scaling) last() string {
	runs := slices.Clone(s.Runs[len(s.Runs)-len(sizes):])
	slices.SortFunc(runs, func(a, b ScalingRun) int { return a.N - b.N })
	var parts []string
	for _, r := range runs {
		parts = append(parts, fmt.Sprintf("%d: %.0f/s (%.0f µs)", r.N, r.Rate, 1e6*r.PerRequest))
	}
	return strings.Join(parts, ", ")
}

// fit fits the law to all points, and to those of fewer than eight to see what it would have said of eight.
func (s *Scaling) fit(seed uint64) error {
	o := usl.Options{Relative: true, Confidence: confidence, Seed: seed}
	fit, err := usl.Fit(s.Points, o)
	if err != nil {
		return err
	}
	s.Fit, s.Efficiency = &fit, fit.Efficiency(mostInstances)
	s.Ratio, s.Between = s.ratio()
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
	doubts := s.doubts()
	f := Finding{
		Measured: s.measured(), Value: s.Efficiency, Unit: "share",
		How: fmt.Sprintf("1, 2, 4 and 8 API servers, each held to %.2f cores by a control group, each with %d shoppers of the browse mix straight at it (no edge), all with the platform's Redis and databases, writing no profiles and traces; in %d rounds each number was measured once, in an order by chance and whichever servers by chance; efficiency is the rate of eight over eight times that of one in the same round, with a t interval, and that of the Universal Scalability Law fitted to all %d points; both have to reach the target",
			s.Share, instanceUsers, len(s.Points)/len(sizes), len(s.Points)),
		Limits: "the servers' own share, as long as the rest of the machine has room (reads: purges, which go to each of them, are not in it); with eight, " + s.Eight.where(),
		Holds:  s.Efficiency >= targetEfficiency && s.Good >= targetGood && len(doubts) == 0,
	}
	f.Details = append(s.figures(), doubts...)
	if n := s.Fit.Peak(); n < 1e6 {
		f.Details = append(f.Details, fmt.Sprintf("the law's peak is at %.0f instances", n))
	}
	if s.HoldOut != nil {
		f.Details = append(f.Details, "not fitted: "+s.HoldOut.String())
	}
	return f, nil
}

// doubts are why nothing is proven, whatever efficiency was found.
func (s Scaling) doubts() (list []string) {
	if s.least(func(r ScalingRun) float64 { return r.Used }) < leastUsed {
		list = append(list, "not proven: something else than their share held them up, others on this machine perhaps")
	}
	if s.Efficiency >= targetEfficiency && (s.Between == nil || s.Between.Low < targetEfficiency) {
		list = append(list, fmt.Sprintf("not proven: the lower end of the 95 %% interval decides, and it is below %.0f %%", 100*targetEfficiency))
	}
	return list
}

// measured begins with what decides: the lower end of the interval.
func (s Scaling) measured() string {
	law := fmt.Sprintf("by the law %s, contention σ %.4f, coherency κ %.5f", percent(s.Efficiency), s.Fit.Sigma, s.Fit.Kappa)
	if s.Between == nil {
		return fmt.Sprintf("%.0f %%, nothing certain; %s", 100*s.Ratio, law)
	}
	return fmt.Sprintf("≥ %.0f %% for certain (%.0f %%; 95 %%: %.0f to %.0f); %s",
		math.Floor(100*s.Between.Low), 100*s.Ratio, 100*s.Between.Low, 100*s.Between.High, law)
}

// figures are the details that speak for themselves.
func (s Scaling) figures() []string {
	return []string{
		"requests/s: " + s.levels(func(r ScalingRun) string { return thousands(r.Rate) }),
		"µs of theirs a request: " + s.levels(func(r ScalingRun) string { return fmt.Sprintf("%.0f", 1e6*r.PerRequest) }),
		fmt.Sprintf("one alone: %.0f by the law, which explains R² = %.2f of the differences (none of what is more than proportional); %s good", s.Fit.Lambda, s.Fit.R2, percent(s.Good)),
		fmt.Sprintf("they used %.0f %% of their share at the least; their quota stopped them in %.0f %% of its periods, for %.0f %% of the time, at the least",
			100*s.least(func(r ScalingRun) float64 { return r.Used }), 100*s.least(func(r ScalingRun) float64 { return r.Stopped }), 100*s.least(func(r ScalingRun) float64 { return r.Stood })),
	}
}

// least of a figure, in the mean of each number of instances.
func (s Scaling) least(of func(ScalingRun) float64) float64 {
	least := math.Inf(1)
	for _, n := range sizes {
		if v, known := s.average(n, of); known {
			least = min(least, v)
		}
	}
	return least
}

// levels lists the means of each number of instances.
func (s Scaling) levels(show func(mean ScalingRun) string) string {
	var parts []string
	for _, n := range sizes {
		parts = append(parts, fmt.Sprintf("%d: %s", n, show(s.mean(n))))
	}
	return strings.Join(parts, ", ")
}

// mean of the measurements of n instances.
func (s Scaling) mean(n int) ScalingRun {
	rate, _ := s.average(n, func(r ScalingRun) float64 { return r.Rate })
	each, _ := s.average(n, func(r ScalingRun) float64 { return r.PerRequest })
	return ScalingRun{N: n, Rate: rate, PerRequest: each}
}

// average of a figure among the measurements of n instances; not known, and 0, when there are none.
func (s Scaling) average(n int, of func(ScalingRun) float64) (mean float64, known bool) {
	var list []float64
	for _, r := range s.Runs {
		if r.N == n {
			list = append(list, of(r))
		}
	}
	return meanOf(list), len(list) > 0
}
