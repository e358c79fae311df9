package warm

import "fmt"

// Tuning is what was learnt from the runs so far: how many items pay, and how many a second do no harm.
type Tuning struct {
	Amount int     `json:"amount"`
	Rate   float64 `json:"rate"`
}

const (
	bands     = 8  // that ranks are divided into
	leastBand = 16 // items of a band, where there are as many
	least     = 64 // Amount does not fall below, as less would teach nothing

	muchPaused = 0.2 // of a run's time
	tooLate    = 0.1 // of its items
)

// within keeps a tuning inside the bounds of o; what was never learnt begins with half.
func (t Tuning) within(o Options) Tuning {
	if t.Amount <= 0 {
		t.Amount = max(o.Top/2, 1)
	}
	if !(t.Rate > 0) {
		t.Rate = o.Rate / 2
	}
	return Tuning{min(max(t.Amount, min(least, o.Top)), o.Top), min(max(t.Rate, o.Rate/16), o.Rate)}
}

// adjusted is the tuning after a run whose items were watched long enough. The amount goes as deep into the ranking as items are used:
// an eighth further when those at the end still are, else back to where they stop being, at most to half. The rate goes up when items were
// asked for before their turn came, down when few were used or the run had to pause: then there is no hurry.
func (t Tuning) adjusted(w *watch, pausedShare float64, o Options) (Tuning, string) {
	t = t.within(o)
	from, to := w.ranked, len(w.marks)
	if to-from < leastBand {
		return t, "too few items to learn from"
	}
	size := max((to-from+bands-1)/bands, leastBand)
	deepest := 0
	for at := from; at < to; at += size {
		end := min(at+size, to)
		if e := w.effect(at, end); e.Warmed > 0 && share(e.Used+e.Late, e.Planned) >= o.MinUse {
			deepest = end - from
		}
	}
	all, was := w.effect(from, to), t
	switch {
	case deepest == to-from && to-from >= t.Amount:
		t.Amount += max(t.Amount/bands, leastBand)
	case deepest < to-from:
		t.Amount = max(deepest, t.Amount/2)
	}
	switch {
	case pausedShare > muchPaused || share(all.Used+all.Late, all.Planned) < o.MinUse:
		t.Rate *= 0.75
	case share(all.Late, all.Planned) > tooLate:
		t.Rate *= 1.5
	}
	t = t.within(o)
	return t, fmt.Sprintf("%d of %d warmed items were asked for, %d before their turn: amount %d to %d, rate %.0f/s to %.0f/s",
		all.Used, all.Warmed, all.Late, was.Amount, t.Amount, was.Rate, t.Rate)
}
