package sketch_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stampede-shop/stampede/sketch"
	"pgregory.net/rapid"
)

func Example() {
	top := sketch.NewTopK(10)
	for _, k := range []string{"kettle", "pot", "kettle", "cup", "kettle", "pot"} {
		top.Add(k, 1)
	}
	for _, c := range top.Top(2) {
		fmt.Println(c.Key, c.Count)
	}
	// Output:
	// kettle 3
	// pot 2
}

// Whatever is added: neither sketch says too little, and space-saving's own error bound holds.
func TestNeverTooLittle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 8).Draw(t, "capacity")
		cm, top := sketch.NewCountMin(0.1, 0.1), sketch.NewTopK(capacity)
		exact := map[string]uint64{}
		var total uint64
		for _, k := range rapid.SliceOf(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"})).Draw(t, "keys") {
			n := rapid.Uint32Range(1, 5).Draw(t, "n")
			exact[k] += uint64(n)
			total += uint64(n)
			if got := cm.Add(k, n); got < exact[k] {
				t.Fatalf("count-min says %d of %q, it was %d", got, k, exact[k])
			}
			top.Add(k, uint64(n))
		}
		listed := map[string]bool{}
		for _, c := range top.Top(100) {
			listed[c.Key] = true
			if c.Count < exact[c.Key] || c.Count-c.Error > exact[c.Key] {
				t.Fatalf("%+v, exactly %d", c, exact[c.Key])
			}
		}
		for k, n := range exact {
			if n > total/uint64(capacity) && !listed[k] {
				t.Fatalf("%q was %d of %d and is not among %d", k, n, total, capacity)
			}
		}
		if cm.Total() != total || top.Total() != total {
			t.Fatalf("totals %d and %d, want %d", cm.Total(), top.Total(), total)
		}
	})
}

func TestErrorStaysWithinItsBound(t *testing.T) {
	t.Parallel()
	const epsilon, delta = 0.001, 0.01
	cm := sketch.NewCountMin(epsilon, delta)
	exact := map[string]uint64{}
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, 1.1, 1, 100_000)
	const adds = 200_000
	for range adds {
		k := fmt.Sprint(z.Uint64())
		exact[k]++
		cm.Add(k, 1)
	}
	beyond := 0
	for k, n := range exact {
		if float64(cm.Count(k)-n) > epsilon*adds {
			beyond++
		}
	}
	if share := float64(beyond) / float64(len(exact)); share > delta {
		t.Errorf("%.3f of the keys are beyond the bound, at most %v may be", share, delta)
	}
	before := cm.Count("0")
	cm.Halve()
	if got := cm.Count("0"); got != before/2 || cm.Total() != adds/2 {
		t.Errorf("halved %d became %d", before, got)
	}
}

func TestHalvingMakesRoom(t *testing.T) {
	t.Parallel()
	top := sketch.NewTopK(2)
	top.Add("old", 100)
	for range 7 {
		top.Halve()
	}
	top.Add("new", 3)
	if got := top.Top(1); len(got) != 1 || got[0].Key != "new" {
		t.Errorf("%v", got)
	}
	if got := top.Top(-1); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func BenchmarkCountMin(b *testing.B) {
	c := sketch.NewCountMin(0.001, 0.01)
	b.ReportAllocs()
	for b.Loop() {
		c.Add("product:1234", 1)
	}
}

func BenchmarkTopK(b *testing.B) {
	top := sketch.NewTopK(64)
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		top.Add(keys[i*i%1000], 1)
	}
}
