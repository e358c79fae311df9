package alert

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Scale is how a sample is compared with what was expected.
type Scale int

// The scales.
const (
	Linear Scale = iota // by the difference
	Log                 // by the ratio: for times, whose noise grows with them
	Root                // for counts of what happens by chance, whose noise grows with their root
)

func (s Scale) apply(v float64) float64 {
	switch s {
	case Log:
		return math.Log(max(v, 1e-9))
	case Root:
		return 2 * math.Sqrt(max(v, 0)+0.375) // Anscombe: the noise of a Poisson count is then 1
	}
	return v
}

func (s Scale) undo(v float64) float64 {
	switch s {
	case Log:
		return math.Exp(v)
	case Root:
		return max(0, v/2*math.Abs(v/2)-0.375)
	}
	return v
}

// Anomaly holds while a sample is far from what is usual: farther than Z times the usual noise, and far enough to matter. What
// is usual is the median of the last hour, its noise the median absolute deviation, so that outliers hardly move either; once
// a day is known, it is that of the deviations from the same time of day before. What is anomalous is not learnt from, unless
// it lasts for Adapt.
type Anomaly struct {
	Sample string
	Is     Direction // which side is bad
	Scale  Scale
	Z      float64       // default 6
	By     float64       // relative change that matters, such as 0.5; 0 any
	ByAbs  float64       // absolute change that matters; 0 any
	Step   time.Duration // samples are averaged over it; default 10 s
	Warmup time.Duration // nothing is judged before so much is known; default 10 min
	Adapt  time.Duration // after which the unusual is the usual; default 30 min
	If     Guard
}

func (a Anomaly) check() error {
	switch {
	case a.Sample == "":
		return errors.New("the anomaly has no sample")
	case a.Z < 0 || a.By < 0 || a.ByAbs < 0:
		return errors.New("an anomaly whose Z, By or ByAbs is negative")
	case a.Step < 0 || a.Warmup < 0 || a.Adapt < 0:
		return errors.New("an anomaly whose Step, Warmup or Adapt is negative")
	}
	return nil
}

const usualSpan = time.Hour // whose median is the usual

func (a Anomaly) judge() judge {
	def(&a.Z, 6)
	def(&a.Step, 10*time.Second)
	def(&a.Warmup, 10*time.Minute)
	def(&a.Adapt, 30*time.Minute)
	return &watching{Anomaly: a, recent: ring{size: max(10, int(usualSpan/a.Step))}}
}

// watching is an Anomaly at work.
type watching struct {
	Anomaly
	step   int64 // of the samples that are being averaged, from the epoch
	sum    float64
	n      int
	recent ring
	day    season
	odd    time.Duration // for how long it has been unusual
	usual  usual         // of the last minute
	last   verdict
}

func (w *watching) observe(t time.Time, m map[string]float64, firing bool) verdict {
	v, ok := sample(m, w.Sample)
	if !ok {
		return verdict{}
	}
	if now := t.UnixNano() / int64(w.Step); now != w.step {
		if w.n > 0 {
			w.close(time.Unix(0, w.step*int64(w.Step)), w.sum/float64(w.n), m, firing)
		}
		w.step, w.sum, w.n = now, 0, 0
	}
	w.sum, w.n = w.sum+v, w.n+1
	return w.last
}

// close judges the average of a step, and learns from it.
func (w *watching) close(at time.Time, raw float64, m map[string]float64, firing bool) {
	if !w.If.open(m) { // this is not the usual either
		w.odd, w.last = 0, verdict{known: true, value: raw, text: w.Sample + ": too little happens to tell"}
		return
	}
	x := w.Scale.apply(raw)
	w.last = w.compare(at, raw, x, firing)
	if w.last.holds {
		w.odd += w.Step
	} else {
		w.odd = 0
	}
	if !w.last.holds || w.odd >= w.Adapt {
		w.recent.add(point{at, x})
		w.day.learn(at, x)
	}
}

// compare tells how far x is from the usual. A firing alert ends below half of what made it fire.
func (w *watching) compare(at time.Time, raw, x float64, firing bool) verdict {
	if w.recent.len() < int(w.Warmup/w.Step) {
		return verdict{known: true, value: raw, text: w.Sample + ": not enough is known yet to tell what is usual"}
	}
	offset, seasonal := w.offset(at)
	if u := &w.usual; u.at.IsZero() || at.Sub(u.at) >= usualFor || u.seasonal != seasonal {
		u.at, u.seasonal = at, seasonal
		u.middle, u.noise = w.recent.spread(offset)
	}
	expected := w.usual.middle + offset(at)
	usual := w.Scale.undo(expected)
	z, change := (x-expected)/max(w.usual.noise, w.Scale.leastNoise()), raw-usual
	if w.Is == Below {
		z, change = -z, -change
	}
	least := 1.0
	if firing {
		least = 0.5
	}
	v := verdict{known: true, value: raw,
		text: fmt.Sprintf("%s is %.4g, usually %.4g; that is %.3g times the usual noise %s", w.Sample, raw, usual, z, w.Is)}
	v.holds = z > least*w.Z && change > least*w.By*math.Abs(usual) && change > least*w.ByAbs
	return v
}

// usual is what the points of the last hour have in common; it is worked out once a minute.
type usual struct {
	at            time.Time
	seasonal      bool
	middle, noise float64
}

const usualFor = time.Minute

// leastNoise is that of what never changes. How much of a change matters is for By and ByAbs to say.
func (s Scale) leastNoise() float64 {
	if s == Root {
		return 1 // that of chance
	}
	return 1e-9
}

// offset is what the time of day makes of the usual, if that is known for now and for all that now is compared with.
func (w *watching) offset(now time.Time) (at func(time.Time) float64, seasonal bool) {
	if w.day.knows(now) && w.day.knows(w.recent.oldest().at) {
		return w.day.at, true
	}
	return func(time.Time) float64 { return 0 }, false
}
