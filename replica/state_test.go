package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	var b breaker
	if b.state() != "open" || !b.halfOpen() || b.state() != "half-open" {
		t.Fatal("a new one is not tried")
	}
	for i := range neededProbes {
		ok, probe := b.admit()
		if !ok || !probe {
			t.Fatalf("probe %d is not let in", i)
		}
		if ok, _ := b.admit(); ok {
			t.Fatal("two probes at a time")
		}
		b.probed(true)
	}
	if ok, probe := b.admit(); !ok || probe || b.state() != "closed" {
		t.Fatalf("after good probes: %s", b.state())
	}
	if !b.open(0) || b.open(0) || !b.halfOpen() {
		t.Fatal("it does not open once, and half-open at once")
	}
	for i, least := 0, 100*time.Millisecond; i < 3; i, least = i+1, 2*least { // failing probes wait longer and longer
		_, _ = b.admit()
		before := time.Now()
		b.open(0)
		after, till := time.Now(), time.Unix(0, b.openTill.Load())
		b.probed(false)
		if till.Sub(before) < least/2 || till.Sub(after) > least || b.halfOpen() && time.Now().Before(till) {
			t.Errorf("failure %d: probes in %v, want %v", i, till.Sub(before), least)
		}
		b.openTill.Store(0)
		b.halfOpen()
	}
}

func TestFailingProbeIsRepeatedElsewhere(t *testing.T) {
	t.Parallel()
	s := offline(1)
	n := s.replicas[0].server
	n.open(0)
	n.halfOpen()
	var nodes []string
	err := s.Read(t.Context(), func(_ context.Context, _ *pgxpool.Pool, node string) error {
		nodes = append(nodes, node)
		if node != PrimaryName {
			return &net.OpError{Op: "read", Err: errors.New("reset")}
		}
		return nil
	})
	if err != nil || len(nodes) != 2 || n.state() != "open" || n.probing.Load() {
		t.Errorf("%v after %v, %s", err, nodes, n.state())
	}
}

func TestBrownout(t *testing.T) {
	t.Parallel()
	s := offline(1)
	s.g.o.PrimaryReadLimit, s.g.o.PrimaryReadQueue, s.g.o.PrimaryReadWait = 2, 1, 50*time.Millisecond
	s.g.limitPrimary()
	s.replicas[0].open(0)
	in, out := make(chan struct{}), make(chan struct{})
	done := make(chan error, 2)
	read := func() error {
		return s.Read(t.Context(), func(context.Context, *pgxpool.Pool, string) error {
			in <- struct{}{}
			<-out
			return nil
		})
	}
	for range 2 {
		go func() { done <- read() }()
		<-in
	}
	queued := make(chan error, 1)
	start := time.Now()
	go func() { queued <- read() }()
	for s.g.budget.waiting.Load() == 0 && len(queued) == 0 { // it may have given up between two looks
		time.Sleep(time.Millisecond)
	}
	var over *Overload
	if err := read(); !errors.As(err, &over) || !errors.Is(err, ErrOverloaded) || over.RetryAfter < time.Second {
		t.Errorf("beyond the queue: %v", err)
	}
	if err := <-queued; !errors.Is(err, ErrOverloaded) || time.Since(start) < 50*time.Millisecond {
		t.Errorf("queued in vain: %v after %v", err, time.Since(start))
	}
	close(out)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	go func() { <-in }()
	if err := read(); err != nil || s.g.budget.refused.Load() != 2 {
		t.Errorf("with room again: %v, %d refused", err, s.g.budget.refused.Load())
	}
}

func TestFence(t *testing.T) {
	t.Parallel()
	var f Fence
	for _, c := range []struct {
		tli uint32
		ok  bool
	}{{1, true}, {1, true}, {3, true}, {2, false}, {1, false}, {3, true}} {
		if f.Observe(c.tli) != c.ok {
			t.Errorf("timeline %d: %v", c.tli, !c.ok)
		}
	}
}

func TestStatementNames(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"-- name: GetCart :one\nSELECT 1": "GetCart", "  select 1": "select", "-- a note\nINSERT INTO x": "insert", "": "other",
		"-- name:": "other", "begin": "begin", "/* x */ select": "other", "commit;select": "commit",
	} {
		if got := statementName(sql); got != want {
			t.Errorf("%q: %q, want %q", sql, got, want)
		}
	}
}

func TestQueriesAreCounted(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	q := NewQueries(QueriesOptions{Slow: 40 * time.Millisecond, Registerer: reg, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	tr := q.Tracer("shard1", "replica-1").(*tracer)
	const sql = "-- name: GetCart :one\nSELECT 1"
	for i := range 100 {
		tr.done(t.Context(), sql, time.Duration(i+1)*500*time.Microsecond, 2, nil)
	}
	ctx := tr.TraceQueryStart(t.Context(), nil, pgx.TraceQueryStartData{SQL: "begin"})
	tr.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{CommandTag: pgconn.NewCommandTag("BEGIN"), Err: errors.New("no")})
	st := q.Stats()
	if len(st) != 2 || st[0].Name != "GetCart" || st[0].Count != 100 || st[0].Rows != 200 || st[1].Errors != 1 {
		t.Fatalf("%+v", st)
	}
	for _, c := range []struct{ got, exact time.Duration }{{st[0].P50, 25 * time.Millisecond}, {st[0].P95, 47500 * time.Microsecond}, {st[0].P99, 49500 * time.Microsecond}} {
		if c.got < c.exact || c.got > c.exact*142/100 {
			t.Errorf("a quantile is %v, exactly %v", c.got, c.exact)
		}
	}
	if n := strings.Count(log.String(), "slow query"); n != 21 || !strings.Contains(log.String(), "node=replica-1") {
		t.Errorf("%d slow queries logged: %s", n, log.String())
	}
	families, err := reg.Gather()
	if err != nil || len(families) != 4 || families[1].GetMetric()[0].GetCounter().GetValue() != 1 || families[3].GetMetric()[0].GetHistogram() == nil {
		t.Errorf("%v, %v", families, err)
	}
}

func TestStatementsAreObserved(t *testing.T) {
	t.Parallel()
	q := NewQueries(QueriesOptions{})
	tr := q.Tracer("shard1", "replica-1")
	type of struct{}
	var got []Queried
	q.Observe(func(ctx context.Context, d Queried) {
		if ctx.Value(of{}) != "the request" {
			t.Error("the context is not that of the statement")
		}
		got = append(got, d)
	})
	failure := errors.New("no")
	ctx := context.WithValue(t.Context(), of{}, "the request")
	ctx = tr.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: "-- name: GetCart :one\nSELECT 1"})
	tr.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{CommandTag: pgconn.NewCommandTag("SELECT 3"), Err: failure})
	if len(got) != 1 || got[0].Name != "GetCart" || got[0].Database != "shard1" || got[0].Node != "replica-1" || got[0].Rows != 3 || got[0].Took <= 0 || got[0].Err != failure { //nolint:errorlint // the very same
		t.Errorf("%+v", got)
	}
}

func TestStatementsAreBounded(t *testing.T) {
	t.Parallel()
	q := NewQueries(QueriesOptions{})
	tr := q.Tracer("db", "n").(*tracer)
	for i := range 2 * maxStats {
		tr.done(t.Context(), "-- name: Q"+strings.Repeat("x", i%150)+time.Duration(i).String()+" :one", time.Millisecond, 1, nil)
	}
	if n := len(q.Stats()); n > maxStats+1 {
		t.Errorf("%d statements are kept", n)
	}
	if n := len(*tr.texts.Load()); n > maxTexts {
		t.Errorf("%d texts are kept", n)
	}
	var count uint64
	for _, st := range q.Stats() {
		count += st.Count
	}
	if count != 2*maxStats {
		t.Errorf("%d counted of %d", count, 2*maxStats)
	}
}

func TestBucketIsTheFirstThatHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.OneOf(rapid.Int64Range(-5, 20e9), rapid.Map(rapid.SampledFrom(bounds[:]), func(b int64) int64 { return b + 1 }), rapid.SampledFrom(bounds[:])).Draw(t, "ns")
		want := slices.IndexFunc(bounds[:], func(b int64) bool { return ns <= b })
		if want < 0 {
			want = len(bounds)
		}
		if got := bucketOf(ns); got != want {
			t.Fatalf("%d ns: bucket %d, want %d", ns, got, want)
		}
	})
}

func TestStatementsAreCountedAtOnce(t *testing.T) {
	t.Parallel()
	q := NewQueries(QueriesOptions{})
	tr := q.Tracer("db", "n")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				ctx := tr.TraceQueryStart(t.Context(), nil, pgx.TraceQueryStartData{SQL: fmt.Sprintf("-- name: Q%d :one\nSELECT", i%20)})
				tr.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{})
			}
		})
	}
	wg.Wait()
	for _, st := range q.Stats() {
		if st.Count != 80 {
			t.Errorf("%s was counted %d times, not 80", st.Name, st.Count)
		}
	}
}
