package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// TestPayOptions tune a TestPay; the zero value works.
type TestPayOptions struct {
	// Wait is how long Charge waits for an answer that will not come (outcomes timeout and late). 0 means 100 ms,
	// negative not at all.
	Wait time.Duration
	// Timeout bounds each access to the ledger. 0 means 5 s.
	Timeout time.Duration
}

// TestPay is the payment provider "test": no money, but a durable ledger, on the shard of each charge's key, with the
// promises of a real one. A method's outcome steers it:
//
//   - approve (the default): captured;
//   - decline: declined;
//   - timeout: the provider never hears of the charge, the shop gets ErrPaymentUnknown;
//   - late: captured, but the answer is lost and the shop gets ErrPaymentUnknown; asking again under the key tells.
//
// The primary key of the ledger orders a charge and whatever settles or refunds it: the first to write decides.
type TestPay struct {
	ledger ledger
	wait   time.Duration
}

// ledger writes charges down: one by one, or by the batch.
type ledger interface {
	recordCharge(ctx context.Context, p sharddb.RecordChargeParams) (sharddb.RecordChargeRow, error)
	refundCharge(ctx context.Context, p sharddb.RefundChargeParams) (sharddb.RefundChargeRow, error)
}

var _ shop.PaymentProvider = (*TestPay)(nil)

// NewTestPay makes the provider over the shards.
func NewTestPay(c *shard.Cluster, o TestPayOptions) *TestPay {
	if o.Wait == 0 {
		o.Wait = 100 * time.Millisecond
	}
	return &TestPay{ledger: NewShards(c, ShardOptions{Timeout: o.Timeout}), wait: o.Wait}
}

// testProvider is what payments through TestPay are marked with.
const testProvider = "test"

// Name is "test".
func (t *TestPay) Name() string { return testProvider }

// Validate implements shop.PaymentProvider. An empty method is "test".
func (t *TestPay) Validate(m shop.PaymentMethod) error {
	if m.Method != "" && m.Method != "test" {
		return shop.Invalid("payment.method", "%q is not offered: use \"test\"", m.Method)
	}
	switch m.Outcome {
	case "", "approve", "decline", "timeout", "late":
		return nil
	}
	return shop.Invalid("payment.outcome", "%q is none of approve, decline, timeout, late", m.Outcome)
}

// Charge implements shop.PaymentProvider.
func (t *TestPay) Charge(ctx context.Context, key string, amount int64, currency string, m shop.PaymentMethod) (shop.Charge, error) {
	if err := t.Validate(m); err != nil {
		return shop.Charge{}, err
	}
	if m.Outcome == "timeout" {
		return shop.Charge{}, t.silence(ctx)
	}
	status := shop.ChargeCaptured
	if m.Outcome == "decline" {
		status = shop.ChargeDeclined
	}
	ch, fresh, err := t.record(ctx, sharddb.RecordChargeParams{Key: key, Amount: amount, Currency: currency, Status: string(status)})
	switch {
	case err != nil:
		return shop.Charge{}, err
	case fresh && m.Outcome == "late":
		return shop.Charge{}, t.silence(ctx)
	case ch.Status != shop.ChargeCancelled && (ch.Amount != amount || ch.Currency != currency):
		return shop.Charge{}, shop.Errorf(shop.CodeConflict, "charge %s is over %d %s, not %d %s", key, ch.Amount, ch.Currency, amount, currency)
	}
	return ch, nil
}

// silence waits for an answer that does not come.
func (t *TestPay) silence(ctx context.Context) error {
	if t.wait > 0 {
		pause(ctx, t.wait)
	}
	return fmt.Errorf("test provider: %w", shop.ErrPaymentUnknown)
}

// Settle implements shop.PaymentProvider.
func (t *TestPay) Settle(ctx context.Context, key string) (shop.Charge, error) {
	ch, _, err := t.record(ctx, sharddb.RecordChargeParams{Key: key, Status: string(shop.ChargeCancelled)})
	return ch, err
}

// Refund implements shop.PaymentProvider.
func (t *TestPay) Refund(ctx context.Context, key string) (shop.Charge, error) {
	row, err := t.ledger.refundCharge(ctx, sharddb.RefundChargeParams{Key: key, Ref: newRef()})
	return shop.Charge{Key: row.Key, Ref: row.Ref, Amount: row.Amount, Currency: row.Currency, Status: shop.ChargeStatus(row.Status)}, err
}

// record writes the first outcome under a key, or finds the one that was.
func (t *TestPay) record(ctx context.Context, p sharddb.RecordChargeParams) (ch shop.Charge, fresh bool, err error) {
	p.Ref = newRef()
	row, err := t.ledger.recordCharge(ctx, p)
	ch = shop.Charge{Key: row.Key, Ref: row.Ref, Amount: row.Amount, Currency: row.Currency, Status: shop.ChargeStatus(row.Status)}
	return ch, row.Fresh, err
}

// recordCharge implements ledger.
func (s *Shards) recordCharge(ctx context.Context, p sharddb.RecordChargeParams) (row sharddb.RecordChargeRow, err error) {
	err = s.on(ctx, p.Key, func(ctx context.Context, n shard.Node) (err error) {
		row, err = sharddb.New(n.Pool).RecordCharge(ctx, p)
		return err
	})
	return row, err
}

// refundCharge implements ledger.
func (s *Shards) refundCharge(ctx context.Context, p sharddb.RefundChargeParams) (row sharddb.RefundChargeRow, err error) {
	err = s.on(ctx, p.Key, func(ctx context.Context, n shard.Node) (err error) {
		row, err = sharddb.New(n.Pool).RefundCharge(ctx, p)
		return err
	})
	return row, err
}

func newRef() string { return "test_" + uuid.NewString() }
