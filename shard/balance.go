package shard

import "iter"

// Share is what one shard got of a set of keys. Fraction is between 0 and 1.
type Share struct {
	ID       string  `json:"id"`
	Keys     int     `json:"keys"`
	Fraction float64 `json:"fraction"`
}

// Balance is how a set of keys spreads. Worst is the largest share over the mean one: 1 is perfect.
type Balance struct {
	Keys   int     `json:"keys"`
	Shares []Share `json:"shares"` // ordered by id; shards without a key are there with 0
	Worst  float64 `json:"worst"`
}

// BalanceOf locates every key. It stops at the first key that cannot be located.
func BalanceOf(m Map, keys iter.Seq[string]) (Balance, error) {
	ids := m.IDs()
	counts := make(map[string]int, len(ids))
	b := Balance{Shares: make([]Share, 0, len(ids))}
	for key := range keys {
		id, err := m.Locate(key)
		if err != nil {
			return Balance{}, err
		}
		counts[id]++
		b.Keys++
	}
	most := 0
	for _, id := range ids {
		s := Share{ID: id, Keys: counts[id]}
		if b.Keys > 0 {
			s.Fraction = float64(s.Keys) / float64(b.Keys)
		}
		most = max(most, s.Keys)
		b.Shares = append(b.Shares, s)
	}
	if b.Keys > 0 {
		b.Worst = float64(most) * float64(len(ids)) / float64(b.Keys)
	}
	return b, nil
}
