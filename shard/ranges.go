package shard

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// Range gives the keys at or after From, up to the next range's From, to a shard. Keys are compared byte by byte.
type Range struct {
	From  string `json:"from"`
	Shard string `json:"shard"`
}

// RangeMap is an immutable [Map] that keeps neighbouring keys together: a–f here, g–m there. A shard may own several
// ranges.
type RangeMap struct {
	ranges []Range // ascending, the first from ""
	ids    []string
}

var _ Map = (*RangeMap)(nil)

// NewRangeMap builds the map of ranges in any order. One of them has to begin at "", so that every key has an owner.
// Errors are ErrNoShards and ErrBadShard, wrapped.
func NewRangeMap(ranges ...Range) (*RangeMap, error) {
	if len(ranges) == 0 {
		return nil, ErrNoShards
	}
	m := &RangeMap{ranges: slices.Clone(ranges)}
	slices.SortFunc(m.ranges, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	if first := m.ranges[0].From; first != "" {
		return nil, fmt.Errorf("%w: keys before %q have no owner: begin a range at \"\"", ErrBadShard, first)
	}
	for i, r := range m.ranges {
		if r.Shard == "" {
			return nil, fmt.Errorf("%w: the range from %q has an empty id", ErrBadShard, r.From)
		}
		if i > 0 && m.ranges[i-1].From == r.From {
			return nil, fmt.Errorf("%w: two ranges begin at %q", ErrBadShard, r.From)
		}
		m.ids = append(m.ids, r.Shard)
	}
	slices.Sort(m.ids)
	m.ids = slices.Compact(m.ids)
	return m, nil
}

// Locate returns the shard whose range holds key.
func (m *RangeMap) Locate(key string) (string, error) {
	if key == "" {
		return "", ErrEmptyKey
	}
	after := sort.Search(len(m.ranges), func(i int) bool { return m.ranges[i].From > key })
	return m.ranges[after-1].Shard, nil
}

// IDs lists the shards in ascending order.
func (m *RangeMap) IDs() []string { return slices.Clone(m.ids) }
