package bottleneck

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Options of a [Detector]; the zero value works.
type Options struct {
	// Horizon is how far ahead is looked. Default 5 min.
	Horizon time.Duration
	// Window is how many samples a trend is taken from at most. Default 180.
	Window int
	// Every is how many samples pass between two looks. Default 5.
	Every int
	// Confirm is in how many looks in a row a resource has to be foretold before it is advised on. Default 3.
	Confirm int
	// Resources bounds how many are followed; those that come later are left out. Default 256.
	Resources int
	// Advise writes what to do about a resource; nil is [DefaultCommand].
	Advise func(resource string) (title, command string)
}

func (o Options) withDefaults() Options {
	o.Horizon = cmp.Or(o.Horizon, 5*time.Minute)
	o.Window, o.Every, o.Confirm = cmp.Or(o.Window, 180), cmp.Or(o.Every, 5), cmp.Or(o.Confirm, 3)
	o.Resources = cmp.Or(o.Resources, 256)
	if o.Advise == nil {
		o.Advise = DefaultCommand
	}
	return o
}

// Detector follows the use of resources. It is not safe for concurrent use.
type Detector struct {
	o      Options
	n      int
	now    time.Time
	series map[string]*series
	advice []Advice
}

// series is a resource's past, the oldest first.
type series struct {
	at    []time.Time
	use   []float64
	load  []float64
	watch watcher
	times int // it was foretold in so many looks in a row
}

// New makes a Detector that has seen nothing.
func New(o Options) *Detector {
	return &Detector{o: o.withDefaults(), series: map[string]*series{}}
}

// Observe takes in a sample, later than all before. Every Options.Every-th time it looks ahead: O(resources × points²), with about 45
// points.
func (d *Detector) Observe(s Sample) {
	if !d.now.IsZero() && !s.At.After(d.now) {
		return
	}
	d.now = s.At
	for _, name := range names(s.Use) { // in order: which are left out does not depend on chance
		use := s.Use[name]
		if !finite(use) || !finite(s.Load) {
			continue
		}
		r := d.series[name]
		if r == nil {
			if len(d.series) >= d.o.Resources {
				continue
			}
			r = &series{}
			d.series[name] = r
		}
		r.add(s.At, use, s.Load, d.o.Window)
	}
	for name, r := range d.series {
		if s.At.Sub(r.at[len(r.at)-1]) > d.o.Horizon {
			delete(d.series, name) // it is gone
		}
	}
	if d.n++; d.n%d.o.Every == 0 {
		d.look()
	}
}

func (r *series) add(at time.Time, use, load float64, window int) {
	r.at, r.use, r.load = append(r.at, at), append(r.use, use), append(r.load, load)
	if over := len(r.at) - window; over >= window {
		r.at, r.use, r.load = slices.Delete(r.at, 0, over), slices.Delete(r.use, 0, over), slices.Delete(r.load, 0, over)
	}
	r.watch.add(use)
}

// Advice is what the last look found, what is full first at the head.
func (d *Detector) Advice() []Advice { return slices.Clone(d.advice) }

func (d *Detector) look() {
	d.advice = d.advice[:0:0]
	for name, r := range d.series {
		f, ok := r.forecast(d.o)
		if !ok {
			r.times = max(0, r.times-2)
			continue
		}
		r.times = min(r.times+1, d.o.Confirm+10)
		if r.times >= d.o.Confirm+int(f.seconds/lookPer) || f.full {
			d.advice = append(d.advice, d.advise(name, r, f))
		}
	}
	slices.SortFunc(d.advice, func(a, b Advice) int {
		return cmp.Or(cmp.Compare(a.Seconds, b.Seconds), -cmp.Compare(a.Use, b.Use), cmp.Compare(a.Resource, b.Resource))
	})
}

// forecast is when a resource will be full.
type forecast struct {
	full                 bool    // already
	seconds, early, late float64 // from now; with 95 % between early and late
	trend                line
	demand               line // use by load
	follows              bool // the load
	since                float64
}

const (
	leastPoints = 10   // of which a trend is made
	perPoint    = 4    // samples whose median is a point
	leastUse    = 0.15 // below which nothing is foretold
	leastGain   = 0.05 // by which the trend has to have risen already
	lookPer     = 30   // seconds ahead for which a forecast has to hold for one look more
	reachPast   = 1.5  // as far ahead as so many times what the trend has lasted

	// What came in simulated runs, by what was foretold: 95 % lay between. The trend's own interval knows nothing of what changes later.
	calmest, wildest = 1.5, 0.15
)

// forecast looks at the points since the last step; false when nothing is to be foretold.
func (r *series) forecast(o Options) (f forecast, ok bool) {
	x, y, load := r.points(o.Window)
	if len(x) < leastPoints {
		return f, false
	}
	if last := y[len(y)-2:]; min(last[0], last[1]) >= Full {
		return forecast{full: true, trend: theilSen(x, y)}, true
	}
	half := len(x) / 2
	recent := theilSen(x[half:], y[half:])
	if !recent.significant() || recent.level < leastUse {
		return f, false // most of the time it ends here, which is cheap
	}
	f.trend = theilSen(x, y)
	if i := step(x, y, f.trend); i > 0 {
		x, y, load = x[i:], y[i:], load[i:]
		if len(x) < leastPoints {
			return f, false
		}
		f.trend, half = theilSen(x, y), len(x)/2
		recent = theilSen(x[half:], y[half:])
	}
	f.since = x[0]
	use := recent.level
	if !f.trend.significant() || !recent.significant() || recent.slope < 0.5*f.trend.slope || -f.trend.slope*x[0] < leastGain {
		return f, false
	}
	f.distance(Full-use, recent)
	f.demand = theilSen(load, y)
	f.follows = f.demand.significant() && f.demand.residuals(load, y) < 0.5*line{level: medianOf(y)}.residuals(load, y)
	return f, f.seconds <= min(o.Horizon.Seconds(), -reachPast*x[0])
}

// distance is how long the trend takes for what is left, and between which limits.
func (f *forecast) distance(left float64, recent line) {
	slope := f.trend.slope
	if recent.low > slope || recent.high < slope { // it bends
		slope = recent.slope
	}
	f.seconds = max(left/slope, 0)
	f.early = max(min(left/max(f.trend.high, recent.high, slope), wildest*f.seconds), 0)
	f.late = max(left/max(min(f.trend.low, slope), 0.3*slope), calmest*f.seconds)
}

// points are medians of a few samples each, x being seconds before the last sample. O(window).
func (r *series) points(window int) (x, y, load []float64) {
	from := max(0, len(r.at)-window)
	from += (len(r.at) - from) % perPoint
	last := r.at[len(r.at)-1]
	for i := from; i+perPoint <= len(r.at); i += perPoint {
		x = append(x, r.at[i+perPoint/2].Sub(last).Seconds())
		y = append(y, medianOf(r.use[i:i+perPoint]))
		load = append(load, medianOf(r.load[i:i+perPoint]))
	}
	return x, y, load
}

func (d *Detector) advise(name string, r *series, f forecast) Advice {
	a := Advice{Resource: name, Kind: KindOf(name), Use: r.use[len(r.use)-1], Seconds: math.Round(f.seconds), Early: math.Round(f.early),
		Late: math.Round(f.late), When: d.now.Add(time.Duration(f.seconds * float64(time.Second))), Full: f.full}
	a.Title, a.Command = d.o.Advise(name)
	a.Confidence = f.confidence(r.times, d.o.Confirm)
	a.Evidence = f.evidence(r)
	if !f.follows {
		return a
	}
	if k, ok := r.kneeOf(d.o.Window, f.since); ok {
		a.Knee, a.Limited = math.Round(k.full), k.limit()
		a.Evidence = append(a.Evidence, k.evidence())
	}
	return a
}
