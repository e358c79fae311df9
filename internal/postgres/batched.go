package postgres

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/batch"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// BatchedOptions tune a Batched; the zero value works.
type BatchedOptions struct {
	// MaxSize bounds the steps in one transaction. 0 means 128.
	MaxSize int
	// MaxQueue bounds the steps that wait for one shard; one more is refused with CodeUnavailable. 0 means 4096.
	MaxQueue int
	// Parallel is how many transactions a shard gets at once. 0 means 1.
	Parallel int
	// Slots bounds the transactions over all shards; 0 is no bound. For shards that share a machine: as many as it has
	// cores, or half of that.
	Slots int
	// MaxLinger bounds the wait for company on an idle shard, when that pays. 0 means none.
	MaxLinger time.Duration

	Registerer prometheus.Registerer // nil means no metrics
	Log        *slog.Logger          // nil discards
	// Crash, when set, is called between the commit of each batch and its answers, with one of BatchCrashPoints: a test's
	// place to kill the process.
	Crash func(point string)
}

// Batched is Shards with group commit: the steps of checkouts that reach a shard at the same time share a transaction,
// and so do edits of carts. What each step does, and promises, is the same. Everything not mentioned in its methods is
// done by Shards, one by one.
//
// What is common has a statement for many (OpenCart, Reserve, ConfirmOpen, FailCheckout); what is not (a cart that somebody
// edits at that moment, a key used before, a product that runs out) is left out of it and looked at by itself.
//
// The order of locks within a transaction is carts, checkouts, stock, reservations, charges, each in the order of its
// key, as it is in the transactions of Shards: both may run at once, in any number of processes. Statements for many
// never wait for a cart.
type Batched struct {
	*Shards
	steps  *batch.Batcher[work, answer]
	edits  *batch.Batcher[cartEdit, shop.Cart]
	looks  *batch.Batcher[look, found]
	scarce scarce
	notes  notes
	crash  func(point string)
}

var (
	_ shop.CartStore     = (*Batched)(nil)
	_ shop.StockStore    = (*Batched)(nil)
	_ shop.OrderStore    = (*Batched)(nil)
	_ shop.CheckoutStore = (*Batched)(nil)
	_ shop.CartOpener    = (*Batched)(nil)
)

// NewBatched makes the stores over those of s. Close ends them; s goes on.
func NewBatched(s *Shards, o BatchedOptions) *Batched {
	b := &Batched{Shards: s, crash: o.Crash}
	b.notes.write, b.notes.forget = s.writeAnswered, s.forgetAnswered
	b.steps = batch.New(batch.Options[work, answer]{Run: b.runSteps, Apart: func(w work) string { return w.about },
		MaxSize: o.MaxSize, MaxQueue: o.MaxQueue, Parallel: o.Parallel, Slots: o.Slots, Group: kindOf, MaxLinger: o.MaxLinger,
		RunTimeout: s.timeout, Retryable: mayRunAgain, Uncertain: lostTrack, Idempotent: true,
		Name: "checkout", Registerer: o.Registerer, Log: o.Log})
	b.edits = batch.New(batch.Options[cartEdit, shop.Cart]{Run: b.runEdits, Apart: func(e cartEdit) string { return e.userID },
		MaxSize: o.MaxSize, MaxQueue: o.MaxQueue, Parallel: o.Parallel, Slots: o.Slots, MaxLinger: o.MaxLinger, RunTimeout: s.timeout,
		Retryable: mayRunAgain, Uncertain: lostTrack, // an edit without an op must not be made twice
		Name: "cart", Registerer: o.Registerer, Log: o.Log})
	b.looks = batch.New(batch.Options[look, found]{Run: b.runLooks, MaxSize: o.MaxSize, MaxQueue: o.MaxQueue, Parallel: o.Parallel,
		Slots: o.Slots, MaxLinger: o.MaxLinger, RunTimeout: s.timeout, Retryable: mayRunAgain, Uncertain: lostTrack, Idempotent: true,
		Name: "look", Registerer: o.Registerer, Log: o.Log})
	return b
}

// Close finishes what was begun and refuses the rest, for as long as ctx allows.
func (b *Batched) Close(ctx context.Context) error {
	err := errors.Join(b.looks.Close(ctx), b.steps.Close(ctx), b.edits.Close(ctx))
	rest := make(chan struct{})
	go func() {
		b.notes.close() // within the time-out of the shards
		close(rest)
	}()
	select {
	case <-rest:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// BatchedStats are the counts of steps of checkouts, of edits of carts, and of reads that checkouts begin with.
type BatchedStats struct{ Steps, Edits, Looks batch.Stats }

// Stats tells how well requests share transactions.
func (b *Batched) Stats() BatchedStats {
	return BatchedStats{b.steps.Stats(), b.edits.Stats(), b.looks.Stats()}
}

// mayRunAgain tells errors of transactions that had no effect and may well succeed the next time.
func mayRunAgain(err error) bool { return rolledBack(err) || pgconn.SafeToRetry(err) }

// lostTrack tells errors of transactions that may have been committed.
func lostTrack(err error) bool {
	return !mayRunAgain(err) && (unreachable(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
}

// onNode has one step done on a shard together with others.
func (b *Batched) onNode(ctx context.Context, node string, w work) (answer, error) {
	return submit(ctx, b.Shards, b.steps, node, w.lane(node), w)
}

// onKey has one step done on the shard that owns key.
func (b *Batched) onKey(ctx context.Context, key string, w work) (a answer, err error) {
	err = b.following(ctx, key, func(ctx context.Context, n shard.Node) (err error) {
		a, err = b.onNode(ctx, n.ID, w)
		return err
	})
	return a, err
}

// submit waits for the outcome of r in a lane of a shard.
func submit[Req, Res any](ctx context.Context, s *Shards, to *batch.Batcher[Req, Res], node, lane string, r Req) (Res, error) {
	qctx, cancel := s.within(ctx)
	defer cancel()
	start := time.Now()
	res, err := to.Submit(qctx, lane, r)
	shop.Observe(ctx, "db", node, time.Since(start))
	if errors.Is(err, batch.ErrFull) || errors.Is(err, batch.ErrClosed) {
		return res, &shop.Error{Code: shop.CodeUnavailable, RetryAfter: time.Second,
			Detail: "the shop is busy: try again in a moment", Err: &nodeError{node, err}}
	}
	return res, shardError(node, err)
}

// nodeOf is the shard of a batch.
func (s *Shards) nodeOf(id string) (shard.Node, error) {
	n, ok := s.c.Node(id)
	if !ok {
		return n, &nodeError{id, shard.ErrNoPool}
	}
	return n, nil
}

// SetSlots changes BatchedOptions.Slots from now on, where there is such a bound: fewer make larger transactions.
func (b *Batched) SetSlots(n int) {
	b.steps.SetSlots(n)
	b.edits.SetSlots(n)
	b.looks.SetSlots(n)
}
