package cache

import "sync"

// victims holds what the policy of L1 has pushed out last, in the order of use, within a small share of the family's memory. The
// policy (W-TinyLFU) favours what is asked for often over what was asked for lately; where the latter pays, as in a catalogue where
// everybody looks at what is new, this gives it a second chance. What is found here goes back into L1.
type victims[V any] struct {
	max uint64

	mu    sync.Mutex
	byKey map[string]*victim[V]
	ends  victim[V] // next is the newest, prev the oldest
	bytes uint64
}

type victim[V any] struct {
	key        string
	e          *entry[V]
	prev, next *victim[V]
}

// victimShare is the part of a family's memory, one in so many. A twentieth to a fifth made no great difference on the traces tried:
// more helps where the recent is asked for, and costs as much elsewhere.
const victimShare = 16

func newVictims[V any](max uint64) *victims[V] {
	v := &victims[V]{max: max, byKey: map[string]*victim[V]{}}
	v.ends.prev, v.ends.next = &v.ends, &v.ends
	return v
}

// put adds what was pushed out, and returns how many had to go for good.
func (v *victims[V]) put(key string, e *entry[V]) (lost uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if old := v.byKey[key]; old != nil {
		v.drop(old)
	}
	if uint64(e.weight) > v.max {
		return 1
	}
	n := &victim[V]{key: key, e: e, prev: &v.ends, next: v.ends.next}
	n.prev.next, n.next.prev = n, n
	v.byKey[key] = n
	for v.bytes += uint64(e.weight); v.bytes > v.max; lost++ {
		v.drop(v.ends.prev)
	}
	return lost
}

// take removes what there is of key; nil if nothing.
func (v *victims[V]) take(key string) *entry[V] {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.byKey[key]
	if n == nil {
		return nil
	}
	v.drop(n)
	return n.e
}

// drop unlinks n. The caller holds mu.
func (v *victims[V]) drop(n *victim[V]) {
	n.prev.next, n.next.prev = n.next, n.prev
	delete(v.byKey, n.key)
	v.bytes -= uint64(n.e.weight)
}

func (v *victims[V]) clear() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.byKey)
	v.ends.prev, v.ends.next, v.bytes = &v.ends, &v.ends, 0
}

func (v *victims[V]) size() (entries int, bytes uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.byKey), v.bytes
}

// each calls fn with what there is, newest first, until it says no. fn must be quick.
func (v *victims[V]) each(fn func(key string, e *entry[V]) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for n := v.ends.next; n != &v.ends; n = n.next {
		if !fn(n.key, n.e) {
			return
		}
	}
}
