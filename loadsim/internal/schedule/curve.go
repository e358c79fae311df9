// Package schedule says when load is due: curves of a level over time (requests a second, or shoppers at once), and the
// arrivals that a curve of rates means.
package schedule

import (
	"math"
	"sort"
	"time"
)

// Stage is a stretch of time in which the level goes evenly from one value to another.
type Stage struct {
	For      time.Duration
	From, To float64
}

// Curve is a level over time: stages, one after another. The zero value is over at once.
type Curve struct {
	stages []Stage
	starts []time.Duration // of each stage, and the end of the last one
	areas  []float64       // below the curve up to there, in level × seconds
}

// New makes a curve. Stages with no length are steps of the level and may be left out; negative ones count as empty.
func New(stages []Stage) Curve {
	c := Curve{starts: []time.Duration{0}, areas: []float64{0}}
	for _, s := range stages {
		if s.For <= 0 {
			continue
		}
		s.From, s.To = max(s.From, 0), max(s.To, 0)
		last := len(c.stages)
		c.stages = append(c.stages, s)
		c.starts = append(c.starts, c.starts[last]+s.For)
		c.areas = append(c.areas, c.areas[last]+s.For.Seconds()*(s.From+s.To)/2)
	}
	return c
}

// Flat is a curve of one level.
func Flat(level float64, d time.Duration) Curve { return New([]Stage{{d, level, level}}) }

// Length is how long the curve goes on.
func (c Curve) Length() time.Duration {
	if len(c.stages) == 0 {
		return 0
	}
	return c.starts[len(c.stages)]
}

// Area is what is below the whole curve, in level × seconds: of rates, how many arrivals there are.
func (c Curve) Area() float64 {
	if len(c.stages) == 0 {
		return 0
	}
	return c.areas[len(c.stages)]
}

// Peak is the highest level.
func (c Curve) Peak() (peak float64) {
	for _, s := range c.stages {
		peak = max(peak, s.From, s.To)
	}
	return peak
}

// Scale multiplies levels and stretches time.
func (c Curve) Scale(level, length float64) Curve {
	scaled := make([]Stage, len(c.stages))
	for i, s := range c.stages {
		scaled[i] = Stage{time.Duration(math.Round(float64(s.For) * length)), s.From * level, s.To * level}
	}
	return New(scaled)
}

// At is the level at a moment: the later stage's where two meet, 0 outside the curve.
func (c Curve) At(t time.Duration) float64 {
	if t < 0 || t >= c.Length() {
		return 0
	}
	i := sort.Search(len(c.stages), func(i int) bool { return c.starts[i+1] > t })
	s := c.stages[i]
	return s.From + (s.To-s.From)*(t-c.starts[i]).Seconds()/s.For.Seconds()
}

// Below is the area below the curve up to a moment.
func (c Curve) Below(t time.Duration) float64 {
	if t <= 0 || len(c.stages) == 0 {
		return 0
	}
	if t >= c.Length() {
		return c.Area()
	}
	i := sort.Search(len(c.stages), func(i int) bool { return c.starts[i+1] > t })
	return c.areas[i] + (t-c.starts[i]).Seconds()*(c.stages[i].From+c.At(t))/2
}

// when is the first moment up to which the curve has this area below it; area must lie within the curve's.
func (c Curve) when(area float64) time.Duration {
	i := min(sort.Search(len(c.stages), func(i int) bool { return c.areas[i+1] >= area }), len(c.stages)-1)
	s, left := c.stages[i], area-c.areas[i]
	slope := (s.To - s.From) / s.For.Seconds()
	root := math.Sqrt(max(0, s.From*s.From+2*slope*left))
	if s.From+root == 0 {
		return c.starts[i]
	}
	t := time.Duration(2 * left / (s.From + root) * float64(time.Second))
	return c.starts[i] + min(max(t, 0), s.For)
}
