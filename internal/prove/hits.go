package prove

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	targetHits   = 0.95
	popularShare = 0.10   // of the products are the popular ones
	mostProducts = 10_000 // that are looked at
	skew         = 1.0    // the k-th product is wanted 1/k^skew as often as the first
)

var hitRate = Criterion{
	Number: 4, ID: "hit-rate", Name: "Caches: hit rate of popular items",
	Target:  "> 95 %",
	Measure: measureHits,
}

// Tiers counts which tier answered.
type Tiers struct {
	Products int     `json:"products"` // of the catalogue, from which shoppers chose
	Popular  int     `json:"popular"`  // of them
	Skew     float64 `json:"zipf"`
	Rows     []Tier  `json:"rows"`
}

// Tier is how many requests a tier answered: of all, and of those for popular products.
type Tier struct {
	Name    string `json:"name"`
	All     int64  `json:"all"`
	Popular int64  `json:"popular"`
}

// Names of tiers, from the shopper down. What is asked of a database is a miss; what did not come is none.
const (
	tierEdge     = "L3 edge"
	tierL1       = "L1 in process"
	tierL2       = "L2 Redis"
	tierDatabase = "database"
	tierFailed   = "bad answer"
)

var tierNames = []string{tierEdge, tierL1, tierL2, tierDatabase, tierFailed}

// rate of hits within the first so many tiers, of all and of popular ones.
func (t Tiers) rate(tiers int) (all, popular float64) {
	var hit, sum Tier
	for i, r := range t.Rows {
		if i < tiers {
			hit.All, hit.Popular = hit.All+r.All, hit.Popular+r.Popular
		}
		sum.All, sum.Popular = sum.All+r.All, sum.Popular+r.Popular
	}
	return float64(hit.All) / float64(max(1, sum.All)), float64(hit.Popular) / float64(max(1, sum.Popular))
}

// answeredBy reads Cache-Status and Server-Timing.
func answeredBy(h http.Header) string {
	for _, line := range h.Values("Cache-Status") {
		if strings.Contains(line, "; hit") || strings.Contains(line, "; collapsed") {
			return tierEdge
		}
	}
	timing := strings.Join(h.Values("Server-Timing"), ",")
	switch {
	case strings.Contains(timing, "l1;desc=hit"):
		return tierL1
	case strings.Contains(timing, "l2;desc=hit"):
		return tierL2
	}
	return tierDatabase
}

// ranks draws from Zipf's law.
type ranks []float64

func newRanks(n int) ranks {
	r := make(ranks, n)
	sum := 0.0
	for i := range r {
		sum += 1 / math.Pow(float64(i+1), skew)
		r[i] = sum
	}
	return r
}

func (r ranks) draw(rng *rand.Rand) int {
	return min(sort.SearchFloat64s(r, rng.Float64()*r[len(r)-1]), len(r)-1)
}

// tiers asks for products, few of them often and most seldom, and looks who answers.
func (t *trial) tiers(ctx context.Context) (Tiers, error) {
	ids, err := t.shop.products(ctx, mostProducts)
	if err != nil {
		return Tiers{}, err
	}
	if len(ids) < 10 {
		return Tiers{}, fmt.Errorf("%w: the catalogue has %d products", ErrCannot, len(ids))
	}
	popular := max(1, int(popularShare*float64(len(ids))))
	law := newRanks(len(ids))
	t.say("  asking for %d of %d products", t.pace.samples, len(ids))
	var mu sync.Mutex
	all, liked := map[string]int64{}, map[string]int64{}
	var left atomic.Int64
	left.Store(int64(t.pace.samples))
	err = each(ctx, []uint64{0, 1, 2, 3, 4, 5, 6, 7}, func(ctx context.Context, worker uint64) error {
		rng := rand.New(rand.NewPCG(t.o.Seed, worker))
		for left.Add(-1) >= 0 {
			k := law.draw(rng)
			tier, err := t.look(ctx, ids[k])
			if err != nil {
				return err
			}
			mu.Lock()
			all[tier]++
			if k < popular {
				liked[tier]++
			}
			mu.Unlock()
		}
		return nil
	})
	out := Tiers{Products: len(ids), Popular: popular, Skew: skew}
	for _, name := range tierNames {
		out.Rows = append(out.Rows, Tier{name, all[name], liked[name]})
	}
	return out, err
}

// look asks for one product and says who answered.
func (t *trial) look(ctx context.Context, id int64) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/products/%d", t.shop.base, id), nil)
	if err != nil {
		return "", err
	}
	res, err := t.net.RoundTrip(req)
	if err != nil {
		return tierFailed, context.Cause(ctx)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		return tierFailed, nil
	}
	return answeredBy(res.Header), nil
}

func measureHits(ctx context.Context, t *trial) (Finding, error) {
	if _, err := t.browse(ctx); err != nil { // it is the everyday state of the caches that counts
		return Finding{}, err
	}
	tiers, err := t.tiers(ctx)
	if err != nil {
		return Finding{}, err
	}
	t.report.Tiers = &tiers
	all, popular := tiers.rate(3)
	atEdge, popularAtEdge := tiers.rate(1)
	f := Finding{
		Measured: fmt.Sprintf("%s of popular ones, %s of all", percent(popular), percent(all)), Value: popular, Unit: "share",
		How: fmt.Sprintf("%s views of single products through the edge after the browse run, Zipf s=%.1f over %s products; popular are the first tenth; a hit is what no database was asked for (Cache-Status, Server-Timing)",
			thousands(float64(t.pace.samples)), skew, thousands(float64(tiers.Products))),
		Limits:  "first views: a product that nobody has asked for yet comes from the database",
		Details: []string{fmt.Sprintf("at the edge alone: %s of popular ones, %s of all", percent(popularAtEdge), percent(atEdge))},
		Holds:   popular > targetHits && tiers.Rows[len(tiers.Rows)-1].Popular == 0,
	}
	for _, r := range tiers.Rows {
		f.Details = append(f.Details, fmt.Sprintf("%s: %s, popular ones %s", r.Name, thousands(float64(r.All)), thousands(float64(r.Popular))))
	}
	return f, nil
}
