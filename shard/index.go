package shard

import (
	"math"
	"math/bits"
)

// index finds a ring's places by the first 32 bits of a digest.
type index struct {
	leads []leadPlace // of the places, and some that are behind all of them
	// first narrows the search: first[b] is the first place whose leading bits are at least b. There are about twice as
	// many slots as places, so that a key's own slot rarely holds more than one.
	first []int32
	shift uint // from a lead to its slot
}

// leadPlace is what a search needs of a place. It is small: neighbours come from memory together.
type leadPlace struct {
	lead  uint32
	owner int32
}

// compared is how many places reach looks at without a branch, which a processor would guess wrong for many keys.
const compared = 3

func newIndex(places []place) index {
	width := min(bits.Len(uint(len(places))), 32)
	x := index{first: make([]int32, 1<<width), shift: uint(32 - width)} //nolint:gosec // 0 to 32
	for _, p := range places {
		x.leads = append(x.leads, leadPlace{p.lead(), p.owner})
	}
	at := 0
	for slot := range x.first {
		for at < len(places) && int(x.leads[at].lead>>x.shift) < slot {
			at++
		}
		x.first[slot] = int32(at) //nolint:gosec // as many as fit into memory
	}
	for range compared { // behind the last place comes the first one, whatever is looked for
		x.leads = append(x.leads, leadPlace{math.MaxUint32, places[0].owner})
	}
	return x
}

// reach is the first place whose lead is at least l; behind the last one, the number of places.
func (x *index) reach(l uint32) int {
	for i := int(x.first[l>>x.shift]); ; i += compared {
		near := x.leads[i : i+compared]
		if n := below(near[0].lead, l) + below(near[1].lead, l) + below(near[2].lead, l); n < compared {
			return i + n
		}
	}
}

// below is 1 if a < b, else 0.
func below(a, b uint32) int { return int((uint64(a) - uint64(b)) >> 63) } //nolint:gosec // one bit
