package waf

import (
	"hash/maphash"
	"sync"
)

// fingerprint is a hash of 128 bits under random keys: nobody outside can find two parts with the same.
type fingerprint [2]uint64

// cleanSet remembers the fingerprints of parts in which the rules found nothing. It is bounded: two generations, of
// which the older goes when the younger is full; what is asked for moves into the younger.
type cleanSet struct {
	seeds [2]maphash.Seed
	half  int

	mu         sync.Mutex
	young, old map[fingerprint]struct{}
}

func newCleanSet(entries int) *cleanSet {
	return &cleanSet{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, half: max(1, entries/2),
		young: map[fingerprint]struct{}{}}
}

func (c *cleanSet) of(part []byte) fingerprint {
	return fingerprint{maphash.Bytes(c.seeds[0], part), maphash.Bytes(c.seeds[1], part)}
}

func (c *cleanSet) ofString(part string) fingerprint {
	return fingerprint{maphash.String(c.seeds[0], part), maphash.String(c.seeds[1], part)}
}

func (c *cleanSet) has(f fingerprint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.young[f]; ok {
		return true
	}
	if _, ok := c.old[f]; !ok {
		return false
	}
	c.put(f)
	return true
}

func (c *cleanSet) add(f fingerprint) {
	c.mu.Lock()
	c.put(f)
	c.mu.Unlock()
}

func (c *cleanSet) put(f fingerprint) {
	if len(c.young) >= c.half {
		c.old, c.young = c.young, make(map[fingerprint]struct{}, c.half)
	}
	c.young[f] = struct{}{}
}

func (c *cleanSet) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.young) + len(c.old)
}
