package httpcache

import "sync/atomic"

// counts are bumped on each request; they stand apart so that the two ends of the struct share no cache line with it.
type counts struct {
	hits, stale, bridged, revalidated, misses, collapsed, passed atomic.Int64
	hitBytes, originBytes, stored, purges                        atomic.Int64
}

// Stats are totals since the start, but for what is held.
type Stats struct {
	Hits        int64 `json:"hits"`        // served fresh
	Stale       int64 `json:"stale"`       // served stale while being refreshed
	Bridged     int64 `json:"bridged"`     // served stale because the origin failed
	Collapsed   int64 `json:"collapsed"`   // served by a fetch that another client had begun
	Revalidated int64 `json:"revalidated"` // served after the origin confirmed them
	Misses      int64 `json:"misses"`      // asked of the origin
	Passed      int64 `json:"passed"`      // not for a cache: other methods, personal answers
	HitBytes    int64 `json:"hit_bytes"`   // bodies served without the origin
	OriginBytes int64 `json:"origin_bytes"`
	Stored      int64 `json:"stored"`
	Evicted     int64 `json:"evicted"`
	Purges      int64 `json:"purges"`

	Addresses   int64 `json:"addresses"` // held in memory
	MemoryBytes int64 `json:"memory_bytes"`
	DiskEntries int64 `json:"disk_entries"`
	DiskBytes   int64 `json:"disk_bytes"`

	// HitRate is the share of the cacheable requests that needed no answer of their own from the origin.
	HitRate float64 `json:"hit_rate"`
}

// Stats returns the figures.
func (c *Cache) Stats() Stats {
	s := c.Counts()
	s.Addresses, s.MemoryBytes = c.mem.used()
	if c.disk != nil {
		s.DiskEntries, s.DiskBytes = c.disk.used()
	}
	return s
}

// Counts returns the totals only, which takes no locks.
func (c *Cache) Counts() Stats {
	n := &c.counts
	s := Stats{Hits: n.hits.Load(), Stale: n.stale.Load(), Bridged: n.bridged.Load(), Collapsed: n.collapsed.Load(),
		Revalidated: n.revalidated.Load(), Misses: n.misses.Load(), Passed: n.passed.Load(), HitBytes: n.hitBytes.Load(),
		OriginBytes: n.originBytes.Load(), Stored: n.stored.Load(), Evicted: c.mem.evicted.Load(), Purges: n.purges.Load()}
	served := s.Hits + s.Stale + s.Bridged + s.Collapsed
	if all := served + s.Revalidated + s.Misses; all > 0 {
		s.HitRate = float64(served) / float64(all)
	}
	return s
}
