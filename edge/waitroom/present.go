package waitroom

import (
	"math"
	"time"
)

const (
	unseen  = 0 // nobody with that number was seen here: another edge may know them
	settled = 1 // came in, or was passed over

	presentMax = 1 << 20 // numbers that are followed, four bytes each; those beyond count as present
	slack      = 2 * time.Second
)

// What passing over somebody costs of an admission: who is gone takes nothing, but those who have only stood still for a moment come back
// all at once. The longer somebody is missing the less likely that is, and those behind have waited for nobody.
const (
	goneCost  = 0.25
	gonerCost = 0.03
	goneHalf  = 5 * time.Second // after which the cost is half, down to gonerCost
)

// costOf is what passing over somebody costs who was to look by due.
func costOf(due uint32, now time.Time) float64 {
	late := time.Duration(now.Unix()-int64(due)) * time.Second
	return max(gonerCost, goneCost*math.Exp2(-late.Seconds()/goneHalf.Seconds()))
}

// present follows who of those that have a place still look at it. Each is told when to look again; who does not is gone, and
// gives the turn to somebody who is there. It is guarded by the room's mutex.
type present struct {
	first int64    // the number that dues begins with; 0: none
	dues  []uint32 // unseen, settled, or the Unix second by which somebody looks again
}

// of is where a number is noted; nil when it is not followed.
func (p *present) of(number, admitted int64) *uint32 {
	if p.first == 0 {
		p.first = admitted + 1
	}
	i := number - p.first
	if i < 0 || i >= presentMax {
		return nil
	}
	for int64(len(p.dues)) <= i {
		p.dues = append(p.dues, unseen)
	}
	return &p.dues[i]
}

// see notes that somebody looked at their place; came tells whether that is how they learnt that they are in.
func (p *present) see(now time.Time, number, admitted int64, place Place) (came bool) {
	due := p.of(number, admitted)
	switch {
	case due == nil:
		return false
	case place.Admitted:
		came, *due = *due != settled, settled
	default:
		again := time.Duration(place.Again) * time.Second
		*due = uint32(now.Add(again + again/4 + slack).Unix()) //nolint:gosec // until 2106
	}
	return came
}

// more is how many of those who wait may be let in for so many admissions, and what of these it costs. O(n).
func (p *present) more(now time.Time, c Counts, budget float64) (n int64, cost float64) {
	for number := c.Admitted + 1; number <= c.Issued; number++ {
		each, due := 1.0, p.of(number, c.Admitted)
		gone := due != nil && *due > settled && int64(*due) < now.Unix()
		if gone {
			each = costOf(*due, now)
		}
		if cost+each > budget {
			break
		}
		if gone {
			*due = settled
		}
		n, cost = n+1, cost+each
	}
	return n, cost
}

// settle forgets those who came in, and gives back what was spent on those who were let in and did not come when they were to look
// again. O(those let in who have not come yet).
func (p *present) settle(now time.Time, admitted int64) (back float64) {
	let := p.dues[:max(0, min(int64(len(p.dues)), admitted+1-p.first))]
	for i, due := range let {
		switch {
		case due == unseen:
			let[i] = settled
		case due > settled && int64(due) < now.Unix():
			let[i] = settled
			back += 1 - costOf(due, now)
		}
	}
	n := 0
	for n < len(let) && let[n] == settled {
		n++
	}
	p.first, p.dues = p.first+int64(n), p.dues[n:]
	return back
}
