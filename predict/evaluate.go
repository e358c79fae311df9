package predict

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// EvaluateOptions say over what and how to judge; the zero value judges the last 20 periods.
type EvaluateOptions struct {
	// From and To are the first and the last day that are ranked and judged; zero is the last 20 periods.
	From, To time.Time
	// K are how many best sellers are to be named. Default 20, 50, 100.
	K []int
	// Resamples is how many times the days are drawn anew for the interval of a margin. Default 2000.
	Resamples int
	// Options are those of the model.
	Options Options
}

// Names of those who rank.
const (
	ByModel     = "model"
	ByRecent    = "most recent"
	ByAllTime   = "all-time frequency"
	ByDecay     = "decayed frequency"
	ByHindsight = "decayed frequency, best half-life in hindsight"
)

// Score is how well somebody ranked. Of the K sold most, as many as were ranked among the first K: by K, precision; by how many there were,
// at most K, recall; both on the mean of all periods.
type Score struct {
	Name      string  `json:"name"`
	K         int     `json:"k"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
}

// Margin is by how much the model's precision is above a baseline's, with a 95 % interval by the bootstrap: days drawn with replacement, the
// same for both.
type Margin struct {
	K        int     `json:"k"`
	Baseline string  `json:"baseline"`
	Margin   float64 `json:"margin"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// Report is what an evaluation found.
type Report struct {
	Horizon   Horizon  `json:"horizon"`
	From      string   `json:"from"`
	To        string   `json:"to"`
	Periods   int      `json:"periods"`
	InUse     int      `json:"in_use"`    // periods in which the model ranked and not the frequency that it falls back to
	HalfLife  float64  `json:"half_life"` // of the decayed frequency in the end, in periods
	Scores    []Score  `json:"scores"`
	Best      []Margin `json:"margins"`           // over the best of the three baselines, by K
	Hindsight []Margin `json:"margins_hindsight"` // over a decayed frequency whose half-life was chosen when all was known
}

// judge collects hits, by ranker, K and period.
type judge struct {
	ks   []int
	prec map[string][][]float64
	rec  map[string][][]float64
	days []int // of the periods, numbered
}

// Evaluate goes through a history; before each period from From to To, it trains on what came before (hours: trees once a day), ranks,
// and compares with what was sold. The baselines' half-life, too, is the one that did best before. O(days × a training).
func Evaluate(ctx context.Context, h History, o EvaluateOptions) (Report, error) {
	o, err := o.checked(h)
	if err != nil {
		return Report{}, err
	}
	m, err := New(h.Horizon, o.Options)
	if err != nil {
		return Report{}, err
	}
	to := Day.after(Day.start(o.To))
	j := &judge{ks: o.K, prec: map[string][][]float64{}, rec: map[string][][]float64{}}
	first := len(h.Before(o.From).Periods)
	every := max(m.o.Record/4, 1)
	inUse, day := 0, time.Time{}
	for i, p := range h.Before(to).Periods {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		if i < first {
			if first-i <= m.o.Record && (first-i)%every == 0 {
				m.Fit() // so that it is known how it does
			}
			m.Observe(p)
			continue
		}
		if d := Day.start(p.Start); !d.Equal(day) {
			m.Fit()
			day = d
			j.days = append(j.days, 0)
		}
		j.days[len(j.days)-1]++
		if m.Standing().InUse {
			inUse++
		}
		j.score(m, p)
		m.Observe(p)
	}
	return j.report(m, h, first, inUse, o), nil
}

func (o EvaluateOptions) checked(h History) (EvaluateOptions, error) {
	if len(o.K) == 0 {
		o.K = []int{20, 50, 100}
	}
	def(&o.Resamples, 2000)
	n := len(h.Periods)
	if n < leastPeriods+1 {
		return o, fmt.Errorf("%w: %d periods with sales, more than %d are needed", ErrTooShort, n, leastPeriods)
	}
	if o.From.IsZero() {
		o.From = h.Periods[max(n-20, leastPeriods)].Start
	}
	if o.To.IsZero() {
		o.To = h.Periods[n-1].Start
	}
	if slices.Min(o.K) < 1 || slices.Max(o.K) > 10_000 || o.Resamples < 1 {
		return o, fmt.Errorf("%w: k has to be 1 to 10000", ErrOptions)
	}
	if o.To.Before(o.From) {
		return o, fmt.Errorf("%w: from %s to %s: the last day comes before the first; the history ends on %s", ErrOptions,
			o.From.Format(time.DateOnly), o.To.Format(time.DateOnly), h.Periods[n-1].Start.Format(time.DateOnly))
	}
	before, all := len(h.Before(o.From).Periods), len(h.Before(Day.after(Day.start(o.To))).Periods)
	if before < leastPeriods || before == all {
		return o, fmt.Errorf("%w: %d periods with sales before %s, %d from then on; needed are %d and 1", ErrTooShort, before,
			o.From.Format(time.DateOnly), all-before, leastPeriods)
	}
	return o, nil
}

func (j *judge) score(m *Model, p Period) {
	n := slices.Max(j.ks)
	truth := bestSellers(p, n, nil)
	var codes []string
	for _, f := range m.Top(p.Start, n) {
		codes = append(codes, f.Code)
	}
	j.add(ByModel, truth, codes)
	j.add(ByRecent, truth, m.ranked(n, func(it *item) float64 { return it.Recent }))
	j.add(ByAllTime, truth, m.ranked(n, func(it *item) float64 { return it.Total }))
	j.add(ByDecay, truth, m.frequency(m.bestHalf(), n))
	for i, half := range m.state.sc.base {
		j.add(halfName(half.half), truth, m.frequency(i, n))
	}
}

func halfName(half float64) string { return fmt.Sprintf("half-life %g", half) }

func (j *judge) add(name string, truth truth, codes []string) {
	if j.prec[name] == nil {
		j.prec[name], j.rec[name] = make([][]float64, len(j.ks)), make([][]float64, len(j.ks))
	}
	for i, k := range j.ks {
		hits := float64(truth.hits(codes, k))
		j.prec[name][i] = append(j.prec[name][i], hits/float64(k))
		j.rec[name][i] = append(j.rec[name][i], hits/float64(max(min(k, len(truth.place)), 1)))
	}
}

func (j *judge) report(m *Model, h History, first, inUse int, o EvaluateOptions) Report {
	n := len(j.prec[ByModel][0])
	r := Report{Horizon: h.Horizon, From: h.Periods[first].Start.Format(time.DateOnly), To: h.Periods[first+n-1].Start.Format(time.DateOnly),
		Periods: n, InUse: inUse, HalfLife: m.state.sc.base[m.bestHalf()].half}
	for _, name := range []string{ByModel, ByRecent, ByAllTime, ByDecay} {
		for i, k := range j.ks {
			r.Scores = append(r.Scores, Score{name, k, mean(j.prec[name][i]), mean(j.rec[name][i])})
		}
	}
	for i, k := range j.ks {
		best := j.best(i, []string{ByRecent, ByAllTime, ByDecay})
		r.Best = append(r.Best, j.margin(i, k, best, best, o))
		var halves []string
		for _, half := range m.state.sc.base {
			halves = append(halves, halfName(half.half))
		}
		best = j.best(i, halves)
		r.Scores = append(r.Scores, Score{ByHindsight, k, mean(j.prec[best][i]), mean(j.rec[best][i])})
		r.Hindsight = append(r.Hindsight, j.margin(i, k, best, ByHindsight+" ("+best+")", o))
	}
	return r
}

func (j *judge) best(i int, names []string) string {
	return slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(mean(j.prec[a][i]), mean(j.prec[b][i])) })
}

func (j *judge) margin(i, k int, name, label string, o EvaluateOptions) Margin {
	diff := make([]float64, len(j.prec[name][i]))
	for p := range diff {
		diff[p] = j.prec[ByModel][i][p] - j.prec[name][i][p]
	}
	low, high := bootstrap(diff, j.days, o.Resamples, o.Options.Seed+1)
	return Margin{k, label, mean(diff), low, high}
}
