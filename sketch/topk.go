package sketch

import (
	"container/heap"
	"slices"
	"strings"
)

// Counted is a key with its estimate: Count is at most Error too high, and never too low.
type Counted struct {
	Key   string `json:"key"`
	Count uint64 `json:"count"`
	Error uint64 `json:"error"`
}

// TopK finds the keys that are seen most: space-saving (Metwally, Agrawal and El Abbadi 2005). It tracks a fixed
// number of keys; any key seen more often than Total/capacity is among them.
type TopK struct {
	capacity int
	total    uint64
	byKey    map[string]*slot
	least    slots
}

type slot struct {
	Counted
	at int // in the heap
}

// NewTopK makes one that tracks capacity keys, at least one.
func NewTopK(capacity int) *TopK {
	capacity = max(capacity, 1)
	return &TopK{capacity: capacity, byKey: make(map[string]*slot, capacity)}
}

// Add counts key n times. A new key takes the place of the one seen least and inherits its count as its error.
func (t *TopK) Add(key string, n uint64) {
	t.total += n
	if s := t.byKey[key]; s != nil {
		s.Count += n
		heap.Fix(&t.least, s.at)
		return
	}
	key = strings.Clone(key) // not the buffer it may be a part of
	if len(t.least) < t.capacity {
		s := &slot{Counted: Counted{Key: key, Count: n}}
		t.byKey[key] = s
		heap.Push(&t.least, s)
		return
	}
	s := t.least[0]
	delete(t.byKey, s.Key)
	s.Key, s.Error = key, s.Count
	s.Count += n
	t.byKey[key] = s
	heap.Fix(&t.least, 0)
}

// Top returns at most n keys, most seen first.
func (t *TopK) Top(n int) []Counted {
	out := make([]Counted, 0, len(t.least))
	for _, s := range t.least {
		out = append(out, s.Counted)
	}
	slices.SortFunc(out, func(a, b Counted) int {
		if a.Count != b.Count {
			if a.Count > b.Count {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Key, b.Key)
	})
	return out[:min(max(n, 0), len(out))]
}

// Total is how much was added, after halvings.
func (t *TopK) Total() uint64 { return t.total }

// Halve divides all counts by two, so that what was popular once makes room.
func (t *TopK) Halve() {
	for _, s := range t.least {
		s.Count /= 2
		s.Error /= 2
	}
	heap.Init(&t.least)
	t.total /= 2
}

// slots is a heap with the key seen least on top.
type slots []*slot

func (s slots) Len() int           { return len(s) }
func (s slots) Less(i, j int) bool { return s[i].Count < s[j].Count }
func (s slots) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].at, s[j].at = i, j
}

// Push is for package heap.
func (s *slots) Push(x any) {
	e := x.(*slot)
	e.at = len(*s)
	*s = append(*s, e)
}

// Pop is for package heap.
func (s *slots) Pop() any {
	old := *s
	e := old[len(old)-1]
	*s = old[:len(old)-1]
	return e
}
