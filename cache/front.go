package cache

import (
	"hash/maphash"
	"sync/atomic"
)

// front holds what is hit most, so that hits of it need not ask L1's policy, which costs most of a hit. It is a table of entries that
// are in L1 as well: the deletion of one ends it here too. A place is given by chance to one hit in noticeEvery, so that it
// goes to whoever of those that meet in it is asked for most; as many of the hits that it answers are told the policy.
type front[V any] struct {
	seed  maphash.Seed
	slots []place[V] // a power of two
}

// place is where an entry is, with the hash of its key: whoever looks for another key that belongs here does not touch the
// entry's memory for nothing. The hash may be that of the entry before or after; the key decides.
type place[V any] struct {
	hash  atomic.Uint64
	entry atomic.Pointer[entry[V]]
}

const (
	maxFront = 1 << 18 // 4 MiB
	// frontShare is for how many bytes of L1 there is one place: most of what L1 holds is to be left to the policy's own eyes.
	frontShare = 4 << 10
)

// newFront makes a table of at most n places, and at least one.
func newFront[V any](n uint64) *front[V] {
	size := uint64(1)
	for size*2 <= min(n, maxFront) {
		size *= 2
	}
	return &front[V]{maphash.MakeSeed(), make([]place[V], size)}
}

func (f *front[V]) place(key string) (*place[V], uint64) {
	h := maphash.String(f.seed, key)
	return &f.slots[h&uint64(len(f.slots)-1)], h
}

func (f *front[V]) get(key string) *entry[V] {
	p, h := f.place(key)
	if p.hash.Load() != h {
		return nil
	}
	if e := p.entry.Load(); e != nil && e.key == key {
		return e
	}
	return nil
}

// put gives an entry of L1 its place. One that leaves L1 meanwhile is not kept: either drop finds it, or we find it gone.
func (f *front[V]) put(e *entry[V]) {
	p, h := f.place(e.key)
	p.entry.Store(e)
	p.hash.Store(h)
	if e.is(gone) {
		p.entry.CompareAndSwap(e, nil)
	}
}

// drop is told when an entry leaves L1.
func (f *front[V]) drop(e *entry[V]) {
	e.state.Or(gone)
	p, _ := f.place(e.key)
	p.entry.CompareAndSwap(e, nil)
}
