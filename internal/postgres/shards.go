package postgres

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// ShardOptions tune Shards; the zero value works.
type ShardOptions struct {
	// Timeout bounds each call on a shard, retries included, unless the caller's deadline is less than twice that. 0 means
	// 5 s.
	Timeout time.Duration
	// Log hears of retries; nil discards.
	Log *slog.Logger
}

// Shards is the sharded part of the shop: shop.CartStore, StockStore, UserStore, OrderStore and CheckoutStore, and the
// worker's sweeps. It is safe for concurrent use and holds nothing that needs closing; the cluster is borrowed.
type Shards struct {
	c       *shard.Cluster
	timeout time.Duration
	log     *slog.Logger
}

var (
	_ shop.CartStore     = (*Shards)(nil)
	_ shop.StockStore    = (*Shards)(nil)
	_ shop.UserStore     = (*Shards)(nil)
	_ shop.OrderStore    = (*Shards)(nil)
	_ shop.CheckoutStore = (*Shards)(nil)
)

// NewShards makes the stores over a cluster whose databases have the schema of MigrateShard.
func NewShards(c *shard.Cluster, o ShardOptions) *Shards {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Shards{c: c, timeout: o.Timeout, log: o.Log}
}

// Ping tells whether every shard answers.
func (s *Shards) Ping(ctx context.Context) error {
	return s.c.OnAll(ctx, func(ctx context.Context, n shard.Node) error { return n.Pool.Ping(ctx) })
}

// maxAttempts bounds how often one transaction is tried.
const maxAttempts = 4

// on runs fn, one transaction, on the shard that owns key.
func (s *Shards) on(ctx context.Context, key string, fn func(ctx context.Context, n shard.Node) error) error {
	return s.following(ctx, key, func(ctx context.Context, n shard.Node) error { return s.at(ctx, n, true, fn) })
}

// following runs fn with the owner of key, again with the next owner when the key moves meanwhile.
func (s *Shards) following(ctx context.Context, key string, fn func(ctx context.Context, n shard.Node) error) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	return stillMoving(s.c.Do(ctx, key, fn))
}

// within bounds a call by the store's time-out. A context that ends of itself before twice that is taken as it is: one
// timer for a request is enough.
func (s *Shards) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= 2*s.timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.timeout)
}

// followingEach is following for many items at once: fn runs for each shard that owns some of them, in parallel.
func followingEach[T any](ctx context.Context, s *Shards, items []T, key func(T) string, fn func(ctx context.Context, n shard.Node, items []T) error) error {
	return eachOwner(ctx, s, items, key, func(ctx context.Context, n shard.Node, items []T) error {
		return s.at(ctx, n, true, func(ctx context.Context, n shard.Node) error { return fn(ctx, n, items) })
	})
}

// eachOwner is followingEach without trying again what failed for other reasons.
func eachOwner[T any](ctx context.Context, s *Shards, items []T, key func(T) string, fn func(ctx context.Context, n shard.Node, items []T) error) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err := shard.DoEach(ctx, s.c, items, key, fn)
	var one *shard.Error
	if errors.As(err, &one) {
		err = one.Err
	}
	return stillMoving(err)
}

// stillMoving turns the failure to find a key's owner in time into what callers understand.
func stillMoving(err error) error {
	if shard.Moved(err) || err == context.DeadlineExceeded || err == context.Canceled { //nolint:errorlint // bare: of the wait, not of a query
		return &shop.Error{Code: shop.CodeUnavailable, Detail: "the shop is busy: try again in a moment", Err: err}
	}
	return err
}

// at runs fn on a shard, again when the transaction was rolled back or never started, and, if doing it twice is the
// same as once, also when its outcome got lost.
func (s *Shards) at(ctx context.Context, n shard.Node, idempotent bool, fn func(ctx context.Context, n shard.Node) error) error {
	qctx, cancel := s.within(ctx)
	defer cancel()
	start := time.Now()
	defer func() { shop.Observe(ctx, "db", n.ID, time.Since(start)) }()
	var err error
	for attempt := range maxAttempts {
		if err = fn(qctx, n); err == nil || qctx.Err() != nil {
			break
		}
		if !rolledBack(err) && !pgconn.SafeToRetry(err) && !(idempotent && unreachable(err)) {
			break
		}
		s.log.DebugContext(ctx, "transaction tried again", "shard", n.ID, "error", err)
		if !pause(qctx, time.Duration(1<<attempt)*5*time.Millisecond) {
			break
		}
	}
	return shardError(n.ID, err)
}

// pause waits d, or less when ctx ends first, which it tells.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// traceparent is the W3C form of the trace that ctx belongs to, "" outside of one; outbox rows carry it on.
func traceparent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

func timestamp(t time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: t, Valid: true} }

// timeOf is the UTC time of a column, the zero time for NULL.
func timeOf(t pgtype.Timestamptz) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
}
