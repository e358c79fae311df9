package sketch

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
)

// saving is space-saving (Metwally, Agrawal and El Abbadi 2005) over whole or fractional counts: a fixed number of keys,
// the one counted least giving way to a new one, which inherits its count as its error.
type saving[N uint64 | float64] struct {
	capacity int
	byKey    map[string]*slot[N]
	least    slots[N]
}

type slot[N uint64 | float64] struct {
	key        string
	count, err N
	at         int // in the heap
}

func newSaving[N uint64 | float64](capacity int) saving[N] {
	capacity = max(capacity, 1)
	return saving[N]{capacity: capacity, byKey: make(map[string]*slot[N], min(capacity, 1<<16))}
}

// add counts key n times, of which at most err are in doubt. O(log capacity).
func (s *saving[N]) add(key string, n, err N) {
	if e := s.byKey[key]; e != nil {
		e.count += n
		e.err += err
		heap.Fix(&s.least, e.at)
		return
	}
	key = strings.Clone(key) // not the buffer it may be a part of
	if len(s.least) < s.capacity {
		e := &slot[N]{key: key, count: n, err: err}
		s.byKey[key] = e
		heap.Push(&s.least, e)
		return
	}
	e := s.least[0]
	delete(s.byKey, e.key)
	e.key, e.err = key, e.count+err
	e.count += n
	s.byKey[key] = e
	heap.Fix(&s.least, 0)
}

// remove forgets key.
func (s *saving[N]) remove(key string) {
	if e := s.byKey[key]; e != nil {
		heap.Remove(&s.least, e.at)
		delete(s.byKey, key)
	}
}

// scale changes every count; the order must stay.
func (s *saving[N]) scale(by func(N) N) {
	for _, e := range s.least {
		e.count, e.err = by(e.count), by(e.err)
	}
	heap.Init(&s.least)
}

// top are at most n slots, counted most first; slots alike come in the order of their keys.
func (s *saving[N]) top(n int) []*slot[N] {
	out := slices.Clone(s.least)
	slices.SortFunc(out, func(a, b *slot[N]) int {
		return cmp.Or(cmp.Compare(b.count, a.count), strings.Compare(a.key, b.key))
	})
	return out[:min(max(n, 0), len(out))]
}

// slots is a heap with the key counted least on top.
type slots[N uint64 | float64] []*slot[N]

func (s slots[N]) Len() int           { return len(s) }
func (s slots[N]) Less(i, j int) bool { return s[i].count < s[j].count }
func (s slots[N]) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].at, s[j].at = i, j
}

// Push is for package heap.
func (s *slots[N]) Push(x any) {
	e := x.(*slot[N])
	e.at = len(*s)
	*s = append(*s, e)
}

// Pop is for package heap.
func (s *slots[N]) Pop() any {
	old := *s
	e := old[len(old)-1]
	*s = old[:len(old)-1]
	return e
}
