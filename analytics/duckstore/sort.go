package duckstore

import (
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/analytics"
)

// kindsByName are all kinds in the order of their names, by which readers compare them.
var kindsByName = func() []uint8 {
	names := analytics.KindNames()
	list := make([]uint8, len(names))
	for k := range list {
		list[k] = uint8(k)
	}
	slices.SortFunc(list, func(a, b uint8) int { return strings.Compare(names[a], names[b]) })
	return list
}()

// byKind lists the events of batches kind after kind, and of each kind in their order: most questions are about one kind, whose events
// are then found in few row groups, which say in their statistics what they hold. O(events).
type byKind struct {
	at    []uint32   // of batch after batch, its events by kind
	first [][]uint32 // of each batch, where each kind begins in at; one more for its end
}

func (s *byKind) sort(batches []*analytics.Batch) {
	kinds := len(kindsByName)
	s.at, s.first = s.at[:0], s.first[:0]
	for _, b := range batches {
		count := make([]uint32, kinds+1)
		for _, k := range b.Kinds {
			count[k+1]++
		}
		base := uint32(len(s.at))
		for k := range count {
			count[k] += base
			base = count[k]
		}
		next := slices.Clone(count)
		s.at = slices.Grow(s.at, b.Len())[:len(s.at)+b.Len()]
		for i, k := range b.Kinds {
			s.at[next[k]] = uint32(i)
			next[k]++
		}
		s.first = append(s.first, count)
	}
}

// of are the events of a kind in the i-th batch.
func (s *byKind) of(i int, kind uint8) []uint32 {
	first := s.first[i]
	return s.at[first[kind]:first[kind+1]]
}
