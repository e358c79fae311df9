package clickstore

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chdbtest"
	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chtest"
	"github.com/stampede-shop/stampede/analytics/storetest"
)

// What is too large for a frame goes as it is, over a connection of its own.
func TestLargeBlocksAreNotCompressed(t *testing.T) {
	t.Parallel()
	server := chtest.Start(t, chtest.NewMemory())
	s, err := opened(t, server, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, limit := range []int{1 << 20, 1 << 10, 1 << 10, 1 << 20} {
		s.zipped = limit
		storetest.Append(t, s, analytics.Place{Stream: "s", Sequence: uint64(i)}, storetest.BatchOf(100, storetest.Noon))
	}
	var zips []proto.Compression
	for _, q := range server.Queries() {
		if strings.HasPrefix(q.Body, `INSERT INTO "event"`) {
			zips = append(zips, q.Compression)
		}
	}
	if want := []proto.Compression{proto.CompressionEnabled, proto.CompressionDisabled, proto.CompressionDisabled, proto.CompressionEnabled}; !slices.Equal(zips, want) {
		t.Errorf("%v, want %v", zips, want)
	}
}

// However large an append is, it becomes one part: there all at once, or not at all.
func TestALargeAppendIsOnePart(t *testing.T) {
	if os.Getenv("STAMPEDE_SOAK") == "" {
		t.Skip("long; STAMPEDE_SOAK=1 runs it")
	}
	server := chtest.Start(t, chdbtest.Open(t))
	for name, async := range map[string]bool{"sync": false, "async": true} {
		s, err := Open(t.Context(), Options{Address: server.Addr(), Database: t.Name() + name, Async: async})
		if err != nil {
			t.Fatal(err)
		}
		var batches []*analytics.Batch
		for range 1060 { // more than the server makes blocks of by itself
			batches = append(batches, storetest.BatchOf(1000, storetest.Noon))
		}
		storetest.Append(t, s, analytics.Place{Stream: "s", Sequence: 1}, batches...)
		if rows := storetest.Query(t, s, "SELECT count(), count(DISTINCT _part) FROM event"); rows[0][0] != int64(1_060_000) || rows[0][1] != int64(1) {
			t.Errorf("%s: %v events in %v parts", name, rows[0][0], rows[0][1])
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkBlock makes blocks of 100 batches of 1,000 events, and encodes them as they are sent, before compression.
func BenchmarkBlock(b *testing.B) {
	var batches []*analytics.Batch
	for range 100 {
		batches = append(batches, storetest.BatchOf(1000, storetest.Noon))
	}
	var block block
	var buf proto.Buffer
	events := 0
	b.ReportAllocs()
	for b.Loop() {
		n := block.fill(batches, 1, 2, analytics.Place{Stream: "s", Sequence: 3})
		buf.Reset()
		if err := (proto.Block{Columns: len(block.input), Rows: n}).EncodeBlock(&buf, proto.Version, block.input); err != nil {
			b.Fatal(err)
		}
		events += n
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(len(buf.Buf))/100_000, "B/event")
}
