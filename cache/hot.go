package cache

import (
	"sync"
	"sync/atomic"

	"github.com/stampede-shop/stampede/sketch"
)

// hotKeys watches which keys are asked for most, and which tags throw out most, from samples, in fixed memory.
type hotKeys struct {
	mu       sync.Mutex
	keys     *sketch.TopK
	counts   *sketch.CountMin // corrects what TopK overestimates
	culprits *sketch.TopK
	slow     atomic.Uint64 // counts what is not a hit in L1, to sample it
}

const (
	hotTracked   = 256
	hotShown     = 20
	slowEvery    = 8       // one of so many answers that are not from L1 is looked at
	hotHalveFrom = 1 << 22 // the past is forgotten by halves
)

func (h *hotKeys) init() {
	h.keys, h.counts, h.culprits = sketch.NewTopK(hotTracked), sketch.NewCountMin(0.0005, 0.01), sketch.NewTopK(hotTracked)
}

// see counts an answer that did not come from L1.
func (h *hotKeys) see(family, key string, n uint64) {
	if h.slow.Add(1)%slowEvery == 0 {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.add(family, key, n*slowEvery)
	}
}

// sample counts a hit in L1 that stands for many.
func (h *hotKeys) sample(family, key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(family, key, sampleEvery)
}

func (h *hotKeys) add(family, key string, n uint64) {
	name := family + "\x00" + key
	h.keys.Add(name, n)
	h.counts.Add(name, uint32(n))
	if h.keys.Total() > hotHalveFrom {
		h.keys.Halve()
		h.counts.Halve()
	}
}

// culprit notes which tag made a value outdated.
func (h *hotKeys) culprit(g *generations, slots []uint32, tags []string, born uint64) {
	for i, tag := range tags {
		if g.newest(slots[i:i+1]) > born {
			h.mu.Lock()
			h.culprits.Add(tag, 1)
			h.mu.Unlock()
			return
		}
	}
}
