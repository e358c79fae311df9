package cache

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Stats is what a Store has counted since it was made.
type Stats struct {
	L2       L2Stats       `json:"l2"`
	Sent     uint64        `json:"invalidations_sent"`
	Received uint64        `json:"invalidations_received"`
	Families []FamilyStats `json:"families"`
}

// L2Stats is the state of Redis as this process sees it. Pending are the tags it has yet to hear of.
type L2Stats struct {
	Configured   bool   `json:"configured"`
	Up           bool   `json:"up"`
	Errors       uint64 `json:"errors"`
	Trips        uint64 `json:"trips"`
	Pending      int    `json:"pending"`
	PendingClear bool   `json:"pending_clear"`
}

// FamilyStats counts keys, not calls, except for loads. Joined are callers who waited for another's load; Refused are values
// that were invalidated while they were read, and so not stored.
type FamilyStats struct {
	Name         string        `json:"name"`
	L1Hits       uint64        `json:"l1_hits"`
	L2Hits       uint64        `json:"l2_hits"`
	NegativeHits uint64        `json:"negative_hits"`
	Loads        uint64        `json:"loads"`
	LoadErrors   uint64        `json:"load_errors"`
	LoadTime     time.Duration `json:"load_time_ns"`
	Joined       uint64        `json:"joined"`
	Refused      uint64        `json:"refused"`
	L1Entries    int           `json:"l1_entries"`
	L1Bytes      uint64        `json:"l1_bytes"`
	L1MaxBytes   uint64        `json:"l1_max_bytes"`
}

// Stats returns the counts.
func (s *Store) Stats() Stats {
	st := Stats{Sent: s.sent.Load(), Received: s.received.Load()}
	if l := s.l2; l != nil {
		st.L2 = L2Stats{Configured: true, Up: l.up.Load(), Errors: l.errors.Load(), Trips: l.trips.Load()}
		st.L2.Pending, st.L2.PendingClear = l.waiting()
	}
	for _, f := range s.members() {
		st.Families = append(st.Families, f.stats())
	}
	return st
}

func (f *Family[V]) stats() FamilyStats {
	c := &f.count
	return FamilyStats{
		Name: f.name, L1Hits: c.l1.sum(), L2Hits: c.l2.Load(), NegativeHits: c.negative.Load(),
		Loads: c.loads.Load(), LoadErrors: c.errors.Load(), LoadTime: time.Duration(c.nanos.Load()),
		Joined: c.joined.Load(), Refused: c.refused.Load(),
		L1Entries: f.l1.EstimatedSize(), L1Bytes: f.l1.WeightedSize(), L1MaxBytes: f.o.L1Bytes,
	}
}

type counters struct {
	l1                                                  striped
	l2, negative, loads, errors, nanos, joined, refused atomic.Uint64
}

func (c *counters) loaded(start time.Time, failed bool) {
	c.loads.Add(1)
	c.nanos.Add(uint64(time.Since(start)))
	if failed {
		c.errors.Add(1)
	}
}

// striped is a counter whose writers seldom meet in one cache line.
type striped [8]struct {
	n atomic.Uint64
	_ [56]byte
}

func (s *striped) add() { s[rand.Uint32()%uint32(len(s))].n.Add(1) }

func (s *striped) sum() (n uint64) {
	for i := range s {
		n += s[i].n.Load()
	}
	return n
}
