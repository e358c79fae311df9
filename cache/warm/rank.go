package warm

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Item is a key with what is expected of it. Score is Demand × Value.
type Item struct {
	Key    string  `json:"key"`
	Demand float64 `json:"demand"` // a second
	Value  float64 `json:"value"`  // 1 is ordinary
	Score  float64 `json:"score"`
}

// Rank puts keys into the order in which they are worth warming, the n best. Demands of one key add up; keys that values
// does not name are worth 1. What is not asked for, or worth nothing, is left out. Equal scores come in the order of keys, so
// that the order depends on nothing but what is given. O(len log len).
func Rank(demand []Demand, values map[string]float64, n int) []Item {
	rates := make(map[string]float64, len(demand))
	for _, d := range demand {
		if positive(d.Rate) {
			rates[d.Key] = min(rates[d.Key]+d.Rate, math.MaxFloat64)
		}
	}
	items := make([]Item, 0, len(rates))
	for key, rate := range rates {
		value, named := values[key]
		if !named {
			value = 1
		}
		if score := min(rate*value, math.MaxFloat64); positive(value) && score > 0 {
			items = append(items, Item{key, rate, value, score})
		}
	}
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Key, b.Key))
	})
	return items[:min(max(n, 0), len(items))]
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
