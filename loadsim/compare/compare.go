// Package compare tells whether two load runs differ by more than chance. Runs are cut into slices of time; confidence
// intervals come from a moving-block bootstrap over these slices, so that neighbours which are alike do not pass for
// independent evidence.
package compare

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/stampede-shop/stampede/loadsim"
)

// ErrTooShort says that a run has too few slices of time to say anything about chance.
var ErrTooShort = errors.New("the run is too short to compare")

// How many slices a run is cut into: fewer than minSlices say nothing, more than maxSlices say little more.
const (
	minSlices = 8
	maxSlices = 60
)

// Options of a comparison; the zero value works.
type Options struct {
	Confidence float64 // default 0.95
	Resamples  int     // default 2000
	Seed       uint64
}

// Verdicts on a metric.
const (
	Better  = "better"
	Worse   = "worse"
	NoProof = "no difference shown"
	Asked   = "not judged: more or less was asked for"
)

// Metric of both runs.
type Metric struct {
	Name string  `json:"name"`
	Step string  `json:"step,omitempty"`
	A    float64 `json:"a"`
	B    float64 `json:"b"`
	// Change of B against A with its confidence interval: a share of A, or for error_rate the difference.
	Change  float64 `json:"change"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Verdict string  `json:"verdict"`
}

// Result of a comparison.
type Result struct {
	Confidence float64  `json:"confidence"`
	Method     string   `json:"method"`
	SlicesA    int      `json:"slices_a"`
	SlicesB    int      `json:"slices_b"`
	Metrics    []Metric `json:"metrics"`
	Warnings   []string `json:"warnings,omitempty"`
}

// Worse says whether any metric got worse.
func (r *Result) Worse() bool {
	return slices.ContainsFunc(r.Metrics, func(m Metric) bool { return m.Verdict == Worse })
}

// Reports compares b with a. It fails with ErrTooShort when either has too few slices.
func Reports(a, b *loadsim.Report, o Options) (*Result, error) {
	if o.Confidence == 0 {
		o.Confidence = 0.95
	}
	if o.Resamples == 0 {
		o.Resamples = 2000
	}
	cutA, cutB := cut(a.Series), cut(b.Series)
	for name, n := range map[string]int{"A": len(cutA), "B": len(cutB)} {
		if n < minSlices {
			return nil, fmt.Errorf("%w: %s has %d slices of time, %d are needed; let it run for longer", ErrTooShort, name, n, minSlices)
		}
	}
	metrics := metricsOf(a, b)
	r := &Result{
		Confidence: o.Confidence, SlicesA: len(cutA), SlicesB: len(cutB), Warnings: warnings(a, b),
		Method: fmt.Sprintf("moving-block bootstrap over time slices, %d resamples, blocks of %d and %d", o.Resamples, block(len(cutA)), block(len(cutB))),
	}
	drawn := make([][]float64, len(metrics))
	rng := rand.New(rand.NewPCG(o.Seed, 1))
	for range o.Resamples {
		sa, sb := resample(cutA, rng), resample(cutB, rng)
		for i, m := range metrics {
			if d := m.change(m.of(sa), m.of(sb)); !math.IsNaN(d) {
				drawn[i] = append(drawn[i], d)
			}
		}
	}
	whole := [2]sample{sumOf(cutA), sumOf(cutB)}
	for i, m := range metrics {
		judged := m.judge(drawn[i], whole, o.Confidence)
		if m.name == throughput && a.Summary.Load() != b.Summary.Load() {
			judged.Verdict = Asked
		}
		r.Metrics = append(r.Metrics, judged)
	}
	return r, nil
}

// judge makes an interval of what resampling drew. Slices know times to within a few percent only; what the reports say
// exactly is what the interval is put around.
func (m metric) judge(drawn []float64, whole [2]sample, confidence float64) Metric {
	out := Metric{Name: m.name, Step: m.step, A: m.a, B: m.b, Change: m.change(m.a, m.b), Verdict: NoProof}
	if len(drawn) == 0 || math.IsNaN(out.Change) {
		out.Change = 0
		return out
	}
	slices.Sort(drawn)
	tail := (1 - confidence) / 2
	shift := out.Change - m.change(m.of(whole[0]), m.of(whole[1]))
	if math.IsNaN(shift) {
		shift = 0
	}
	out.Low = drawn[int(tail*float64(len(drawn)))] + shift
	out.High = drawn[min(len(drawn)-1, int((1-tail)*float64(len(drawn))))] + shift
	switch {
	case out.Low > 0 && m.moreIsBetter, out.High < 0 && !m.moreIsBetter:
		out.Verdict = Better
	case out.Low > 0, out.High < 0:
		out.Verdict = Worse
	}
	return out
}

// warnings are reasons to doubt that two runs can be compared.
func warnings(a, b *loadsim.Report) (out []string) {
	for name, r := range map[string]*loadsim.Report{"A": a, "B": b} {
		for _, why := range r.Summary.Invalid {
			out = append(out, name+" is not valid: "+why)
		}
		if r.Summary.Interrupted {
			out = append(out, name+" was broken off")
		}
	}
	slices.Sort(out)
	if a.Summary.Scenario != b.Summary.Scenario {
		out = append(out, fmt.Sprintf("the scenarios differ: %s and %s", a.Summary.Scenario, b.Summary.Scenario))
	}
	if a.Summary.Load() != b.Summary.Load() {
		out = append(out, fmt.Sprintf("the loads differ: %s and %s", a.Summary.Load(), b.Summary.Load()))
	}
	return out
}
