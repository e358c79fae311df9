package duckstore_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/duckstore"
)

// BenchmarkAppend appends transactions of several sizes; cpu-ns/event is processor time, which neighbours do not disturb.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 4, 60} {
		b.Run(fmt.Sprintf("table/%dk", n*16), func(b *testing.B) { benchmarkAppend(b, n, -1) })
		b.Run(fmt.Sprintf("file/%dk", n*16), func(b *testing.B) { benchmarkAppend(b, n, 1) })
	}
}

func benchmarkAppend(b *testing.B, n, land int) {
	s, err := duckstore.Open(b.Context(), duckstore.Options{Dir: b.TempDir(), MemoryMiB: 2048, Land: land})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // the folder goes too
	var batches []*analytics.Batch
	const each = 16_384
	for range n {
		batch := &analytics.Batch{Received: time.Now().UnixMicro()}
		for i := range each {
			batch.Add(&analytics.Event{ID: analytics.NewID(), Time: time.Now(), Kind: analytics.Kind(1 + i%5), Shopper: uint64(i) * 0x9e3779b97f4a7c15, Product: int64(i*i) % 50_000,
				Category: fmt.Sprintf("home/category-%d", i%60), Source: "web", Currency: "EUR", Quantity: 1, Amount: int64(i)})
		}
		batches = append(batches, batch)
	}
	before := processorTime(b)
	for b.Loop() {
		now := time.Now()
		for _, batch := range batches {
			for i := range batch.IDs {
				batch.IDs[i] = analytics.IDAt(now)
			}
		}
		if err := s.Append(b.Context(), batches, analytics.Place{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N*each*n), "cpu-ns/event")
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
