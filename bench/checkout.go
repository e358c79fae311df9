package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/stampede-shop/stampede/internal/local/pg"
)

const (
	checkoutRuns    = 3
	checkoutCallers = 64
	checkoutFor     = 8 * time.Second
)

// benchCheckout compares whole checkouts of three random products out of 10,000 (four shards, reservations, payment rows,
// idempotency keys, outbox; the payment provider is another company's and answers at once; no HTTP) with a hand-written transaction of three decrements and four rows, 64 callers
// each, on one server, taking turns; and with a hand-written one that leaves all the rows that an order of ours leaves.
func benchCheckout(ctx context.Context) (result, error) {
	return compareCheckouts(ctx, anchorRandom, wholeRandom, threeRandom)
}

// benchHot does the same with one product that everybody wants.
func benchHot(ctx context.Context) (result, error) {
	return compareCheckouts(ctx, anchorHot, wholeHot, oneHot)
}

func compareCheckouts(ctx context.Context, script, wholeScript string, pick func() []int64) (r result, err error) {
	// A server that has run for a while writes its log into segments of before, not into new files.
	s, err := startPG(ctx, pg.Settings{"min_wal_size": "4GB", "max_wal_size": "6GB"})
	if err != nil {
		return r, err
	}
	defer s.stop()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // the heap of this process is small beside that of a shop
	if err := s.prepareAnchor(ctx); err != nil {
		return r, err
	}
	b, err := openShop(ctx, s, os.Getenv("STAMPEDE_BENCH_PLAIN") != "")
	if err != nil {
		return r, err
	}
	defer b.close()
	if err := b.warm(ctx, pick); err != nil {
		return r, err
	}
	var ours, anchor, whole, p99, anchorP99 []float64
	for range checkoutRuns {
		m, err := s.turn(ctx, "pgbench", script)
		if err != nil {
			return r, err
		}
		anchor, anchorP99 = append(anchor, m.rate), append(anchorP99, m.p99.Seconds()*1000)
		if m, err = s.turn(ctx, "pgbench, all rows of an order", wholeScript); err != nil {
			return r, err
		}
		whole = append(whole, m.rate)
		users, err := b.fill(ctx, int(checkoutFor.Seconds()*15_000), pick)
		if err != nil {
			return r, err
		}
		if err := s.rest(ctx); err != nil {
			return r, err
		}
		if m, err = b.buy(ctx, users, checkoutCallers, checkoutFor); err != nil {
			return r, err
		}
		fmt.Fprintf(os.Stderr, "checkouts %.0f/s, p50 %v, p99 %v\n", m.rate, m.p50, m.p99)
		ours, p99 = append(ours, m.rate), append(p99, m.p99.Seconds()*1000)
	}
	if err := b.audit(ctx); err != nil {
		return r, err
	}
	r = result{Unit: "checkouts/s", Ours: median(ours), Anchor: median(anchor), Spread: spread(ours), Runs: checkoutRuns}
	r.Ratio = r.Ours / r.Anchor
	r.Details = map[string]any{"anchor_all_rows": median(whole), "ratio_all_rows": r.Ours / median(whole),
		"payment":       "a provider in memory, its ledger held against ours; payment rows as always",
		"stock_commits": "left to the worker, which is not running", "slots": shopSlots, "p99_ms": median(p99), "anchor_p99_ms": median(anchorP99), "callers": checkoutCallers, "shards": shopShards}
	if b.batched != nil {
		st := b.batched.Stats().Steps
		r.Details["steps"], r.Details["halved"], r.Details["repeated"] = st.Finished, st.Splits, st.Retries
	}
	return r, nil
}

// turn is pgbench's.
func (s *pgServer) turn(ctx context.Context, what, script string) (m measured, err error) {
	if err = s.rest(ctx); err != nil {
		return m, err
	}
	if m, err = s.pgbench(ctx, script, checkoutFor); err == nil {
		fmt.Fprintf(os.Stderr, "%s %.0f/s, p50 %v, p99 %v\n", what, m.rate, m.p50, m.p99)
	}
	return m, err
}
