package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

const (
	answeredEvery = 50 * time.Millisecond
	maxAnswered   = 4096 // notes that wait; the next ones are written by whoever makes them
	forgetEvery   = 10 * time.Second
)

// answered is a note that the buyer of a cart was told of the order.
type answered struct {
	userID, orderID string
	at              time.Time
}

// notes are answered orders on their way to the table answers, written every few milliseconds for many at once. Readers
// of this process see them before; to others such a cart looks as if its answer were on its way, and who asks is given the
// order once more.
type notes struct {
	write  func(context.Context, []answered) error
	forget func(context.Context) error // what is too old to matter
	forgot time.Time                   // used by run and, after it, by close

	mu      sync.Mutex
	waiting map[string]answered // by shopper; kept until they are written
	ticking bool
	closed  bool
	done    sync.WaitGroup
}

// add takes a note; false when there are too many or the store is closed.
func (n *notes) add(a answered) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || len(n.waiting) >= maxAnswered {
		return false
	}
	if n.waiting == nil {
		n.waiting = map[string]answered{}
	}
	n.waiting[a.userID] = a
	if !n.ticking {
		n.ticking = true
		n.done.Go(n.run)
	}
	return true
}

// run writes notes until there are none.
func (n *notes) run() {
	t := time.NewTimer(answeredEvery)
	defer t.Stop()
	for {
		<-t.C
		n.flush()
		n.mu.Lock()
		if len(n.waiting) == 0 || n.closed {
			n.ticking = false
			n.mu.Unlock()
			return
		}
		n.mu.Unlock()
		t.Reset(answeredEvery)
	}
}

// flush writes what waits. What cannot be written is given up: its loss does no harm.
func (n *notes) flush() {
	n.mu.Lock()
	batch := make([]answered, 0, len(n.waiting))
	for _, a := range n.waiting {
		batch = append(batch, a)
	}
	n.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	_ = n.write(context.Background(), batch) // bounded by the store's time-out
	if now := time.Now(); now.Sub(n.forgot) > forgetEvery {
		n.forgot = now
		_ = n.forget(context.Background()) // likewise; or else the next time
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range batch {
		if n.waiting[a.userID] == a {
			delete(n.waiting, a.userID)
		}
	}
}

// of is when a shopper was told of an order, as far as that is not in the cart yet.
func (n *notes) of(userID, orderID string) (at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.waiting[userID]; ok && a.orderID == orderID {
		return a.at
	}
	return at
}

// close writes the rest and takes no more.
func (n *notes) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.done.Wait()
	n.flush()
}

// MarkAnswered implements shop.CheckoutStore. The note is in the database some milliseconds later.
func (b *Batched) MarkAnswered(ctx context.Context, userID, orderID string) error {
	if b.notes.add(answered{userID, orderID, time.Now()}) {
		return nil
	}
	return b.Shards.MarkAnswered(ctx, userID, orderID)
}

// writeAnswered writes notes to the shards of their carts. Their table is not logged, so that nothing waits for the disk.
func (s *Shards) writeAnswered(ctx context.Context, all []answered) error {
	return followingEach(ctx, s, all, func(a answered) string { return a.userID }, func(ctx context.Context, n shard.Node, some []answered) error {
		var to sharddb.NoteAnswersParams
		for _, a := range some {
			to.OrderIds, to.Moments = append(to.OrderIds, a.orderID), append(to.Moments, timestamp(a.at))
		}
		return sharddb.New(n.Pool).NoteAnswers(ctx, to)
	})
}

// forgetAnswered drops the notes of all shards that are too old to matter.
func (s *Shards) forgetAnswered(ctx context.Context) error {
	return s.c.OnAll(ctx, func(ctx context.Context, n shard.Node) error { return sharddb.New(n.Pool).ForgetAnswers(ctx) })
}

// noted adds to a cart what waits to be written to it.
func (b *Batched) noted(c shop.Cart) shop.Cart {
	if c.LastOrderID != "" && c.LastOrderAt.IsZero() {
		c.LastOrderAt = b.notes.of(c.ID, c.LastOrderID)
	}
	return c
}
