package edgerole

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/queue"
)

// BenchmarkEdgeEvents is what reporting a view costs a request at the edge, publication in the background included.
func BenchmarkEdgeEvents(b *testing.B) {
	nc, err := queue.Connect(localtest.NATS(b), queue.ConnectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := analytics.EnsureStream(b.Context(), js, analytics.StreamOptions{MaxBytes: 200 << 20}); err != nil {
		b.Fatal(err)
	}
	c := analytics.NewCollector(js, analytics.CollectorOptions{Delay: config.TrackDelay, MaxWaiting: 1 << 20, Patience: 10 * time.Second})
	defer c.Close(context.Background())
	e := &edgeEvents{c}
	cookies := "theme=dark; sid=1.MDE5N2EzZjAtN2UxYy03YzNlLThmMTAtMDAwMDAwMDAwMDAxfHwxNzk1Njk0NDAw.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlMTIz"
	b.ReportAllocs()
	for b.Loop() {
		if kind, product, search := whatIsAsked("GET", "/products/1234"); kind != 0 {
			e.track(kind, product, search, cookies)
		}
	}
}
