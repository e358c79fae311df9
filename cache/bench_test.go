package cache_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

type row struct {
	ID   int64
	Name string
}

const benchKeys = 1024

func benchKey() []string {
	keys := make([]string, benchKeys)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	return keys
}

func hot(tb testing.TB) (*cache.Family[*row], []string) {
	f := cache.New[*row](store(tb, cache.Options{}), "row", cache.FamilyOptions{TTL: time.Hour, L1TTL: time.Hour})
	keys := benchKey()
	for i, k := range keys {
		if _, _, err := f.Get(tb.Context(), k, func(context.Context) (*row, []string, error) {
			return &row{ID: int64(i), Name: k}, []string{"p:" + k}, nil
		}); err != nil {
			tb.Fatal(err)
		}
	}
	return f, keys
}

func TestL1HitDoesNotAllocate(t *testing.T) {
	f, keys := hot(t)
	load := func(context.Context) (*row, []string, error) { panic("a load of what is there") }
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _, _ = f.Get(ctx, keys[7], load) }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = f.Peek(keys[7]) }); n != 0 {
		t.Errorf("Peek allocates %v times", n)
	}
}

func BenchmarkL1Hit(b *testing.B) {
	f, keys := hot(b)
	ctx := b.Context()
	load := func(context.Context) (*row, []string, error) { panic("a load of what is there") }
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			_, _, _ = f.Get(ctx, keys[i%benchKeys], load)
		}
	})
}

func BenchmarkOtterHit(b *testing.B) {
	c := otter.Must(&otter.Options[string, *row]{MaximumWeight: 32 << 20, Weigher: func(string, *row) uint32 { return 100 },
		ExpiryCalculator: otter.ExpiryWriting[string, *row](time.Hour)})
	defer c.StopAllGoroutines()
	keys := benchKey()
	for i, k := range keys {
		c.Set(k, &row{ID: int64(i), Name: k})
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			_, _ = c.GetIfPresent(keys[i%benchKeys])
		}
	})
}

func BenchmarkInvalidate(b *testing.B) {
	s := store(b, cache.Options{Redis: []string{localtest.Redis(b).Addr}})
	for i := range b.N {
		if err := s.Invalidate(b.Context(), []string{strconv.Itoa(i)}); err != nil {
			b.Fatal(err)
		}
	}
}
