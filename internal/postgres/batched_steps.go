package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stampede-shop/stampede/batch"
	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
)

// work is one step of a checkout on one shard; exactly one of its parts is set.
type work struct {
	about   string // whatever has the same is not in one transaction, and keeps its order
	open    *openWork
	confirm *confirmWork
	fail    *sharddb.FailCheckoutParams
	reserve *reserveWork
	give    *giveWork
	commit  *giveWork
	charge  *sharddb.RecordChargeParams
	refund  *sharddb.RefundChargeParams
}

// lane is the queue that a step waits in: one for each shard and kind. Callers who come to the same shard at different
// points of their checkouts would else share transactions of several statements for a few rows each; waiting for their
// own kind they move in step, and each transaction is one statement for many. (Same number of transactions, a third of
// the statements.)
func (w work) lane(node string) string {
	switch {
	case w.open != nil:
		return node + "/open"
	case w.confirm != nil || w.fail != nil:
		return node + "/close"
	case w.charge != nil || w.refund != nil:
		return node + "/pay"
	default:
		return node + "/stock"
	}
}

// kindOf is the part of a lane that all shards have in common.
func kindOf(lane string) string { return lane[strings.LastIndexByte(lane, '/'):] }

// answer is what a step came to; which part is set follows from the work.
type answer struct {
	opened   *sharddb.OpenCartsRow // nil: something is in the way
	finished pgtype.Timestamptz    // not valid: nothing was confirmed
	checkout *sharddb.Checkout     // nil: there is none
	lines    []sharddb.ReserveRow
	sold     int // lines that are committed or returned
	charge   sharddb.RecordChargesRow
}

// plan is the transaction for a batch of steps.
type plan struct {
	*pipe
	steps []work
	out   []batch.Result[answer]
	then  []func() // read the answers, when they have come
}

// newPlan is the transaction for steps; rationed leaves reservations out of it.
func newPlan(ctx context.Context, steps []work, k kinds, rationed bool) *plan {
	p := &plan{pipe: newPipe(), steps: steps, out: make([]batch.Result[answer], len(steps))}
	p.opens(ctx, k.open)
	p.confirms(ctx, k.confirm)
	p.fails(ctx, k.fail)
	p.stock(ctx, k, rationed)
	p.charges(ctx, k)
	return p
}

// runSteps does the steps of a batch in one transaction. Reservations of products that run out take a second one, which
// decides line by line; where that shows only in the first, it is undone and done again without them.
func (b *Batched) runSteps(ctx context.Context, lane string, steps []work) ([]batch.Result[answer], error) {
	node := lane[:strings.LastIndexByte(lane, '/')]
	n, err := b.nodeOf(node)
	if err != nil {
		return nil, err
	}
	kinds := sortOut(steps)
	rationed := b.scarce.any(node, steps, kinds.reserve)
	p := newPlan(ctx, steps, kinds, rationed)
	if err = p.sendAny(ctx, n.Pool); refused(err) {
		rationed = true
		p = newPlan(ctx, steps, kinds, rationed)
		err = p.sendAny(ctx, n.Pool)
	}
	if err != nil {
		return nil, err
	}
	if p.batch.Len() > 0 {
		b.passed(lane[len(node)+1:])
	}
	for _, f := range p.then {
		f()
	}
	if rationed {
		if err := b.reserveOneByOne(ctx, n, p, kinds.reserve); err != nil {
			// The transaction before stands, and repeating it is harmless: every step is idempotent.
			return nil, err
		}
	}
	return p.out, nil
}

// kinds are the places of the steps in their batch, by kind, each in the order in which it takes locks.
type kinds struct {
	open, confirm, fail, reserve, give, commit, charge, refund []int
}

func sortOut(steps []work) (k kinds) {
	for i, w := range steps {
		switch {
		case w.open != nil:
			k.open = append(k.open, i)
		case w.confirm != nil:
			k.confirm = append(k.confirm, i)
		case w.fail != nil:
			k.fail = append(k.fail, i)
		case w.reserve != nil:
			k.reserve = append(k.reserve, i)
		case w.give != nil:
			k.give = append(k.give, i)
		case w.commit != nil:
			k.commit = append(k.commit, i)
		case w.charge != nil:
			k.charge = append(k.charge, i)
		case w.refund != nil:
			k.refund = append(k.refund, i)
		}
	}
	return k
}
