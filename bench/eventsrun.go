package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/stampede-shop/stampede/analytics"
)

// eventsRun is what one run of ingestion did.
type eventsRun struct {
	sent, twice, stored int64
	took                time.Duration // from the first batch to the commit of the last
	cpu                 time.Duration // of everything in this process: producer, queue server, ingestion, store
	others              float64       // share of the machine that other processes used
	snapshot, visible   timing
}

func (r eventsRun) rate() float64    { return float64(r.sent) / r.took.Seconds() }
func (r eventsRun) cpuEach() float64 { return float64(r.cpu.Nanoseconds()) / 1000 / float64(r.sent) }

// eventsOffer is what is sent: for how long, or how many; at most at a rate, 0 being as many as go through.
type eventsOffer struct {
	during  time.Duration
	events  int64
	rate    float64
	profile bool
}

// ingest sends batches, and waits until all are stored. What is stored is counted in the store.
func (r *eventsRig) ingest(ctx context.Context, o eventsOffer) (run eventsRun, err error) {
	before, err := r.rows(ctx)
	if err != nil {
		return run, err
	}
	if _, err := analytics.EnsureStream(ctx, r.js, analytics.StreamOptions{}); err != nil {
		return run, err
	}
	reg := prometheus.NewRegistry()
	ictx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	in := analytics.NewIngester(r.js, r.store, analytics.IngestOptions{MaxIDs: 120_000_000, Live: r.live, Registerer: reg,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	go func() { done <- in.Run(ictx) }()
	p := &producer{r: r, offer: o, stored: func() int64 {
		return counterOf(reg, "stampede_analytics_stored_total") + counterOf(reg, "stampede_analytics_duplicates_total")
	}}
	if err := p.first(ctx); err != nil {
		return run, err
	}
	cpu, machine := spentNow(), readCPU()
	began := time.Now()
	err = profiled(o.profile, func() error {
		var watch sync.WaitGroup
		wctx, end := context.WithCancel(ctx)
		watch.Go(func() { run.snapshot, run.visible = r.watch(wctx) })
		defer watch.Wait()
		defer end()
		if err := p.send(ctx); err != nil {
			return err
		}
		return p.drain(ctx)
	})
	run.took, run.cpu = time.Since(began), spentNow().minus(cpu).here
	run.others = besides(machine, run.cpu)
	run.sent, run.twice = p.sent, p.twice
	if err != nil {
		return run, err
	}
	stop()
	if err := <-done; err != nil {
		return run, err
	}
	after, err := r.rows(ctx)
	run.stored = after - before
	if err == nil && run.stored != run.sent {
		err = fmt.Errorf("%d events were sent and %d are stored", run.sent, run.stored)
	}
	return run, err
}

// rows counts stored events.
func (r *eventsRig) rows(ctx context.Context) (n int64, err error) {
	res, err := r.store.Query(ctx, "SELECT count(*) FROM events", analytics.QueryOptions{Timeout: time.Minute})
	if err == nil {
		n = res.Rows[0][0].(int64)
	}
	return n, err
}

// eventsAtOnce bounds the ids that are compared at once, which takes some 50 bytes each.
const eventsAtOnce = 16_000_000

// distinct counts stored events, and makes sure that no id is there twice: equal ids have equal hashes, so it is enough to compare those
// whose hashes leave the same rest. One pass for each rest needs memory for its own ids alone.
func (r *eventsRig) distinct(ctx context.Context) (n int64, err error) {
	n, err = r.rows(ctx)
	passes := n/eventsAtOnce + 1
	var seen int64
	for k := int64(0); k < passes && err == nil; k++ {
		var res *analytics.Result
		res, err = r.store.Query(ctx, fmt.Sprintf("SELECT count(DISTINCT id) FROM events WHERE hash(id) %% %d = %d", passes, k), analytics.QueryOptions{Timeout: time.Minute})
		if err == nil {
			seen += res.Rows[0][0].(int64)
		}
	}
	if err == nil && seen != n {
		err = fmt.Errorf("%d events are stored under %d ids", n, seen)
	}
	return n, err
}

func counterOf(reg *prometheus.Registry, name string) int64 {
	families, _ := reg.Gather()
	for _, f := range families {
		if f.GetName() == name {
			return int64(sum(f.GetMetric()))
		}
	}
	return 0
}

func sum(metrics []*dto.Metric) (n float64) {
	for _, m := range metrics {
		n += m.GetCounter().GetValue()
	}
	return n
}

// producer sends batches, and waits when too many are on their way.
type producer struct {
	r           *eventsRig
	offer       eventsOffer
	stored      func() int64 // with duplicates
	sent, twice int64
}

// first sends one batch and waits until it is stored: what the store remembers has been brought back by then.
func (p *producer) first(ctx context.Context) error {
	b := sampleBatch(rand.New(rand.NewPCG(9, 9)))
	renew(b)
	if err := p.publish(b.Append(nil)); err != nil {
		return err
	}
	p.sent += int64(b.Len())
	return p.drain(ctx)
}

func (p *producer) send(ctx context.Context) error {
	var batches []*analytics.Batch
	for i := range 4 {
		batches = append(batches, sampleBatch(rand.New(rand.NewPCG(uint64(i), 3))))
	}
	began := time.Now()
	for i := 0; p.sent < p.offer.events || time.Since(began) < p.offer.during; i++ {
		if err := p.wait(ctx, began); err != nil {
			return err
		}
		b := batches[i%len(batches)]
		renew(b)
		raw := b.Append(nil)
		if err := p.publish(raw); err != nil {
			return err
		}
		p.sent += int64(b.Len())
		if i%eventsRepeat == 0 {
			if err := p.publish(raw); err != nil {
				return err
			}
			p.twice += int64(b.Len())
		}
	}
	return nil
}

// wait holds the producer back to its rate, and to so much ahead of the store.
func (p *producer) wait(ctx context.Context, began time.Time) error {
	for p.sent+p.twice-p.stored() > eventsAhead || p.offer.rate > 0 && float64(p.sent-eventsBatch) > p.offer.rate*time.Since(began).Seconds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

func (p *producer) publish(raw []byte) error {
	_, err := p.r.js.PublishAsync(analytics.Subject, raw, jetstream.WithStallWait(5*time.Second))
	return err
}

// drain waits for the stream's answers, and for the last commit.
func (p *producer) drain(ctx context.Context) error {
	<-p.r.js.PublishAsyncComplete()
	for p.stored() < p.sent+p.twice {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// watch reads the windows as a dashboard would, more often, until ctx ends: how long it takes, and how old the newest event is.
func (r *eventsRig) watch(ctx context.Context) (reading, age timing) {
	began := time.Now()
	var took, old []time.Duration
	for ctx.Err() == nil {
		at := time.Now()
		s := r.live.Latest(at)
		took = append(took, time.Since(at))
		if !s.LastEvent.IsZero() {
			old = append(old, at.Sub(s.LastEvent))
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return timingOf(took, time.Since(began)), timingOf(old, time.Since(began))
}
