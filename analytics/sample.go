package analytics

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Sample says of which kinds of events only a share is stored, above 0 to 1. What is kept has the weight 1/share, so that sums of weights
// are what sums of all would be, on average. All events of a shopper are kept or none, as far as shares are the same, and whom a smaller
// share keeps a larger one keeps too: shoppers stay countable, by the least of their weights.
type Sample map[Kind]float64

// sampled are the kinds that may be: what reconciles with the books, or is rare, never is.
var sampled = []Kind{KindView, KindClick, KindSearch, KindAdd, KindRemove, KindCheckout, KindCustom, KindCacheMiss, KindAdmission}

// ParseSample reads shares by the names of kinds. An error names what is wrong.
func ParseSample(shares map[string]float64) (Sample, error) {
	s := Sample{}
	for name, share := range shares {
		kind, ok := ParseKind(name)
		if !ok || !slices.Contains(sampled, kind) {
			var may []string
			for _, k := range sampled {
				may = append(may, k.String())
			}
			return nil, fmt.Errorf("%q is always stored in full: only %s can be sampled", name, strings.Join(may, ", "))
		}
		if !(share > 0 && share <= 1) {
			return nil, fmt.Errorf("the share of %s is %v, not above 0 to 1", name, share)
		}
		s[kind] = share
	}
	return s, nil
}

// sampler drops what is not to be stored.
type sampler struct {
	below  [kinds]uint64
	weight [kinds]float32
	some   bool
	keep   []bool
}

func newSampler(s Sample) *sampler {
	out := &sampler{}
	for k := range out.below {
		out.below[k], out.weight[k] = math.MaxUint64, 1
		if share, ok := s[Kind(k)]; ok && share > 0 && share < 1 && slices.Contains(sampled, Kind(k)) {
			out.below[k], out.weight[k], out.some = uint64(math.Ldexp(share, 64)), float32(1/share), true
		}
	}
	return out
}

// apply drops events of b, gives weights to the rest, and returns how many were dropped. The same event is always treated the same.
func (s *sampler) apply(b *Batch) (dropped int) {
	if !s.some {
		return 0
	}
	s.keep = sized(s.keep, b.Len())
	b.Weights = sized(b.Weights, b.Len())
	for i, k := range b.Kinds {
		who := b.Shoppers[i]
		if who == 0 {
			_, who = b.IDs[i].halves()
		}
		s.keep[i], b.Weights[i] = s.below[k] == math.MaxUint64 || lot(who) < s.below[k], s.weight[k]
		if !s.keep[i] {
			dropped++
		}
	}
	if dropped > 0 {
		b.Keep(s.keep)
	}
	return dropped
}

// lot draws a shopper's lot: any 64 bits, evenly, and independent of what else is made of the same number (splitmix64's finish).
func lot(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
