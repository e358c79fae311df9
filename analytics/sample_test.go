package analytics

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSampleTakesNoOrders(t *testing.T) {
	t.Parallel()
	for _, bad := range []map[string]float64{{"order": 0.5}, {"purchase": 0.1}, {"cancel": 0.1}, {"fail": 1}, {"vew": 0.5}, {"view": 0}, {"view": 1.1}, {"view": math.NaN()}, {"view": -1}} {
		if s, err := ParseSample(bad); err == nil {
			t.Errorf("%v is taken as %v", bad, s)
		}
	}
	s, err := ParseSample(map[string]float64{"view": 0.1, "cache_miss": 1})
	if diff := cmp.Diff(Sample{KindView: 0.1, KindCacheMiss: 1}, s); err != nil || diff != "" {
		t.Error(diff, err)
	}
	if d := newSampler(Sample{KindOrder: 0.1}); d.some {
		t.Error("orders are sampled when nobody looks at the setting")
	}
}

// Sums of weights are what there was, within four standard errors; of kinds without a share every event is kept; and the same again.
func TestSampleIsUnbiased(t *testing.T) {
	t.Parallel()
	const shoppers, each = 20_000, 5
	s := newSampler(Sample{KindView: 0.1, KindAdd: 0.5})
	all := func() *Batch {
		b := &Batch{}
		for i := range shoppers * each {
			kind := []Kind{KindView, KindView, KindView, KindAdd, KindOrder}[i%each]
			if kind > KindView && i/each%4 > 0 { // three of four only look
				kind = KindView
			}
			id := ID{0, 1, 2, 3, 4, 5, 0x70, 0, 0x80, 0, 0, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
			b.Add(&Event{ID: id, Time: noon, Kind: kind, Shopper: lot(uint64(i / each))})
		}
		return b
	}
	b := all()
	dropped := s.apply(b)
	if b.Len()+dropped != shoppers*each || b.Len() != len(b.Weights) {
		t.Fatal(b.Len(), dropped, len(b.Weights))
	}
	var sum [kinds]float64
	least := map[uint64]float64{} // who came at least to look
	for i := range b.Len() {
		w := float64(b.Weight(i))
		sum[b.Kinds[i]] += w
		if had, ok := least[b.Shoppers[i]]; !ok || w < had {
			least[b.Shoppers[i]] = w
		}
	}
	people := 0.0
	for _, w := range least {
		people += w
	}
	near := func(what string, got, want, sd float64) {
		t.Helper()
		if math.Abs(got-want) > 4*sd {
			t.Errorf("%s: %.0f, not %.0f ± %.0f", what, got, want, sd)
		}
	}
	// A sum over n shoppers of m events each, of whom a share p is kept, spreads by m·sqrt(n(1-p)/p).
	near("views", sum[KindView], 3*shoppers/4*5+3*shoppers/4, 5*math.Sqrt(shoppers*9))
	near("adds", sum[KindAdd], shoppers/4, math.Sqrt(shoppers/4))
	near("shoppers", people, shoppers, math.Sqrt(shoppers*9))
	if sum[KindOrder] != shoppers/4 {
		t.Errorf("%v orders", sum[KindOrder])
	}
	again := all()
	s.apply(again)
	if diff := cmp.Diff(b.IDs, again.IDs); diff != "" {
		t.Error("another time others are kept")
	}
}
