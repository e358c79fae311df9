package clickstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/clickstore"
	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chtest"
	"github.com/stampede-shop/stampede/analytics/storetest"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// reader is a process that moves a stream into a store: from the place that it found, a few batches at a time, and the same ones again
// until they are stored.
type reader struct {
	s    *clickstore.Store
	done uint64 // the place
	end  uint64 // of what it is about to store; 0: nothing
	dead bool
}

// Readers that die, are overtaken and lose their connections at any point store each batch of a stream once.
func TestEachEventOnceWhateverHappens(t *testing.T) {
	t.Parallel()
	server := chtest.Start(t, chtest.NewMemory())
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		o := clickstore.Options{Address: server.Addr(), Database: fmt.Sprintf("run%d", run)}
		var stream []*analytics.Batch
		for range 12 {
			stream = append(stream, storetest.BatchOf(2, storetest.Noon))
		}
		var readers []*reader
		defer func() {
			for _, p := range readers {
				_ = p.s.Close()
			}
		}()
		start := func() *reader {
			s, err := clickstore.Open(t.Context(), o)
			if err != nil {
				r.Fatal(err)
			}
			at, err := s.Place(t.Context())
			if err != nil {
				r.Fatal(err)
			}
			p := &reader{s: s, done: at.Sequence}
			readers = append(readers, p)
			return p
		}
		step := func(p *reader, most uint64) {
			if p.end == 0 {
				p.end = min(p.done+most, uint64(len(stream)))
			}
			if p.end == p.done {
				p.end = 0
				return
			}
			err := p.s.Append(t.Context(), stream[p.done:p.end], at(p.end))
			switch {
			case err == nil:
				p.done, p.end = p.end, 0
			case errors.Is(err, analytics.ErrDisplaced):
				p.dead = true
			}
		}
		start()
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			alive := slices.DeleteFunc(slices.Clone(readers), func(p *reader) bool { return p.dead })
			if len(alive) == 0 || rapid.IntRange(0, 5).Draw(r, "start") == 0 {
				alive = []*reader{start()}
			}
			p := alive[rapid.IntRange(0, len(alive)-1).Draw(r, "who")]
			fault := rapid.SampledFrom([]chtest.Fault{chtest.None, chtest.None, chtest.Before, chtest.After}).Draw(r, "fault")
			where := rapid.SampledFrom([]string{`INSERT INTO "event"`, `INSERT INTO "place"`, "SELECT append"}).Draw(r, "where")
			server.Fail(func(q chtest.Query) chtest.Fault {
				if strings.HasPrefix(q.Body, where) {
					return fault
				}
				return chtest.None
			})
			step(p, rapid.Uint64Range(1, 5).Draw(r, "batches"))
			server.Fail(nil)
		}
		for last := start(); last.done < uint64(len(stream)); {
			if step(last, 5); last.dead {
				r.Fatal("the last reader was displaced by nobody")
			}
		}
		once(r, readers[len(readers)-1].s, stream)
	})
}

type fataler interface {
	Fatal(args ...any)
	Errorf(format string, args ...any)
	Context() context.Context
}

func once(t fataler, s analytics.Store, batches []*analytics.Batch) {
	got := map[analytics.ID]int{}
	if err := s.ReceivedSince(t.Context(), time.Unix(0, 0), 1<<30, func(ids []analytics.ID) {
		for _, id := range ids {
			got[id]++
		}
	}); err != nil {
		t.Fatal(err)
	}
	want := 0
	for i, b := range batches {
		for _, id := range b.IDs {
			want++
			if got[id] != 1 {
				t.Errorf("an event of batch %d is there %d times", i, got[id])
			}
		}
	}
	if len(got) != want {
		t.Errorf("%d events, want %d", len(got), want)
	}
}

// From the queue into the store, with the real ingester: connections break, the server goes away, and a second process takes the first one's place
// while it still works.
func TestFromTheQueueEachOnce(t *testing.T) {
	engines(t, func(t *testing.T, server *chtest.Server) {
		nc, err := nats.Connect(localtest.NATS(t), nats.MaxReconnects(-1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := analytics.EnsureStream(t.Context(), js, analytics.StreamOptions{MaxBytes: 16 << 20}); err != nil {
			t.Fatal(err)
		}
		db := clickstore.Options{Database: database(t)}
		var calls atomic.Int32
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // under the server's lock
		faults := func(q chtest.Query) chtest.Fault {
			if !strings.HasPrefix(q.Body, "INSERT INTO \"") {
				return chtest.None
			}
			calls.Add(1)
			return []chtest.Fault{chtest.None, chtest.Before, chtest.After}[random.IntN(3)]
		}
		first := ingesting(t, js, open(t, server, db))
		server.Fail(faults)
		var all []*analytics.Batch
		send := func(n int) {
			for range n {
				b := storetest.BatchOf(50, time.Now())
				all = append(all, b)
				for range 2 { // each is reported twice
					if err := analytics.Publish(t.Context(), js, b.Append(nil)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		send(20)
		await(t, "something is stored", func() bool { return calls.Load() > 5 })
		server.Fail(nil)
		second := ingesting(t, js, open(t, server, db))
		server.Fail(faults)
		send(20)
		await(t, "one is displaced", func() bool { return first.ended() || second.ended() })
		server.Fail(nil)
		for _, p := range []*ingestion{first, second} {
			p.stop()
		}
		s := open(t, server, db)
		last := ingesting(t, js, s)
		await(t, "everything is stored", func() bool { st, err := s.Stats(t.Context()); return err == nil && st.Events >= int64(50*len(all)) })
		last.stop()
		if last.err != nil && !errors.Is(last.err, context.Canceled) { // it may have had nothing to do
			t.Error(last.err)
		}
		once(t, s, all)
	})
}

// ingestion is an ingester that runs.
type ingestion struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func ingesting(t *testing.T, js jetstream.JetStream, s analytics.Store) *ingestion {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &ingestion{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = analytics.NewIngester(js, s, analytics.IngestOptions{Flush: 5 * time.Millisecond, Trim: time.Hour}).Run(ctx)
	}()
	t.Cleanup(sync.OnceFunc(p.stop))
	return p
}

func (p *ingestion) stop() { p.cancel(); <-p.done }

// ended tells whether it was displaced.
func (p *ingestion) ended() bool {
	select {
	case <-p.done:
		return errors.Is(p.err, analytics.ErrDisplaced)
	default:
		return false
	}
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); {
		if time.Sleep(5 * time.Millisecond); time.Now().After(end) { // between two looks at a condition
			t.Fatal("not so after a minute: " + what)
		}
	}
}
