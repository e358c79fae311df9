package clickstore

import (
	"testing"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/storetest"
)

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
