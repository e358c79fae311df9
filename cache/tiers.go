package cache

// TierStats is what one tier did for a family, or for all of them. Of the source, hits are keys loaded without an error, and saved is 0.
type TierStats struct {
	Family   string  `json:"family,omitempty"`
	Tier     string  `json:"tier"` // l1, l2 or source
	Asked    uint64  `json:"asked"`
	Hits     uint64  `json:"hits"` // remembered absences among them
	Misses   uint64  `json:"misses"`
	Stale    uint64  `json:"stale"`   // of the hits
	Refused  uint64  `json:"refused"` // values not kept because they were invalidated while they were read
	Saved    uint64  `json:"saved"`   // loads that did not happen thanks to it
	Entries  int     `json:"entries"`
	Bytes    uint64  `json:"bytes"`     // held in L1; written to L2
	BytesIn  uint64  `json:"bytes_in"`  // read from L2
	MaxBytes uint64  `json:"max_bytes"` // that L1 may hold
	Time     Latency `json:"time"`      // of an answer, in L1 of samples
}

// HitRate is the share of what was asked of the tier that it had, 0 to 1; 0 when nothing was asked.
func (t TierStats) HitRate() float64 {
	if t.Asked == 0 {
		return 0
	}
	return float64(t.Hits) / float64(t.Asked)
}

// Tiers splits a family's figures by tier. A family that is in memory only has no l2.
func (f FamilyStats) Tiers() []TierStats {
	l1 := TierStats{Family: f.Name, Tier: L1.String(), Hits: f.L1Hits + f.NegativeHits - f.L2Negative + f.Stale - f.L2Stale,
		Misses: f.MissCold + f.MissExpired + f.MissInvalidated + f.MissDeaf, Stale: f.Stale - f.L2Stale, Refused: f.Refused - f.L2Refused,
		Entries: f.L1Entries, Bytes: f.L1Bytes, MaxBytes: f.L1MaxBytes, Time: f.L1Time}
	l2 := TierStats{Family: f.Name, Tier: L2.String(), Hits: f.L2Hits + f.L2Negative + f.L2Stale, Misses: f.L2Misses, Stale: f.L2Stale,
		Refused: f.L2Refused, Bytes: f.BytesOut, BytesIn: f.BytesIn, Time: f.L2Time}
	source := TierStats{Family: f.Name, Tier: "source", Asked: f.LoadedKeys, Hits: f.LoadedKeys - min(f.LoadErrors, f.LoadedKeys),
		Misses: min(f.LoadErrors, f.LoadedKeys), Time: f.LoadTimes}
	l1.Asked, l1.Saved = l1.Hits+l1.Misses, l1.Hits
	l2.Asked, l2.Saved = l2.Hits+l2.Misses, l2.Hits
	if l2.Asked == 0 && f.BytesOut == 0 {
		return []TierStats{l1, source}
	}
	return []TierStats{l1, l2, source}
}

// Add is the figures of two processes, or families, together; of quantiles, the larger.
func (t TierStats) Add(o TierStats) TierStats {
	t.Asked, t.Hits, t.Misses, t.Stale = t.Asked+o.Asked, t.Hits+o.Hits, t.Misses+o.Misses, t.Stale+o.Stale
	t.Refused, t.Saved, t.Entries = t.Refused+o.Refused, t.Saved+o.Saved, t.Entries+o.Entries
	t.Bytes, t.BytesIn, t.MaxBytes = t.Bytes+o.Bytes, t.BytesIn+o.BytesIn, t.MaxBytes+o.MaxBytes
	t.Time = Latency{Count: t.Time.Count + o.Time.Count, Sum: t.Time.Sum + o.Time.Sum, P50: max(t.Time.P50, o.Time.P50), P99: max(t.Time.P99, o.Time.P99)}
	return t
}
