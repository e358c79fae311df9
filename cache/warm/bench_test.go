package warm_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
)

// What each read pays, with a run's items being watched.
func BenchmarkSeen(b *testing.B) {
	w := open(b, warm.Options{Predictor: falling(2000), Rate: 1e6}, newShelf())
	if _, err := w.Run(b.Context(), warm.Request{Top: 2000}); err != nil {
		b.Fatal(err)
	}
	keys := numbered(2000)
	var next atomic.Uint32
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := next.Add(1) * 977; pb.Next(); i++ {
			w.Seen(keys[i*i%2000])
		}
	})
}

func BenchmarkMeter(b *testing.B) {
	m := warm.NewMeter(time.Second, 100)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.End(m.Begin())
		}
	})
}

// What an item costs beyond what its tier does.
func BenchmarkRun(b *testing.B) {
	const items = 2000
	none := warm.NewTier("none", func(context.Context, []string) (warm.Outcome, error) { return warm.Outcome{}, nil })
	w := open(b, warm.Options{Predictor: falling(items)}, none)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Run(b.Context(), warm.Request{Top: items, Rate: 1e9}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*items), "ns/item")
}
