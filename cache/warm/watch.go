package warm

import (
	"sync/atomic"
	"time"
)

// Effect is what warming was good for. Counts are items.
type Effect struct {
	Planned int `json:"planned"` // that were to be brought in
	Warmed  int `json:"warmed"`  // that were
	Used    int `json:"used"`    // of these, asked for within Options.Window
	Loads   int `json:"loads"`   // of those warmed, loaded for it: the extra load
	Avoided int `json:"avoided"` // of Loads, asked for afterwards: loads that nobody had to wait for
	Late    int `json:"late"`    // asked for before their turn came
}

// UseShare is which share of what was warmed was asked for, 0 to 1.
func (e Effect) UseShare() float64 { return share(e.Used, e.Warmed) }

// Wasted is how many loads served nobody.
func (e Effect) Wasted() int { return e.Loads - e.Avoided }

func (e Effect) plus(f Effect) Effect {
	return Effect{e.Planned + f.Planned, e.Warmed + f.Warmed, e.Used + f.Used, e.Loads + f.Loads, e.Avoided + f.Avoided, e.Late + f.Late}
}

func share(part, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// What a watch knows of an item.
const (
	isWarmed = 1 << iota
	isLoaded
	isUsed
	isLate
)

// watch follows what becomes of a run's items. Which item is which never changes, so that looking one up takes no lock.
type watch struct {
	index  map[string]int
	marks  []atomic.Uint32
	ranked int // from here on items are those of the ranking; before, those that were asked for by name
	ended  atomic.Int64
}

func newWatch(keys []string, named int) *watch {
	w := &watch{index: make(map[string]int, len(keys)), marks: make([]atomic.Uint32, len(keys)), ranked: named}
	for i, k := range keys {
		w.index[k] = i
	}
	return w
}

// seen notes that a key was asked for. After the first time it only reads.
func (w *watch) seen(key string) {
	i, ok := w.index[key]
	if !ok {
		return
	}
	m := w.marks[i].Load()
	switch {
	case m&isWarmed == 0 && m&isLate == 0:
		w.marks[i].Or(isLate)
	case m&isWarmed != 0 && m&(isUsed|isLate) == 0:
		w.marks[i].Or(isUsed)
	}
}

// warmed notes that item i was brought in.
func (w *watch) warmed(i int, loaded bool) {
	m := uint32(isWarmed)
	if loaded {
		m |= isLoaded
	}
	w.marks[i].Or(m)
}

// effect counts items from until to.
func (w *watch) effect(from, to int) (e Effect) {
	for i := from; i < to; i++ {
		m := w.marks[i].Load()
		e.Planned++
		if m&isLate != 0 {
			e.Late++
		}
		if m&isWarmed == 0 {
			continue
		}
		e.Warmed++
		if m&isUsed != 0 {
			e.Used++
		}
		if m&isLoaded != 0 {
			e.Loads++
			if m&isUsed != 0 {
				e.Avoided++
			}
		}
	}
	return e
}

// mature tells whether the run ended long enough ago for its effect to be known.
func (w *watch) mature(window time.Duration) bool {
	at := w.ended.Load()
	return at != 0 && time.Since(time.Unix(0, at)) >= window
}
