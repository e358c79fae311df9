package batch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/batch"
)

// One caller on an idle key: what the hop costs.
func BenchmarkSubmitAlone(b *testing.B) {
	s := batch.New(batch.Options[int, int]{Run: echo})
	closing(b, s)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Submit(b.Context(), "k", 1)
	}
}

// Callers over a call of 200 µs, as long as a commit on a fast disk: with and without batches.
func BenchmarkSubmitOverCommit(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		for _, size := range []int{1, 128} {
			b.Run(fmt.Sprintf("callers=%d/size=%d", callers, size), func(b *testing.B) {
				s := batch.New(batch.Options[int, int]{MaxSize: size, Run: func(ctx context.Context, key string, items []int) ([]batch.Result[int], error) {
					time.Sleep(200 * time.Microsecond)
					return echo(ctx, key, items)
				}})
				closing(b, s)
				b.ReportAllocs()
				b.SetParallelism(callers)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						_, _ = s.Submit(b.Context(), "k", 1)
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
			})
		}
	}
}

// Callers and keys in the thousands, with nothing to do: what the batcher itself can take.
func BenchmarkSubmitManyKeys(b *testing.B) {
	s := batch.New(batch.Options[int, int]{Run: echo})
	closing(b, s)
	keys := make([]string, 64)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	b.ReportAllocs()
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			_, _ = s.Submit(b.Context(), keys[i%len(keys)], 1)
		}
	})
}
