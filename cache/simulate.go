package cache

import (
	"fmt"
	"iter"
	"time"
)

// Simulation is what a replay of a trace found.
type Simulation struct {
	Size     int    `json:"size"`     // how many values there was room for
	Requests uint64 `json:"requests"` // in the trace
	Keys     int    `json:"keys"`     // different ones
	Hits     uint64 `json:"hits"`
	LRUHits  uint64 `json:"lru_hits"` // of one that pushes out the least recently used, for comparison
}

// HitRate is the share of requests that L1 would have answered, 0 to 1.
func (s Simulation) HitRate() float64 { return share(s.Hits, s.Requests) }

// LRUHitRate is HitRate of the least-recently-used policy.
func (s Simulation) LRUHitRate() float64 { return share(s.LRUHits, s.Requests) }

func share(part, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// Simulate replays keys, in order, through L1's policy with room for size values of equal weight, which never expire. The policy does
// its work at once: a busy cache would go over its bound for moments and look better than it is. A sequence that fails ends the
// replay with its error.
func Simulate(keys iter.Seq2[string, error], size int) (Simulation, error) {
	sim := Simulation{Size: size}
	if size < 1 {
		return sim, fmt.Errorf("%w: a cache of %d values", ErrOptions, size)
	}
	s, err := NewStore(Options{})
	if err != nil {
		return sim, err
	}
	defer s.Close()
	const (
		ever        = 1000 * time.Hour
		usualPlaces = 4 // values of a KiB for each place in front of L1: see frontShare
	)
	f := &Family[struct{}]{s: s, o: FamilyOptions{L1Only: true, L1Bytes: uint64(size), TTL: ever, L1TTL: ever}.withDefaults(), clock: s.clock}
	f.memory(func(fn func()) { fn() }, uint64(size)/usualPlaces)
	s.add(f)
	lru, seen := newVictims[struct{}](uint64(size)), map[string]struct{}{}
	end := time.Now().Add(ever).UnixNano()
	for key, err := range keys {
		if err != nil {
			return sim, err
		}
		sim.Requests++
		seen[key] = struct{}{}
		e := f.held(key)
		if e != nil {
			sim.Hits++
			f.countHit(e)
		} else {
			e = newEntry(key, struct{}{}, false, facts{born: s.gens.now(), weight: 1, until: end, expires: end, dead: end})
			f.l1.Set(key, e)
		}
		old := lru.take(key)
		if old != nil {
			sim.LRUHits++
		} else {
			old = e
		}
		lru.put(key, old)
	}
	sim.Keys = len(seen)
	return sim, nil
}
