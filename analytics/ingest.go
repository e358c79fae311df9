package analytics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// IngestOptions tune an [Ingester]. The zero value works.
type IngestOptions struct {
	Window    time.Duration // how long ids are remembered; default 10 min
	MaxIDs    int           // ids remembered at most, at some 30 bytes each; beyond it the window shrinks. Default 16 million
	Flush     time.Duration // how long an event waits for its transaction, at least; default 500 ms
	MaxEvents int           // of a transaction, at some 200 bytes each, of which two are in memory; default 983,040, eight row groups of DuckDB
	Stream    StreamOptions
	Live      *Live         // told of what came, before it is stored; nil: nobody is
	Enrich    func(*Batch)  // fills in what events do not say, such as categories; nil: nothing
	Sample    Sample        // what is stored only in part; the windows count all of it. Default: nothing
	Trim      time.Duration // how often the stream drops what is stored; default 2 s
	// SetAside is given a batch that cannot be read, before it is skipped; nil: it is logged only.
	SetAside   func(sequence uint64, raw []byte) error
	Registerer prometheus.Registerer
	Log        *slog.Logger
	Now        func() time.Time
}

func (o IngestOptions) withDefaults() IngestOptions {
	o.Window, o.MaxIDs = orDefault(o.Window, 10*time.Minute), orDefault(o.MaxIDs, 16<<20)
	o.Flush, o.MaxEvents, o.Trim = orDefault(o.Flush, 500*time.Millisecond), orDefault(o.MaxEvents, 8*122_880), orDefault(o.Trim, 2*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Ingester moves events from the stream into a store, each once. One process at a time may run one for a store; the store sees to that, by
// a lock or by [ErrDisplaced].
type Ingester struct {
	js      jetstream.JetStream
	store   Store
	o       IngestOptions
	m       *ingestMetrics
	seen    *seen
	touched uint64 // so that no compiler leaves out touching
	place   Place  // handed to the committing goroutine, or committed
	life    string
	spare   chan *Batch
	sampler *sampler

	committed atomic.Pointer[Place]
}

// NewIngester makes an ingester; Run runs it.
func NewIngester(js jetstream.JetStream, store Store, o IngestOptions) *Ingester {
	o = o.withDefaults()
	return &Ingester{js: js, store: store, o: o, m: newIngestMetrics(o.Registerer), spare: make(chan *Batch, 64), sampler: newSampler(o.Sample)}
}

// group is what commits together.
type group struct {
	batches []*Batch
	events  int
	at      Place
}

// Run ingests until ctx ends, then commits what it has taken. A queue that is away is waited for; an error means that the store cannot
// be read at the start, or is another process's by now ([ErrDisplaced]).
func (g *Ingester) Run(ctx context.Context) error {
	if err := g.restore(ctx); err != nil {
		return fmt.Errorf("analytics: the store: %w", err)
	}
	groups := make(chan *group)
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var all errgroup.Group
	all.Go(func() error { return g.commitAll(ctx, groups, giveUp) })
	pause := 100 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		err := g.follow(ctx, groups)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > 5*time.Second {
			pause = 100 * time.Millisecond
		}
		g.o.Log.Warn("the stream of events was interrupted; trying again", "error", err)
		wait(ctx, pause)
		pause = min(2*pause, 2*time.Second)
	}
	close(groups)
	return all.Wait()
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// liveRestored bounds the events that windows are filled from after a start.
const liveRestored = 500_000

// restore brings back what the last process knew.
func (g *Ingester) restore(ctx context.Context) (err error) {
	now := g.o.Now()
	if g.place, err = g.store.Place(ctx); err != nil {
		return err
	}
	g.seen = newSeen(g.o.Window, g.o.MaxIDs, now)
	err = g.store.ReceivedSince(ctx, now.Add(-g.o.Window-g.seen.period), g.o.MaxIDs, func(ids []ID) {
		for _, id := range ids {
			g.seen.add(id)
		}
	})
	if err == nil && g.o.Live != nil {
		err = g.store.Recent(ctx, now.Add(-liveSpan), liveRestored, func(b *Batch) { g.o.Live.Observe(now, b) })
	}
	return err
}

const (
	readAhead  = 16 // batches
	pullExpiry = 30 * time.Second
)

// follow reads the stream from where it is until something fails.
func (g *Ingester) follow(ctx context.Context, groups chan<- *group) error {
	setup, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stream, err := EnsureStream(setup, g.js, g.o.Stream)
	if err != nil {
		return err
	}
	life, err := incarnation(setup, stream)
	if err != nil {
		return err
	}
	g.life = life
	if g.place.Stream != life {
		if g.place.Stream != "" {
			g.o.Log.Warn("the stream of events was made anew: it is read from its beginning", "was", g.place.Stream, "is", life)
		}
		g.place = Place{Stream: life}
	}
	cons, err := stream.OrderedConsumer(setup, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq: g.place.Sequence + 1, MaxResetAttempts: 5})
	if err != nil {
		return err
	}
	it, err := cons.Messages(jetstream.PullMaxMessages(2*readAhead), jetstream.PullExpiry(pullExpiry))
	if err != nil {
		return err
	}
	all, actx := errgroup.WithContext(ctx)
	read := make(chan *group, readAhead)
	all.Go(func() error { defer close(read); return g.read(actx, it, read) })
	all.Go(func() error { return g.gather(ctx, read, groups) })
	all.Go(func() error { return g.trimLoop(actx, stream) })
	return all.Wait()
}

// read hands on the messages, decoded, one a group.
func (g *Ingester) read(ctx context.Context, it jetstream.MessagesContext, to chan<- *group) error {
	stop := context.AfterFunc(ctx, it.Stop)
	defer stop()
	defer it.Stop()
	last := g.place
	for {
		msg, err := it.Next()
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Stream <= last.Sequence {
			continue // the consumer was reset
		}
		last.Sequence = meta.Sequence.Stream
		one := &group{at: last}
		if b := g.decode(last.Sequence, msg.Data()); b != nil {
			one.batches = []*Batch{b}
		}
		select {
		case to <- one:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *Ingester) decode(sequence uint64, raw []byte) *Batch {
	b := g.takeSpare()
	err := b.Decode(raw)
	if err == nil {
		return b
	}
	g.m.corrupt.Inc()
	if g.o.SetAside != nil {
		err = errors.Join(err, g.o.SetAside(sequence, raw))
	}
	g.o.Log.Error("a batch of events cannot be read and is skipped", "sequence", sequence, "bytes", len(raw), "error", err)
	return nil
}

func (g *Ingester) takeSpare() *Batch {
	select {
	case b := <-g.spare:
		return b
	default:
		return &Batch{}
	}
}

// gather drops duplicates and joins batches into transactions: as many as come until the last transaction is committed, at most
// MaxEvents, at least for Flush. So transactions are large when much comes, and an event waits little when not.
func (g *Ingester) gather(work context.Context, read <-chan *group, groups chan<- *group) error {
	var cur group
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	due := false
	for {
		in, out := read, groups
		if cur.events >= g.o.MaxEvents {
			in = nil
		} else if !due {
			out = nil
		}
		select {
		case one, ok := <-in:
			if !ok {
				g.handOn(&cur, groups)
				return nil
			}
			for _, b := range one.batches {
				if err := g.unique(work, b); err != nil {
					g.handOn(&cur, groups)
					return err
				}
			}
			if cur.at.Sequence == 0 {
				timer.Reset(g.o.Flush)
			}
			cur.add(one)
		case <-timer.C:
			due = cur.at.Sequence > 0
		case out <- cur.ready():
			g.place, due = cur.at, false
			cur = group{}
		}
	}
}

// add puts one more batch into the group.
func (it *group) add(one *group) {
	it.at = one.at
	for _, b := range one.batches {
		it.batches, it.events = append(it.batches, b), it.events+b.Len()
	}
}

// ready is a group of its own with what has been gathered.
func (it *group) ready() *group { out := *it; return &out }

// handOn hands on what was gathered, if anything was, whoever waits.
func (g *Ingester) handOn(it *group, groups chan<- *group) {
	if it.at.Sequence > 0 {
		groups <- it.ready() // bounded: a commit ends, if only because the process does
		g.place = it.at
	}
}
