package analytics

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// seen remembers the ids of the last while, exactly. An id is 16 bytes; where its version and variant are, the slot keeps the version
// in two bits and, in the other four, in which period it came. Slots are probed one after the other, and split into segments that
// grow one by one, so that none of them holds anybody up for long.
type seen struct {
	segments [segments]segment
	seed     [2]uint64
	period   time.Duration
	window   uint8 // periods
	gen      uint8 // the present one, 1 to maxGen
	began    time.Time
	byGen    [maxGen + 1]int // ids remembered of each period
	most     int             // ids at a time
	early    int             // ids forgotten before their time
}

const (
	segments   = 256
	maxGen     = 15
	fullWindow = 12     // periods: the present one, and those of the window
	genBits    = 0xf000 // of slot.hi: where a UUID has its version
	minSlots   = 64
)

type slot struct{ hi, lo uint64 } // hi's genBits are the period; 0 where no id ever was

type segment struct {
	slots []slot
	used  int // slots that are not empty, with those that are forgotten
}

// newSeen remembers ids for window, and at most so many.
func newSeen(window time.Duration, most int, now time.Time) *seen {
	s := &seen{seed: [2]uint64{rand.Uint64() | 1, rand.Uint64()}, period: window / (fullWindow - 1), window: fullWindow, gen: 1, began: now, most: most}
	for i := range s.segments {
		s.segments[i].slots = make([]slot, minSlots)
	}
	return s
}

// advance moves on to the period that now is in, and forgets what is too old or too much.
func (s *seen) advance(now time.Time) {
	steps := int(now.Sub(s.began) / s.period)
	if steps <= 0 {
		return
	}
	for range min(steps, maxGen) {
		s.next()
	}
	s.began = s.began.Add(time.Duration(steps) * s.period)
}

func (s *seen) next() {
	s.gen = s.gen%maxGen + 1
	// What bears the new number is older than the window; it counts as new now until its slot is used again, which does no harm: an
	// id that comes again is a duplicate however old.
	s.byGen[s.gen] = 0
	s.window = min(s.window+1, fullWindow) // what trim took away comes back
}

// alive tells whether ids of a period are still remembered.
func (s *seen) alive(gen uint8) bool { return gen != 0 && (s.gen+maxGen-gen)%maxGen < s.window }

func (s *seen) len() (n int) {
	for g := uint8(1); g <= maxGen; g++ {
		if s.alive(g) {
			n += s.byGen[g]
		}
	}
	return n
}

func (s *seen) hash(hi, lo uint64) uint64 {
	h, l := bits.Mul64(hi^s.seed[1], lo|1)
	h2, l2 := bits.Mul64((h^l)+lo, s.seed[0])
	return h2 ^ l2
}

// pack makes a slot of an id, without its period.
func pack(id ID) slot {
	hi, lo := id.halves()
	return slot{hi &^ genBits, lo&^(3<<62) | versionCode[hi>>12&0xf]<<62}
}

// versionCode numbers the versions that are taken.
var versionCode = [16]uint64{4: 1, 7: 2, 8: 3}

// add remembers an id, and tells whether it is new.
func (s *seen) add(id ID) bool {
	p := pack(id)
	h := s.hash(p.hi, p.lo)
	seg := &s.segments[h>>56]
	mask := uint64(len(seg.slots) - 1)
	free := -1
	for i := h & mask; ; i = (i + 1) & mask {
		at := &seg.slots[i]
		gen := uint8((at.hi & genBits) >> 12)
		if gen == 0 {
			if free < 0 {
				free = int(i)
				seg.used++
			}
			break
		}
		if at.lo == p.lo && at.hi&^genBits == p.hi {
			if s.alive(gen) {
				return false
			}
			free = int(i)
			break
		}
		if free < 0 && !s.alive(gen) {
			free = int(i)
		}
	}
	seg.slots[free] = slot{p.hi | uint64(s.gen)<<12, p.lo}
	s.byGen[s.gen]++
	if 4*seg.used > 3*len(seg.slots) {
		s.rebuild(seg)
	}
	return true
}

// touch reads where ids will be looked for, so that these reads, which miss every cache, wait for memory together and not one after the
// other. What it returns means nothing.
func (s *seen) touch(ids []ID) (sum uint64) {
	for _, id := range ids {
		p := pack(id)
		h := s.hash(p.hi, p.lo)
		slots := s.segments[h>>56].slots
		sum += slots[h&uint64(len(slots)-1)].lo
	}
	return sum
}

// rebuild leaves out what is forgotten and makes room.
func (s *seen) rebuild(seg *segment) {
	live := 0
	for _, at := range seg.slots {
		if s.alive(uint8((at.hi & genBits) >> 12)) {
			live++
		}
	}
	size := minSlots
	for 2*live > size {
		size *= 2
	}
	old := seg.slots
	seg.slots, seg.used = make([]slot, size), live
	mask := uint64(size - 1)
	for _, at := range old {
		if !s.alive(uint8((at.hi & genBits) >> 12)) {
			continue
		}
		i := s.hash(at.hi&^genBits, at.lo) & mask
		for seg.slots[i].hi&genBits != 0 {
			i = (i + 1) & mask
		}
		seg.slots[i] = at
	}
}

// trim forgets the oldest periods early while there are more ids than allowed.
func (s *seen) trim() {
	for s.window > 1 && s.len() > s.most {
		oldest := (s.gen+maxGen-s.window)%maxGen + 1
		s.early += s.byGen[oldest]
		s.window--
	}
}
