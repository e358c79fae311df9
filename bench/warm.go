package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	warmProducts = 5_000
	warmRounds   = 4                // of each shop, taking turns; even, so that each is first as often as second
	warmRate     = 200              // requests a second
	warmPrimes   = 600              // requests a second, to begin with
	warmPrime    = 45 * time.Second // longer than counts of demand take to reach where they are kept
	warmBefore   = 3 * time.Second  // load before the restart
	warmEarly    = 10 * time.Second // what is looked at: from the first good answer
	warmBack     = time.Minute      // by when there has to be one
)

// benchWarm restarts every cache of a platform at once, under an open load of product views and lists: one platform whose API
// processes warm at the start as shipped, and one whose processes do not, in turns. The figures are the p95 of what was due in the first
// ten seconds after the first good answer.
func benchWarm(ctx context.Context) (_ result, err error) {
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return result{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // PostgreSQL's user passes through
		return result{}, err
	}
	var shops []*warmShop
	for _, warms := range []bool{true, false} {
		s, err := startWarmShop(ctx, dir, warms)
		defer s.stop()
		if err != nil {
			return result{}, err
		}
		shops = append(shops, s)
	}
	return compareWarm(ctx, shops[0], shops[1])
}

func compareWarm(ctx context.Context, warm, cold *warmShop) (r result, err error) {
	fmt.Fprintln(os.Stderr, warm.mix)
	figures := map[*warmShop]*restarts{warm: {}, cold: {}}
	order := []*warmShop{warm, cold}
	prime, cancel := context.WithTimeout(ctx, warmPrime)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range order {
		wg.Go(func() { open(prime, s.url, warmPrimes, s.mix.picker(2)) })
	}
	wg.Wait()
	for i := range warmRounds {
		for j := range order {
			s := order[(i+j)%2]
			if err := figures[s].restart(ctx, s); err != nil {
				return r, err
			}
		}
	}
	w, c := figures[warm], figures[cold]
	t := newTable("start", "p50 ms", "p95 ms", "p99 ms", "spread of p95 %", "asked the database %", "first answer after ms", "bad", "statements", "database ms", "loads by warming")
	for _, s := range order {
		f, name := figures[s], "cold"
		if s.warms {
			name = "warmed"
		}
		t.add(name, median(f.p50), median(f.p95), median(f.p99), 100*spread(f.p95), median(f.db), median(f.outage), f.bad, median(f.statements), median(f.busy), median(f.loaded))
	}
	t.print()
	r = result{Unit: "ms, p95 after a restart of every cache", Ours: median(w.p95), Anchor: median(c.p95), Spread: spread(w.p95), Runs: warmRounds}
	r.Ratio = r.Ours / r.Anchor
	r.Details = map[string]any{"rate": warmRate, "columns": t.head, "rows": t.rows}
	return r, ctx.Err()
}

// restarts is what the restarts of one shop gave: times in milliseconds, and which part of the requests the database was asked for, in %.
type restarts struct {
	p50, p95, p99, outage    []float64
	db                       []float64
	statements, busy, loaded []float64
	bad                      int
}

// restart kills all caches while the load goes on, and looks at what comes then.
func (f *restarts) restart(ctx context.Context, s *warmShop) error {
	lctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan []sample, 1)
	go func() { done <- open(lctx, s.url, warmRate, s.mix.picker(3+uint64(len(f.p95)))) }()
	if err := pause(ctx, warmBefore); err != nil {
		return err
	}
	killed, err := s.coldRestart(ctx)
	if err != nil {
		return err
	}
	err = s.answers(ctx, warmBack)
	if err == nil {
		err = pause(ctx, warmEarly)
	}
	load, err2 := s.databaseLoad(ctx)
	stop()
	all := <-done
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	first := firstGood(all, killed)
	if first.IsZero() {
		return errors.New("no good answer after the restart")
	}
	var took []time.Duration
	waited := 0
	for _, x := range all {
		switch since := x.due.Sub(first); {
		case x.due.Before(killed) || since >= warmEarly:
		case !x.good:
			f.bad++
		case since >= 0:
			took = append(took, x.took)
			if x.db {
				waited++
			}
		}
	}
	t := timingOf(took, warmEarly)
	f.p50, f.p95, f.p99 = append(f.p50, ms(t.p50)), append(f.p95, ms(t.p95)), append(f.p99, ms(t.p99))
	f.db = append(f.db, 100*float64(waited)/float64(max(len(took), 1)))
	f.outage = append(f.outage, ms(first.Sub(killed)))
	f.statements, f.busy = append(f.statements, load.statements), append(f.busy, ms(load.busy))
	f.loaded = append(f.loaded, float64(load.warming.Loaded))
	fmt.Fprintf(os.Stderr, "warms %v: %d requests, %d of them asked the database, p95 %v, first answer %v after, %.0f statements, %v busy, warming: %d loaded, %d there, %.1f s\n",
		s.warms, len(took), waited, t.p95, first.Sub(killed).Round(time.Millisecond), load.statements, load.busy.Round(time.Millisecond), load.warming.Loaded, load.warming.Present, load.warming.Elapsed)
	return nil
}

// firstGood is when the first good answer came to something that was due after a moment.
func firstGood(all []sample, after time.Time) (first time.Time) {
	for _, x := range all {
		if at := x.due.Add(x.took); x.good && x.due.After(after) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
