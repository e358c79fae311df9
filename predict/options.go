package predict

import (
	"fmt"
	"slices"
	"time"
)

// Campaign is when what was, or will be, promoted.
type Campaign struct {
	Start, End time.Time
	Codes      []string
}

// on tells whether a period that begins at a moment has the campaign in it.
func (c Campaign) on(at time.Time, h Horizon) bool {
	return c.Start.Before(h.after(at)) && c.End.After(at)
}

// Options of a [Model]; the zero value works.
type Options struct {
	// Seed is what chance in training comes from. Default 1.
	Seed uint64
	// Window is over how many periods trees are trained. Default 90 days, or 200 hours.
	Window int
	// Aims are the numbers of best sellers that it learns to name, ascending. Default 20, 50, 100.
	Aims []int
	// Candidates is how many products, those with the best past, are ranked by more than their frequency. Default 600.
	Candidates int
	// Trees is how many are trained. Default 60.
	Trees int
	// Depth is how deep they are. Default 4.
	Depth int
	// Record is how many of the last periods decide whether the model ranks or the frequency does. Default 20 days, or 100 hours.
	Record int
	// Campaigns are known ones, past and to come.
	Campaigns []Campaign
	// MaxProducts bounds how many products are kept; the ones not sold for longest are forgotten. Default 100,000.
	MaxProducts int
}

func (o Options) withDefaults(h Horizon) Options {
	window, record := 90, 20
	if h == Hour {
		window, record = 200, 100
	}
	if len(o.Aims) == 0 {
		o.Aims = []int{20, 50, 100}
	}
	def(&o.Seed, 1)
	def(&o.Window, window)
	def(&o.Candidates, 600)
	def(&o.Trees, 60)
	def(&o.Depth, 4)
	def(&o.Record, record)
	def(&o.MaxProducts, 100_000)
	return o
}

func (o Options) check() error {
	if len(o.Aims) == 0 || slices.Min([]int{o.Window, o.Candidates, o.Trees, o.Depth, o.Record, o.MaxProducts}) < 1 || o.Depth > 10 {
		return fmt.Errorf("%w: window, candidates, trees, depth (at most 10), record and products have to be positive, and there has to be an aim", ErrOptions)
	}
	if !slices.IsSorted(o.Aims) || o.Aims[0] < 1 {
		return fmt.Errorf("%w: aims %v: positive numbers, ascending", ErrOptions, o.Aims)
	}
	return nil
}

// most is the largest aim.
func (o Options) most() int { return o.Aims[len(o.Aims)-1] }

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
