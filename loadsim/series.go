package loadsim

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxPoints bounds the time series; when it is full, neighbours are joined and the resolution halves.
const maxPoints = 7200

// Point is one interval of the time series.
type Point struct {
	Start    float64 `json:"t"`        // seconds since the run began
	Seconds  float64 `json:"seconds"`  // length of the interval
	Requests int64   `json:"requests"` // finished in it
	Errors   int64   `json:"errors"`   // of them bad
	P95      float64 `json:"p95"`      // seconds; of joined intervals the larger
}

// Snapshot is how a run stands, for progress displays.
type Snapshot struct {
	Elapsed  time.Duration
	Duration time.Duration
	Users    int
	Requests int64 // so far
	Errors   int64 // so far
	Orders   int64 // so far
	Last     Point // the last second
}

// series turns what the tallies gathered since the last tick into points.
type series struct {
	rec    *recorder
	points []Point
	every  int // ticks that make a point
	ticks  int // in the last point
	at     float64
	tick   *hdrhistogram.Histogram
}

func newSeries(r *recorder) *series { return &series{rec: r, every: 1, tick: newHistogram()} }

// advance closes the interval that ends now, elapsed after the run began, and returns it.
func (s *series) advance(elapsed time.Duration) Point {
	s.tick.Reset()
	p := Point{Start: s.at, Seconds: elapsed.Seconds() - s.at}
	for _, t := range s.rec.tallies {
		t.mu.Lock()
		p.Requests += t.ticked
		p.Errors += t.tickedErrors
		s.tick.Merge(t.tick)
		t.tick.Reset()
		t.ticked, t.tickedErrors = 0, 0
		t.mu.Unlock()
	}
	p.P95 = seconds(s.tick.ValueAtQuantile(95))
	s.at = elapsed.Seconds()
	s.add(p)
	return p
}

func (s *series) add(p Point) {
	if s.ticks > 0 && s.ticks < s.every {
		end := &s.points[len(s.points)-1]
		*end = join(*end, p)
		s.ticks++
		return
	}
	if len(s.points) == maxPoints {
		for i := range maxPoints / 2 {
			s.points[i] = join(s.points[2*i], s.points[2*i+1])
		}
		s.points = s.points[:maxPoints/2]
		s.every *= 2
	}
	s.points = append(s.points, p)
	s.ticks = 1
}

func join(a, b Point) Point {
	return Point{
		Start: a.Start, Seconds: a.Seconds + b.Seconds, P95: max(a.P95, b.P95),
		Requests: a.Requests + b.Requests, Errors: a.Errors + b.Errors,
	}
}

func seconds(microseconds int64) float64 { return float64(microseconds) / 1e6 }
