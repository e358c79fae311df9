package loadsim

import (
	"sort"

	"github.com/stampede-shop/stampede/loadsim/internal/buckets"
)

// maxPoints bounds the time series; when it is full, neighbours are joined and the resolution halves.
const maxPoints = 1800

// Point is one interval of the time series.
type Point struct {
	Start    float64              `json:"t"`                 // seconds since the run began
	Seconds  float64              `json:"seconds"`           // length of the interval
	Requests int64                `json:"requests"`          // finished in it, good and bad
	Errors   int64                `json:"errors"`            // of them bad
	Kinds    map[string]int64     `json:"kinds,omitempty"`   // bad ones by kind
	Places   int64                `json:"waiting,omitempty"` // answers that were a place in the waiting room
	Users    int64                `json:"users"`             // shoppers at work, the most
	Level    float64              `json:"level"`             // what was intended: arrivals a second or shoppers at once, on average
	P50      float64              `json:"p50"`               // seconds, to about 2 %
	P95      float64              `json:"p95"`
	P99      float64              `json:"p99"`
	Steps    map[string]StepPoint `json:"steps"`
}

// StepPoint is what one step did in an interval.
type StepPoint struct {
	Errors int64          `json:"errors,omitempty"`
	Times  buckets.Sparse `json:"times"` // response times, good and bad
}

// Requests is how many there were.
func (s StepPoint) Requests() int64 { return s.Times.Count() }

// All is the response times of all steps.
func (p *Point) All() (all buckets.Sparse) {
	for _, s := range p.Steps {
		all = buckets.Merge(all, s.Times)
	}
	return all
}

// count fills in what follows from the steps.
func (p *Point) count() {
	p.Requests, p.Errors = 0, 0
	for _, s := range p.Steps {
		p.Requests += s.Requests()
		p.Errors += s.Errors
	}
	all := p.All()
	p.P50, p.P95, p.P99 = all.Quantile(0.50), all.Quantile(0.95), all.Quantile(0.99)
}

// Join adds the interval that follows.
func (p Point) Join(next Point) Point { return p.join(next, true) }

// join adds another interval: the next one, or the same of another generator, whose seconds are the same seconds.
func (p Point) join(o Point, next bool) Point {
	sum := Point{Start: p.Start, Seconds: p.Seconds, Places: p.Places + o.Places}
	if next {
		sum.Seconds += o.Seconds
		sum.Users = max(p.Users, o.Users)
		if sum.Seconds > 0 {
			sum.Level = (p.Level*p.Seconds + o.Level*o.Seconds) / sum.Seconds
		}
	} else {
		sum.Users, sum.Level = p.Users+o.Users, p.Level+o.Level
	}
	sum.Steps = joinSteps(p.Steps, o.Steps)
	if len(p.Kinds)+len(o.Kinds) > 0 {
		sum.Kinds = addUp(addUp(map[string]int64{}, p.Kinds), o.Kinds)
	}
	sum.count()
	return sum
}

func joinSteps(a, b map[string]StepPoint) map[string]StepPoint {
	sum := map[string]StepPoint{}
	for _, steps := range []map[string]StepPoint{a, b} {
		for name, s := range steps {
			was := sum[name]
			sum[name] = StepPoint{was.Errors + s.Errors, buckets.Merge(was.Times, s.Times)}
		}
	}
	return sum
}

// addUp adds counts to those in into, and returns it.
func addUp(into, counts map[string]int64) map[string]int64 {
	for name, n := range counts {
		into[name] += n
	}
	return into
}

// gauges are what a point says besides counts.
type gauges struct {
	users int64
	area  float64 // below the curve of the load, since the run began
}

// series turns what the tallies gathered since the last tick into points.
type series struct {
	rec    *recorder
	points []Point
	every  int // ticks that make a point
	ticks  int // in the last point
	at     float64
	area   float64              // below the curve, up to at
	total  map[string]StepPoint // since the beginning
}

func newSeries(r *recorder) *series { return &series{rec: r, every: 1} }

// gather closes the interval that ends now, so many seconds after the run began.
func (s *series) gather(elapsed float64, g gauges) Point {
	var steps [stepCount]buckets.Counts
	var bad [stepCount]int64
	p := Point{Start: s.at, Seconds: elapsed - s.at, Users: g.users, Steps: map[string]StepPoint{}}
	if p.Seconds > 0 {
		p.Level = (g.area - s.area) / p.Seconds
	}
	for _, t := range s.rec.tallies {
		t.mu.Lock()
		for i := range steps {
			t.tick.steps[i].Take(&steps[i])
			bad[i] += t.tick.bad[i]
		}
		t.tick.bad = [stepCount]int64{}
		for kind, n := range t.tick.kinds {
			if p.Kinds == nil {
				p.Kinds = map[string]int64{}
			}
			p.Kinds[kind] += n
		}
		clear(t.tick.kinds)
		p.Places += t.tick.places
		t.tick.places = 0
		t.mu.Unlock()
	}
	for i, name := range stepNames {
		if times := steps[i].Sparse(); times != nil {
			p.Steps[name] = StepPoint{bad[i], times}
		}
	}
	p.count()
	s.at, s.area, s.total = elapsed, g.area, joinSteps(s.total, p.Steps)
	return p
}

func (s *series) add(p Point) {
	if s.ticks > 0 && s.ticks < s.every {
		end := &s.points[len(s.points)-1]
		*end = end.join(p, true)
		s.ticks++
		return
	}
	if len(s.points) == maxPoints {
		for i := range maxPoints / 2 {
			s.points[i] = s.points[2*i].join(s.points[2*i+1], true)
		}
		clear(s.points[maxPoints/2:])
		s.points = s.points[:maxPoints/2]
		s.every *= 2
	}
	s.points = append(s.points, p)
	s.ticks = 1
}

// mergePoints adds the points of another generator to those in whose time they lie.
func mergePoints(a, b []Point) []Point {
	for _, p := range b {
		middle := p.Start + p.Seconds/2
		i := sort.Search(len(a), func(i int) bool { return a[i].Start+a[i].Seconds > middle })
		if i == len(a) {
			a = append(a, p)
		} else {
			a[i] = a[i].join(p, false)
		}
	}
	return a
}

func seconds(microseconds int64) float64 { return float64(microseconds) / 1e6 }
