package cache

import (
	"hash/maphash"
	"sync/atomic"
)

// generations tells which values in this process are out of date, without an index from tags to values.
//
// Every invalidation takes the next number and writes it into the slot its tag hashes to. A value remembers the number
// at which reading it began; it is fresh while none of its tags' slots holds a higher one. So an invalidation reaches values whose load
// is still on its way and whose tags nobody knows yet. Two tags in one slot drop each other's values,
// which costs a load now and then and is never wrong; memory is fixed.
type generations struct {
	seq     atomic.Uint64
	cleared atomic.Uint64
	done    atomic.Uint64 // invalidations that have reached their slots: while it stands still, so does freshness
	slots   [slotCount]atomic.Uint64
	seed    maphash.Seed
}

// slotCount makes 512 KiB: one invalidation drops one unrelated value in 65,536.
const slotCount = 1 << 16

func newGenerations() *generations {
	g := &generations{seed: maphash.MakeSeed()}
	g.seq.Store(1)
	return g
}

// now is the number that a read beginning now remembers.
func (g *generations) now() uint64 { return g.seq.Load() }

// slotsOf appends the slots of tags, in their order, and then that of the key itself.
func (g *generations) slotsOf(out []uint32, family, key string, tags []string) []uint32 {
	if n := len(tags) + 1; n > cap(out) {
		out = make([]uint32, 0, n)
	}
	for _, tag := range tags {
		out = append(out, g.slot(tag))
	}
	return append(out, g.keySlot(family, key))
}

func (g *generations) slot(tag string) uint32 { return uint32(maphash.String(g.seed, tag) % slotCount) }

func (g *generations) keySlot(family, key string) uint32 {
	return uint32((maphash.String(g.seed, family)*31 ^ maphash.String(g.seed, key)) % slotCount)
}

// bumpKeys invalidates what was read before now under these keys.
func (g *generations) bumpKeys(refs []keyRef) {
	for _, r := range refs {
		raise(&g.slots[g.keySlot(r.Family, r.Key)], g.seq.Add(1))
	}
	g.done.Add(1)
}

// bump invalidates everything read before now under one of the tags.
func (g *generations) bump(tags []string) {
	for _, tag := range tags {
		slot := &g.slots[maphash.String(g.seed, tag)%slotCount]
		raise(slot, g.seq.Add(1))
	}
	g.done.Add(1)
}

// replaceKey makes what was read before now under a key out of date, but not what put stores, which is born at the number it gets.
func (g *generations) replaceKey(family, key string, put func(born uint64)) {
	n := g.seq.Add(1)
	put(n)
	raise(&g.slots[g.keySlot(family, key)], n)
	g.done.Add(1)
}

// clear invalidates everything read before now.
func (g *generations) clear() {
	raise(&g.cleared, g.seq.Add(1))
	g.done.Add(1)
}

// newest is the number of the last invalidation that concerns the slots.
func (g *generations) newest(slots []uint32) uint64 {
	n := g.cleared.Load()
	for _, s := range slots {
		n = max(n, g.slots[s].Load())
	}
	return n
}

// newestAt is newest for one slot.
func (g *generations) newestAt(slot uint64) uint64 {
	return max(g.cleared.Load(), g.slots[slot].Load())
}

func raise(v *atomic.Uint64, to uint64) {
	for {
		old := v.Load()
		if old >= to || v.CompareAndSwap(old, to) {
			return
		}
	}
}
