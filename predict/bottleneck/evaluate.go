package bottleneck

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Alarm is the first that somebody raised in a run.
type Alarm struct {
	At          time.Time
	Resource    string
	Seconds     float64 // until it would be full, as foretold; 0 when not
	Early, Late float64
}

// Verdict is how well somebody did over runs whose cause is known. An alarm is right when it names the cause before it is full, or at most
// Grace after; there is at most one a run, the first. A run without a cause in which there is an alarm counts as a false one, and so does
// an alarm that names something else.
type Verdict struct {
	Name      string  `json:"name"`
	Runs      int     `json:"runs"`
	Causes    int     `json:"causes"` // runs that have one
	Right     int     `json:"right"`
	Wrong     int     `json:"wrong"`
	Missed    int     `json:"missed"` // causes that no right alarm named
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	Lead      float64 `json:"lead_seconds"`     // median time from a right alarm until the resource was full
	LeadLow   float64 `json:"lead_seconds_p10"` // nine in ten right alarms came earlier
	Error     float64 `json:"error_seconds"`    // median of how far off the foretold moment was; of those that foretell
	Covered   float64 `json:"covered"`          // share of foretold intervals that held the moment
}

// Grace is how long after a resource is full an alarm still counts as right: its lead is then negative.
const Grace = 15 * time.Second

// Evaluate lets a [Detector] and static thresholds watch the runs.
func Evaluate(runs []Run, o Options) []Verdict {
	out := []Verdict{judge("prediction", runs, func(r Run) (Alarm, bool) { return firstAdvice(r, o) })}
	for _, limit := range []float64{0.7, 0.8, 0.9} {
		out = append(out, judge(fmt.Sprintf("threshold %.0f %% for 30 s", 100*limit), runs, func(r Run) (Alarm, bool) { return firstOver(r, limit, 30) }))
	}
	return out
}

func firstAdvice(r Run, o Options) (Alarm, bool) {
	d := New(o)
	for _, s := range r.Samples {
		d.Observe(s)
		if len(d.advice) > 0 {
			a := d.advice[0]
			return Alarm{s.At, a.Resource, a.Seconds, a.Early, a.Late}, true
		}
	}
	return Alarm{}, false
}

// firstOver is the usual alert: a resource that is over a limit for so many samples without a break.
func firstOver(r Run, limit float64, samples int) (Alarm, bool) {
	over := map[string]int{}
	for _, s := range r.Samples {
		for _, name := range names(s.Use) {
			if s.Use[name] < limit {
				over[name] = 0
			} else if over[name]++; over[name] >= samples {
				return Alarm{At: s.At, Resource: name}, true
			}
		}
	}
	return Alarm{}, false
}

func judge(name string, runs []Run, first func(Run) (Alarm, bool)) Verdict {
	v := Verdict{Name: name, Runs: len(runs)}
	var leads, errs []float64
	foretold, covered := 0, 0
	for _, r := range runs {
		if r.Label.Cause != "" {
			v.Causes++
		}
		a, raised := first(r)
		if !raised {
			continue
		}
		lead := r.Label.At.Sub(a.At).Seconds()
		if a.Resource != r.Label.Cause || lead < -Grace.Seconds() {
			v.Wrong++
			continue
		}
		v.Right++
		leads = append(leads, lead)
		if a.Seconds > 0 {
			foretold++
			errs = append(errs, math.Abs(a.Seconds-lead))
			if lead >= a.Early && lead <= a.Late {
				covered++
			}
		}
	}
	v.Missed = v.Causes - v.Right
	v.Precision, v.Recall = share(v.Right, v.Right+v.Wrong), share(v.Right, v.Causes)
	v.Covered = share(covered, foretold)
	slices.SortFunc(leads, cmp.Compare[float64])
	if len(leads) > 0 {
		v.Lead, v.LeadLow = median(leads), leads[len(leads)/10]
		v.Error = medianOf(errs)
	}
	return v
}

func share(n, of int) float64 { return float64(n) / float64(max(of, 1)) }
