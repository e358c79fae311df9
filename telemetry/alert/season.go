package alert

import (
	"slices"
	"time"
)

// point is a step's average, on the anomaly's scale.
type point struct {
	at time.Time
	x  float64
}

// ring are the last size points.
type ring struct {
	size   int
	points []point
	next   int // once it is full
	sorted []float64
}

func (r *ring) len() int { return len(r.points) }

func (r *ring) add(p point) {
	if len(r.points) < r.size {
		r.points = append(r.points, p)
		return
	}
	r.points[r.next] = p
	r.next = (r.next + 1) % r.size
}

func (r *ring) oldest() point { return r.points[r.next%len(r.points)] }

// normal makes a median absolute deviation comparable to a standard deviation.
const normal = 1.4826

// spread is the median of what is left of the points without offset, and their noise. O(n log n).
func (r *ring) spread(offset func(time.Time) float64) (middle, noise float64) {
	r.sorted = r.sorted[:0]
	for _, p := range r.points {
		r.sorted = append(r.sorted, p.x-offset(p.at))
	}
	middle = medianOf(r.sorted)
	for i, v := range r.sorted {
		r.sorted[i] = max(v-middle, middle-v)
	}
	return middle, normal * medianOf(r.sorted)
}

// medianOf sorts v.
func medianOf(v []float64) float64 {
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// season is what is usual by the time of day, in quarters of an hour, as an average over days in which the last counts most.
type season struct {
	usual [quarters]float64
	known [quarters]bool
	now   int // quarter being learnt
	day   int64
	sum   float64
	n     int
}

const (
	quarters = 96
	quarter  = 24 * time.Hour / quarters
	newDay   = 0.3 // weight of a new day against those before
)

func (s *season) learn(t time.Time, x float64) {
	q, day := int(t.Unix()/int64(quarter/time.Second)%quarters), t.Unix()/86400
	if q != s.now || day != s.day {
		if s.n > 0 {
			mean := s.sum / float64(s.n)
			if s.known[s.now] {
				mean = (1-newDay)*s.usual[s.now] + newDay*mean
			}
			s.usual[s.now], s.known[s.now] = mean, true
		}
		s.now, s.day, s.sum, s.n = q, day, 0, 0
	}
	s.sum, s.n = s.sum+x, s.n+1
}

// around are the two quarters whose middles t lies between, and how far it is from the first to the second.
func around(t time.Time) (a, b int, share float64) {
	pos := float64(t.Unix()%86400)/quarter.Seconds() - 0.5
	if pos < 0 {
		pos += quarters
	}
	a = int(pos)
	return a, (a + 1) % quarters, pos - float64(a)
}

// knows tells whether another day has told what is usual at t.
func (s *season) knows(t time.Time) bool {
	a, b, _ := around(t)
	return s.known[a] && s.known[b]
}

// at is what is usual at t.
func (s *season) at(t time.Time) float64 {
	a, b, share := around(t)
	return (1-share)*s.usual[a] + share*s.usual[b]
}
