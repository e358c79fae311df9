package main

import (
	"math/rand/v2"
	"testing"
)

// Who answered is read from what edge and API processes write.
func TestTierIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ status, timing, tier string }{
		{"stampede; hit; ttl=59", "edge;desc=hit", tierEdge},
		{"stampede; fwd=uri-miss; collapsed", "edge;dur=4", tierEdge},
		{"stampede; fwd=uri-miss; fwd-status=200; stored", "l1;desc=miss, l2;desc=miss, db;dur=0.412;desc=replica-1, total;dur=1.2,edge;dur=3", tierSource},
		{"stampede; fwd=uri-miss; fwd-status=200; stored", "l1;desc=miss, l2;dur=0.21;desc=hit, total;dur=0.5,edge;dur=1", tierRedis},
		{"stampede; fwd=uri-miss; fwd-status=200; stored", "l1;desc=miss, l2;dur=0.21;desc=hit, l1;desc=miss, db;dur=0.3;desc=shard1, total;dur=0.5", tierRedis},
		{"stampede; fwd=uri-miss; fwd-status=200; stored", "l1;desc=hit, total;dur=0.1,edge;dur=1", tierMemory},
		{"stampede; fwd=uri-miss; fwd-status=200; stored", "l1;desc=miss, l2;desc=miss, total;dur=0.1", tierSource}, // somebody else's read was waited for
	} {
		if got := tierIn(c.status, c.timing); got != c.tier {
			t.Errorf("%q, %q: %s, want %s", c.status, c.timing, got, c.tier)
		}
	}
}

// What counts as popular draws the share of the requests that it is said to.
func TestPopularShare(t *testing.T) {
	t.Parallel()
	m := &hitsMix{lists: make([]string, 300)}
	for i := range 20_000 {
		m.products = append(m.products, hitsProduct{int64(i), "x"})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	m.rank(rng)
	var n [kinds]float64
	for range 200_000 {
		_, kind := m.draw(rng)
		n[kind]++
	}
	for what, share := range map[string]float64{"products": n[kindPopularProduct] / (n[kindPopularProduct] + n[kindProduct]), "lists": n[kindPopularList] / (n[kindPopularList] + n[kindList])} {
		if share < popularShare-0.01 || share > popularShare+0.01 {
			t.Errorf("the popular %s draw %.3f of the requests", what, share)
		}
	}
	if m.popularProducts > len(m.products)/5 {
		t.Errorf("%d of %d products are popular", m.popularProducts, len(m.products))
	}
}
