package limit

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

// ways is how many clients share a set.
const ways = 8

// slot is one client of one class: key 0 means free.
type slot struct {
	key  uint64
	full int64 // when its bucket is full
}

// set is a few clients behind one lock.
type set struct {
	mu    sync.Mutex
	last  int64 // the latest time seen: the clock does not go back
	slots [ways]slot
}

// table keeps a bounded number of clients. A client whose bucket is full again needs no place: it is as good as
// unknown. If all of a set are busy, the newcomer takes over the place of the one that owes least, together with what
// that one owes. So nobody gains by making others be forgotten: who owes most stays, and who comes new where all are
// busy starts with the least of their debts (the idea of the space-saving sketch of Metwally, Agrawal and El Abbadi).
type table struct {
	addresses maphash.Seed // of the keys of addresses, and
	sessions  maphash.Seed // of sessions
	sets      []set
	shift     int
	evictions atomic.Uint64
}

func newTable(clients int) *table {
	n := 1
	for n*ways < clients {
		n <<= 1
	}
	return &table{addresses: maphash.MakeSeed(), sessions: maphash.MakeSeed(), sets: make([]set, n), shift: 64 - bits.TrailingZeros(uint(n))}
}

func (t *table) set(key uint64) *set {
	if len(t.sets) == 1 {
		return &t.sets[0]
	}
	return &t.sets[key>>t.shift]
}

// take asks b for a request of the client key at the time now.
func (t *table) take(key uint64, b *bucket, now int64) (left int, ok bool, wait int64) {
	s := t.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	now = s.at(now)
	i := s.find(key, now, &t.evictions)
	c := &s.slots[i]
	next, ok, wait := b.take(c.full, now)
	c.full = next
	return b.remaining(next, now), ok, wait
}

// giveBack takes back a request that was admitted here and refused elsewhere.
func (t *table) giveBack(key uint64, b *bucket) {
	s := t.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.slots {
		if s.slots[i].key == key {
			s.slots[i].full -= b.interval
			return
		}
	}
}

// at is the time, or the latest that was seen if that is later.
func (s *set) at(now int64) int64 {
	s.last = max(s.last, now)
	return s.last
}

// find returns the client's slot, making one if need be.
func (s *set) find(key uint64, now int64, evictions *atomic.Uint64) int {
	least := 0
	for i := range s.slots {
		if s.slots[i].key == key {
			return i
		}
		if s.slots[i].full < s.slots[least].full {
			least = i
		}
	}
	if c := &s.slots[least]; c.key != 0 && c.full > now {
		evictions.Add(1)
	}
	s.slots[least].key = key
	return least
}

// busy counts the clients whose buckets are not full at now.
func (t *table) busy(now int64) int {
	n := 0
	for i := range t.sets {
		s := &t.sets[i]
		s.mu.Lock()
		for j := range s.slots {
			if s.slots[j].key != 0 && s.slots[j].full > now {
				n++
			}
		}
		s.mu.Unlock()
	}
	return n
}
