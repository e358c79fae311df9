package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
)

// NewBatchedTestPay makes the provider "test" over the ledger of b's shards: charges share transactions, too.
// o.Timeout is not used; that of b's Shards is.
func NewBatchedTestPay(b *Batched, o TestPayOptions) *TestPay {
	t := NewTestPay(b.c, o)
	t.ledger = b
	return t
}

// recordCharge implements ledger.
func (b *Batched) recordCharge(ctx context.Context, p sharddb.RecordChargeParams) (sharddb.RecordChargeRow, error) {
	a, err := b.onKey(ctx, p.Key, work{about: "charge " + p.Key, charge: &p})
	c := a.charge
	return sharddb.RecordChargeRow{Key: c.Key, Ref: c.Ref, Amount: c.Amount, Currency: c.Currency, Status: c.Status,
		Fresh: c.Ref == p.Ref}, err
}

// refundCharge implements ledger.
func (b *Batched) refundCharge(ctx context.Context, p sharddb.RefundChargeParams) (sharddb.RefundChargeRow, error) {
	a, err := b.onKey(ctx, p.Key, work{about: "charge " + p.Key, refund: &p})
	return sharddb.RefundChargeRow(a.charge), err
}

// charges adds charges and refunds.
func (p *plan) charges(ctx context.Context, k kinds) {
	if len(k.charge) > 0 {
		slices.SortFunc(k.charge, func(i, j int) int { return strings.Compare(p.steps[i].charge.Key, p.steps[j].charge.Key) })
		var all sharddb.RecordChargesParams
		for _, i := range k.charge {
			c := p.steps[i].charge
			all.Keys, all.Refs, all.Amounts = append(all.Keys, c.Key), append(all.Refs, c.Ref), append(all.Amounts, c.Amount)
			all.Currencies, all.Statuses = append(all.Currencies, c.Currency), append(all.Statuses, c.Status)
		}
		_, _ = p.RecordCharges(ctx, all)
		p.readCharges(k.charge, func(w work) string { return w.charge.Key })
	}
	if len(k.refund) > 0 {
		slices.SortFunc(k.refund, func(i, j int) int { return strings.Compare(p.steps[i].refund.Key, p.steps[j].refund.Key) })
		var all sharddb.RefundChargesParams
		for _, i := range k.refund {
			all.Keys, all.Refs = append(all.Keys, p.steps[i].refund.Key), append(all.Refs, p.steps[i].refund.Ref)
		}
		_, _ = p.RefundCharges(ctx, all)
		p.readCharges(k.refund, func(w work) string { return w.refund.Key })
	}
}

// readCharges hands the rows of the statement called last to their steps.
func (p *plan) readCharges(at []int, key func(work) string) {
	found := collect[sharddb.RecordChargesRow](p.pipe)
	p.then = append(p.then, func() {
		byKey := make(map[string]sharddb.RecordChargesRow, len(found.all))
		for _, r := range found.all {
			byKey[r.Key] = r
		}
		for _, i := range at {
			p.out[i].Value.charge = byKey[key(p.steps[i])]
		}
	})
}
