package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/analytics"
)

// eventsPart is something that is measured with a queue server and a store of its own.
type eventsPart struct {
	name string
	run  func(*eventsBench, context.Context, *eventsRig) error
}

// eventsParts are measured one after the other; STAMPEDE_BENCH_EVENTS_PARTS chooses some, by commas.
var eventsParts = []eventsPart{
	{"bare", (*eventsBench).bare},
	{"minute", (*eventsBench).minute},
	{"unbounded", (*eventsBench).unbounded},
	{"windows", (*eventsBench).windows},
	{"http", (*eventsBench).http},
}

// chosenParts are those that list names, all without. What one needs of another is measured too.
func chosenParts(list string) ([]eventsPart, error) {
	if list == "" {
		return eventsParts, nil
	}
	names := strings.Split(list, ",")
	for _, n := range names {
		if !slices.ContainsFunc(eventsParts, func(p eventsPart) bool { return p.name == n }) {
			return nil, fmt.Errorf("there is no part %q of events; there are bare, minute, unbounded, windows, http", n)
		}
	}
	if slices.Contains(names, "windows") { // while half as many come as go through
		names = append(names, "unbounded")
	}
	names = append(names, "bare") // what the others are compared with
	return slices.DeleteFunc(slices.Clone(eventsParts), func(p eventsPart) bool { return !slices.Contains(names, p.name) }), nil
}

// eventsBench gathers what the parts find.
type eventsBench struct {
	bareRows, bareQueue float64 // a second
	rate                float64 // of the minute, or, without, of as many as go through
	most                float64 // as many as go through
	details             map[string]any
}

// benchEvents measures the parts, each in a folder that is gone before the next begins: all together take the disk and the memory of the
// largest.
func benchEvents(ctx context.Context) (result, error) {
	parts, err := chosenParts(os.Getenv("STAMPEDE_BENCH_EVENTS_PARTS"))
	if err != nil {
		return result{}, err
	}
	b := &eventsBench{details: map[string]any{}}
	for _, p := range parts {
		if err := b.measure(ctx, p); err != nil {
			return result{}, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return result{Unit: "events/s", Ours: b.rate, Anchor: b.bareRows, Ratio: b.rate / b.bareRows, Runs: 1, Details: b.details}, nil
}

func (b *eventsBench) measure(ctx context.Context, p eventsPart) error {
	r, err := newEventsRig(ctx)
	if err != nil {
		return err
	}
	defer debug.FreeOSMemory() // of ids remembered, before the next part
	defer r.close()
	return p.run(b, ctx, r)
}

func (b *eventsBench) bare(ctx context.Context, r *eventsRig) error {
	rows, each, err := r.bareAppender(ctx)
	if err != nil {
		return err
	}
	queue, err := r.bareJetStream(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "bare: DuckDB's appender %.0f rows/s at %.2f µs of processor time each, JetStream %.0f events/s in batches of %d\n", rows, each, queue, eventsBatch)
	b.bareRows, b.bareQueue = rows, queue
	b.details["bare_cpu_us_each"], b.details["bare_jetstream"] = each, queue
	return nil
}

// eventsTime is how long events are sent: a minute, or what STAMPEDE_BENCH_EVENTS_FOR says, to try things out.
func eventsTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("STAMPEDE_BENCH_EVENTS_FOR")); err == nil && d > 0 {
		return d
	}
	return eventsFor
}

func (b *eventsBench) minute(ctx context.Context, r *eventsRig) error {
	run, err := b.stored(ctx, r, "sustained", eventsOffer{during: eventsTime(), rate: eventsOffered, profile: true})
	b.rate = run.rate()
	return err
}

func (b *eventsBench) unbounded(ctx context.Context, r *eventsRig) error {
	run, err := b.stored(ctx, r, "unbounded", eventsOffer{during: eventsShort})
	if err != nil {
		return err
	}
	b.most = run.rate()
	if b.rate == 0 {
		b.rate = b.most
	}
	b.details["ratio_unbounded"], b.details["ratio_jetstream"] = b.most/b.bareRows, b.most/b.bareQueue
	return nil
}

// windows looks at the live windows while half as many come as go through.
func (b *eventsBench) windows(ctx context.Context, r *eventsRig) error {
	run, err := r.ingest(ctx, eventsOffer{during: eventsShort, rate: b.most / 2})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "windows while %.0f/s come: p50 %.3f ms, p95 %.3f ms; visible after p95 %.0f ms\n", run.rate(), ms(run.snapshot.p50), ms(run.snapshot.p95), ms(run.visible.p95))
	b.details["windows"] = map[string]any{"at": run.rate(), "p50_ms": ms(run.snapshot.p50), "p95_ms": ms(run.snapshot.p95), "visible_p95_ms": ms(run.visible.p95)}
	return nil
}

func (b *eventsBench) http(ctx context.Context, r *eventsRig) error {
	if _, err := analytics.EnsureStream(ctx, r.js, analytics.StreamOptions{}); err != nil {
		return err
	}
	http, err := r.overHTTP(ctx)
	b.details["http_per_core"], b.details["http_per_s"] = http.perCore, http.rate
	return err
}

// stored ingests what is offered, and counts afterwards how many different ids are stored.
func (b *eventsBench) stored(ctx context.Context, r *eventsRig, name string, o eventsOffer) (eventsRun, error) {
	run, err := r.ingest(ctx, o)
	if err != nil {
		return run, err
	}
	counting := time.Now()
	n, err := r.distinct(ctx)
	if err != nil {
		return run, err
	}
	took := time.Since(counting)
	fmt.Fprintf(os.Stderr, "%s: %d events in %.1f s: %.0f/s, %.2f µs of processor time each; %d sent twice, %d stored; others used %.0f %% of the machine; all %d ids in the store are different (%.0f s to count)\n",
		name, run.sent, run.took.Seconds(), run.rate(), run.cpuEach(), run.twice, run.stored, 100*run.others, n, took.Seconds())
	b.details[name] = map[string]any{"rate": run.rate(), "offered": o.rate, "seconds": run.took.Seconds(), "events": run.sent, "stored": run.stored, "repeated": run.twice, "cpu_us_each": run.cpuEach(),
		"others_used": run.others, "distinct_in_store": n, "counting_s": took.Seconds()}
	return run, nil
}
