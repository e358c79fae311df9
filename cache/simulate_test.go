package cache_test

import (
	"errors"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/cache"
)

func trace(keys ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, k := range keys {
			if !yield(k, nil) {
				return
			}
		}
	}
}

func TestSimulateCounts(t *testing.T) {
	t.Parallel()
	sim, err := cache.Simulate(trace(strings.Fields("a b a c b a d a")...), 2)
	if err != nil || sim.Requests != 8 || sim.Keys != 4 || sim.LRUHits != 2 {
		t.Errorf("%+v, %v", sim, err)
	}
	if sim, err = cache.Simulate(trace(strings.Fields("a b a c b a d a")...), 100); err != nil || sim.Hits != 4 || sim.LRUHits != 4 || sim.HitRate() != 0.5 {
		t.Errorf("with room for all: %+v, %v", sim, err)
	}
	boom := errors.New("boom")
	_, err = cache.Simulate(func(yield func(string, error) bool) { _ = yield("a", nil) && yield("", boom) }, 2)
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if _, err := cache.Simulate(trace(), 0); !errors.Is(err, cache.ErrOptions) {
		t.Errorf("got %v", err)
	}
}

// zipf are requests for products of lasting popularity, or with the most popular one replaced after every so many (drift).
func zipf(n, drift int) iter.Seq2[string, error] {
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, 1.01, 1, 100_000)
	return func(yield func(string, error) bool) {
		for i := range n {
			k := z.Uint64()
			if drift > 0 {
				k += uint64(i / drift)
			}
			if !yield(strconv.FormatUint(k, 10), nil) {
				return
			}
		}
	}
}

// Where popularity lasts L1 keeps far more of it than the least-recently-used policy would, and where it moves on it is not left behind.
func TestPolicyBeatsLRU(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		drift  int
		margin float64
	}{"lasting": {0, 0.05}, "moving": {100, 0.02}} {
		sim, err := cache.Simulate(zipf(50_000, c.drift), 500)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.2f %%, LRU %.2f %%", name, 100*sim.HitRate(), 100*sim.LRUHitRate())
		if sim.HitRate() < sim.LRUHitRate()+c.margin {
			t.Errorf("%s: %.4f, LRU %.4f", name, sim.HitRate(), sim.LRUHitRate())
		}
	}
}
