package queue

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// BenchmarkOutboxToHandler is the way of one event from a table full of them to the end of its handling.
func BenchmarkOutboxToHandler(b *testing.B) {
	js, src := streams(b, localtest.NATS(b)), outbox(b, "s")
	_, err := src.Pool.Exec(b.Context(), `INSERT INTO outbox (topic, key, payload)
		SELECT 't', i::text, '{"order_id":"0190","user_id":"0190","product_ids":[1,2,3]}' FROM generate_series(1, $1) i`, b.N)
	must(b, err)
	var n atomic.Int64
	b.ResetTimer()
	relay(b, js, RelayOptions{}, src)
	consume(b, js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, Handler: func(context.Context, Message) error {
		n.Add(1)
		return nil
	}})
	eventually(b, "all are handled", func() bool { return n.Load() >= int64(b.N) })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkBroadcast is one broadcast to three other members until all have acted.
func BenchmarkBroadcast(b *testing.B) {
	url := localtest.NATS(b)
	var first *Bus
	for i := range 4 {
		bus, err := NewBus(connect(b, url), "inv", fmt.Sprint("m", i), BusOptions{Heartbeat: 50 * time.Millisecond})
		must(b, err)
		b.Cleanup(bus.Close)
		if i == 0 {
			first = bus
		}
	}
	eventually(b, "all are known", func() bool { return len(first.Members()) == 3 })
	for b.Loop() {
		must(b, first.Broadcast(b.Context(), []byte(`{"tags":["p:1","lists"]}`)))
	}
}
