package cache_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

const l2Keys = 20_000

// BenchmarkL2Hit reads values that are in Redis and not in memory; BenchmarkRueidis the same bytes with the bare client.
func BenchmarkL2Hit(b *testing.B) {
	s := store(b, cache.Options{Redis: []string{localtest.Redis(b).Addr}})
	f := cache.New[[]byte](s, "row", cache.FamilyOptions{L1TTL: time.Nanosecond, CompressAbove: -1})
	load := func(context.Context) ([]byte, []string, error) { return make([]byte, 1024), []string{"t"}, nil }
	for i := range l2Keys {
		if _, _, err := f.Get(b.Context(), strconv.Itoa(i), load); err != nil {
			b.Fatal(err)
		}
	}
	before := s.Stats().Families[0].L2Hits
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _, _ = f.Get(b.Context(), strconv.Itoa(rand.IntN(l2Keys)), load)
		}
	})
	b.ReportMetric(float64(s.Stats().Families[0].L2Hits-before)/float64(max(b.N, 1)), "l2hits/op")
}

func BenchmarkRueidis(b *testing.B) {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{localtest.Redis(b).Addr}, DisableCache: true})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	value := rueidis.BinaryString(make([]byte, 1024))
	for i := range l2Keys {
		if err := c.Do(b.Context(), c.B().Set().Key(strconv.Itoa(i)).Value(value).Build()).Error(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ctx, cancel := context.WithTimeout(b.Context(), 100*time.Millisecond)
			_, _ = c.Do(ctx, c.B().Get().Key(strconv.Itoa(rand.IntN(l2Keys))).Build()).AsBytes()
			cancel()
		}
	})
}
