package diagnosis

import (
	"cmp"
	"slices"
	"time"
)

// Verdict is how well somebody named causes that are known.
//
// A cause counts as named when component and fault were told while it was in force or within Grace after. Whatever else is told counts
// as wrong, once for each time it appears; naming the right component with another fault is wrong as well, and counted apart.
type Verdict struct {
	Name      string   `json:"name"`
	Runs      int      `json:"runs"`
	Causes    int      `json:"causes"`
	Named     int      `json:"named"`
	First     int      `json:"first"`     // of these: as the first of the list, at some moment
	Near      int      `json:"near"`      // told of the right component, but another fault
	Wrong     int      `json:"wrong"`     // told of something else
	Precision float64  `json:"precision"` // named / (named + near + wrong)
	Recall    float64  `json:"recall"`
	Delay     float64  `json:"delay_seconds"`     // median from the injection until it was named
	DelayHigh float64  `json:"delay_seconds_p90"` // nine in ten were named earlier
	Minutes   float64  `json:"minutes"`           // recorded without a fault in force
	False     int      `json:"false_alarms"`      // told in these minutes
	Missed    []string `json:"missed,omitempty"`  // RUN: COMPONENT/FAULT
	Told      []string `json:"told,omitempty"`    // what was near or wrong
}

// Grace is how long after a fault its traces may still be told.
const Grace = 5 * time.Second

// aftermath is how long after a fault something else may be its consequence: no false alarm, but wrong.
const aftermath = 15.0

// teller names what is wrong, the first first, after each sample.
type teller func(Sample) []key

func byDoctor(o Options) teller {
	d := New(o)
	return func(s Sample) (out []key) {
		d.Observe(s)
		for _, f := range d.Findings() {
			out = append(out, key{f.Component, f.Fault})
		}
		return out
	}
}

// Evaluate lets a [Doctor] and static thresholds name the causes of recordings.
func Evaluate(runs []Recording, o Options) []Verdict {
	return []Verdict{
		judge("diagnosis", runs, func() teller { return byDoctor(o) }),
		judge("static thresholds", runs, byLimits),
	}
}

func judge(name string, runs []Recording, who func() teller) Verdict {
	v := Verdict{Name: name, Runs: len(runs)}
	var delays []float64
	for _, r := range runs {
		delays = append(delays, v.add(r, who())...)
	}
	v.Precision = float64(v.Named) / max(float64(v.Named+v.Near+v.Wrong), 1)
	v.Recall = float64(v.Named) / max(float64(v.Causes), 1)
	if n := len(delays); n > 0 {
		slices.SortFunc(delays, cmp.Compare[float64])
		v.Delay, v.DelayHigh = delays[n/2], delays[n*9/10]
	}
	return v
}

// outcome is how a cause fared.
type outcome struct {
	named, first bool
	delay        float64
}

// add judges a run, and returns after how long each cause that was named was.
func (v *Verdict) add(r Recording, tell teller) (delays []float64) {
	outcomes := make([]outcome, len(r.Causes))
	before := map[key]bool{}
	last := 0.0
	for i, s := range r.Samples() {
		t := r.Times[i]
		if quiet(r.Causes, t) {
			v.Minutes += (t - last) / 60
		}
		last = t
		now := map[key]bool{}
		for rank, k := range tell(s) {
			now[k] = true
			if mark(outcomes, r.Causes, k, t, rank) || before[k] {
				continue
			}
			v.blame(r, k, t)
		}
		before = now
	}
	v.Causes += len(r.Causes)
	for i, o := range outcomes {
		if !o.named {
			v.Missed = append(v.Missed, r.Name+": "+r.Causes[i].Component+"/"+r.Causes[i].Fault)
			continue
		}
		v.Named++
		if o.first {
			v.First++
		}
		delays = append(delays, o.delay)
	}
	return delays
}

// mark notes that a cause was named; false when k is none that is in force.
func mark(outcomes []outcome, causes []Cause, k key, t float64, rank int) (right bool) {
	for i, c := range causes {
		if c.Component == k.component && c.Fault == k.fault && t >= c.From && t <= c.To+aftermath {
			right = true
			if t > c.To+Grace.Seconds() && !outcomes[i].named {
				continue // too late to be worth anything
			}
			if !outcomes[i].named {
				outcomes[i].named, outcomes[i].delay = true, t-c.From
			}
			outcomes[i].first = outcomes[i].first || rank == 0
		}
	}
	return right
}

func quiet(causes []Cause, t float64) bool {
	return !slices.ContainsFunc(causes, func(c Cause) bool { return t >= c.From && t <= c.To+aftermath })
}

// blame counts what is not the cause.
func (v *Verdict) blame(r Recording, k key, t float64) {
	v.Told = append(v.Told, r.Name+": "+k.component+"/"+k.fault)
	switch {
	case quiet(r.Causes, t):
		v.False++
		v.Wrong++
	case slices.ContainsFunc(r.Causes, func(c Cause) bool { return c.Component == k.component && t >= c.From && t <= c.To+aftermath }):
		v.Near++
	default:
		v.Wrong++
	}
}
