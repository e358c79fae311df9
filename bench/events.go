package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/duckstore"
	"github.com/stampede-shop/stampede/internal/local/natsserver"
)

// The measure of events: a minute at a rate above the aim, then a while as many as go through, each of ten columns that are filled and four that mostly are not,
// with ids of their own, through JetStream's files into DuckDB's, deduplication on.
const (
	eventsBatch    = 16_384
	eventsFor      = time.Minute
	eventsOffered  = 1_200_000 // a second, in that minute: the aim is 1,000,000
	eventsShort    = 15 * time.Second
	eventsBare     = 5 * time.Second
	eventsAhead    = 3_000_000 // events that may be on their way, so that what is measured is the whole way
	eventsRepeat   = 200       // of so many batches one is sent twice
	eventsProducts = 50_000
	eventsProfile  = "STAMPEDE_BENCH_PROFILE" // a file for a profile of the minute
)

// eventsRig is a queue server of this process, and a store.
type eventsRig struct {
	dir   string
	js    jetstream.JetStream
	store *duckstore.Store
	live  *analytics.Live
	stop  []func()
}

func newEventsRig(ctx context.Context) (r *eventsRig, err error) {
	r = &eventsRig{live: analytics.NewLive()}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.dir, err = os.MkdirTemp("", "stampede-events"); err != nil {
		return r, err
	}
	r.stop = append(r.stop, func() { _ = os.RemoveAll(r.dir) })
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	url, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- natsserver.Run(serving, natsserver.Options{Dir: filepath.Join(r.dir, "nats"), Ready: func(u string) { url <- u }})
	}()
	r.stop = append(r.stop, func() { end(); <-ended })
	select {
	case u := <-url:
		nc, err := nats.Connect(u)
		if err != nil {
			return r, err
		}
		r.stop = append(r.stop, nc.Close)
		r.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(64))
		if err != nil {
			return r, err
		}
	case err := <-ended:
		ended <- err
		return r, errors.Join(errors.New("no queue server"), err)
	}
	r.store, err = duckstore.Open(ctx, duckstore.Options{Dir: filepath.Join(r.dir, "store"), MemoryMiB: 4096, CompactAfter: -1})
	if err == nil {
		r.stop = append(r.stop, func() { _ = r.store.Close() })
	}
	return r, err
}

func (r *eventsRig) close() {
	for i := len(r.stop) - 1; i >= 0; i-- {
		r.stop[i]()
	}
	r.stop = nil
}

// sampleBatch is a batch of what shoppers do: mostly views, of products that are popular by Zipf.
func sampleBatch(rng *rand.Rand) *analytics.Batch {
	b := &analytics.Batch{}
	zipf := rand.NewZipf(rng, 1.1, 10, eventsProducts-1)
	for range eventsBatch {
		product := int64(zipf.Uint64()) + 1
		e := analytics.Event{ID: analytics.NewID(), Time: time.Now(), Kind: analytics.KindView, Shopper: rng.Uint64N(1_000_000)*0x9e3779b97f4a7c15 | 1, Product: product,
			Category: fmt.Sprintf("home/category-%d", product%60), Source: "web", Currency: "EUR", Quantity: 1, Amount: 100 + product%9000}
		switch n := rng.IntN(100); {
		case n < 5:
			e.Kind = analytics.KindAdd
		case n < 8:
			e.Kind, e.Product, e.Query = analytics.KindSearch, 0, fmt.Sprintf("search for %d", rng.IntN(500))
		case n < 10:
			e.Kind = analytics.KindCheckout
		case n < 11:
			e.Kind = analytics.KindOrder
		case n < 13:
			e.Kind = analytics.KindPurchase
		}
		b.Add(&e)
	}
	return b
}

// renew gives a batch new ids and times.
func renew(b *analytics.Batch) {
	now := time.Now()
	b.Received = now.UnixMicro()
	for i := range b.IDs {
		b.IDs[i], b.Times[i] = analytics.IDAt(now), b.Received-int64(i&1023)
	}
}

// bareJetStream publishes such batches to a stream and nothing more.
func (r *eventsRig) bareJetStream(ctx context.Context) (float64, error) {
	const name = "BARE"
	_, err := r.js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{"bare"}, Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, MaxBytes: 1 << 30})
	if err != nil {
		return 0, err
	}
	defer r.js.DeleteStream(context.WithoutCancel(ctx), name) //nolint:errcheck // the folder goes too
	b := sampleBatch(rand.New(rand.NewPCG(1, 1)))
	renew(b)
	raw := b.Append(nil)
	n, began := 0, time.Now()
	for time.Since(began) < eventsBare {
		if _, err := r.js.PublishAsync("bare", raw, jetstream.WithStallWait(time.Second)); err != nil {
			return 0, err
		}
		n += b.Len()
	}
	<-r.js.PublishAsyncComplete()
	return float64(n) / time.Since(began).Seconds(), nil
}

// profiled writes a profile of what f does, if one is asked for.
func profiled(do bool, f func() error) error {
	path := os.Getenv(eventsProfile)
	if path == "" || !do {
		return f()
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // a profile
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}
