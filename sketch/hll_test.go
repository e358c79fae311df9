package sketch_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/sketch"
)

func ExampleHyperLogLog() {
	h := sketch.NewHyperLogLog(14)
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		x := r.Uint64()
		h.AddHash(x)
		h.AddHash(x) // counts once
	}
	fmt.Println(math.Abs(h.Estimate()-1000) < 20)
	// Output: true
}

func TestHyperLogLogError(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 10, 1000, 20_000, 100_000, 1_000_000} {
		h, r := sketch.NewHyperLogLog(12), rand.New(rand.NewPCG(uint64(n), 7))
		for range n {
			h.AddHash(r.Uint64())
		}
		// Five standard errors; small counts are all but exact.
		if off := math.Abs(h.Estimate() - float64(n)); off > 1+5*1.04/64*float64(n) {
			t.Errorf("%d distinct: estimated %.0f", n, h.Estimate())
		}
	}
}

func TestHyperLogLogMergeIsUnion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, both := sketch.NewHyperLogLog(6), sketch.NewHyperLogLog(6), sketch.NewHyperLogLog(6)
		for _, x := range rapid.SliceOf(rapid.Uint64()).Draw(t, "a") {
			a.AddHash(x)
			both.AddHash(x)
		}
		for _, x := range rapid.SliceOf(rapid.Uint64()).Draw(t, "b") {
			b.AddHash(x)
			both.AddHash(x)
		}
		if !a.Merge(b) || a.Estimate() != both.Estimate() {
			t.Fatalf("merged %v, together %v", a.Estimate(), both.Estimate())
		}
		if a.Merge(sketch.NewHyperLogLog(7)) {
			t.Fatal("different precisions were merged")
		}
	})
}

func BenchmarkHyperLogLog(b *testing.B) {
	h := sketch.NewHyperLogLog(12)
	x := uint64(1)
	for b.Loop() {
		x *= 0x9e3779b97f4a7c15
		h.AddHash(x)
	}
}
