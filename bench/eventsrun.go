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

// ingest sends batches for a while, at most at a rate (0: as many as go through), and waits until all are stored. What is stored is
// counted in the store.
func (r *eventsRig) ingest(ctx context.Context, during time.Duration, rate float64) (run eventsRun, err error) {
	before, err := r.distinct(ctx, false)
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
	p := &producer{r: r, rate: rate, stored: func() int64 {
		return counterOf(reg, "stampede_analytics_stored_total") + counterOf(reg, "stampede_analytics_duplicates_total")
	}}
	if err := p.first(ctx); err != nil {
		return run, err
	}
	cpu, machine := spentNow(), readCPU()
	began := time.Now()
	err = profiled(rate == 0, func() error {
		var watch sync.WaitGroup
		wctx, end := context.WithCancel(ctx)
		watch.Go(func() { run.snapshot, run.visible = r.watch(wctx) })
		defer watch.Wait()
		defer end()
		if err := p.send(ctx, during); err != nil {
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
	after, err := r.distinct(ctx, true)
	run.stored = after - before
	if err == nil && run.stored != run.sent {
		err = fmt.Errorf("%d events were sent and %d are stored", run.sent, run.stored)
	}
	return run, err
}

// distinct counts stored events, and that no id is there twice.
func (r *eventsRig) distinct(ctx context.Context, ids bool) (int64, error) {
	what := "count(*), count(*)"
	if ids {
		what = "count(*), count(DISTINCT id)"
	}
	res, err := r.store.Query(ctx, "SELECT "+what+" FROM events", analytics.QueryOptions{Timeout: 3 * time.Minute})
	if err != nil {
		return 0, err
	}
	n, distinct := res.Rows[0][0].(int64), res.Rows[0][1].(int64)
	if n != distinct {
		return 0, fmt.Errorf("%d events are stored under %d ids", n, distinct)
	}
	return n, nil
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
	rate        float64
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

func (p *producer) send(ctx context.Context, during time.Duration) error {
	var batches []*analytics.Batch
	for i := range 4 {
		batches = append(batches, sampleBatch(rand.New(rand.NewPCG(uint64(i), 3))))
	}
	began := time.Now()
	for i := 0; time.Since(began) < during; i++ {
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
	for p.sent+p.twice-p.stored() > eventsAhead || p.rate > 0 && float64(p.sent-eventsBatch) > p.rate*time.Since(began).Seconds() {
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
