package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/shop"
)

// provider is a payment provider: another company's system, so its ledger is not on our shards. It answers at once, and
// keeps every charge, so that audit can hold our payments against it.
type provider struct {
	mu      sync.Mutex
	charges map[string]shop.Charge
}

func (*provider) Name() string { return "memory" }

func (*provider) Validate(shop.PaymentMethod) error { return nil }

func (p *provider) Charge(_ context.Context, key string, amount int64, currency string, _ shop.PaymentMethod) (shop.Charge, error) {
	return p.first(shop.Charge{Key: key, Amount: amount, Currency: currency, Status: shop.ChargeCaptured}), nil
}

func (p *provider) Settle(_ context.Context, key string) (shop.Charge, error) {
	return p.first(shop.Charge{Key: key, Status: shop.ChargeCancelled}), nil
}

func (p *provider) Refund(_ context.Context, key string) (shop.Charge, error) {
	c := p.first(shop.Charge{Key: key, Status: shop.ChargeCancelled})
	if c.Status == shop.ChargeCaptured {
		c.Status = shop.ChargeRefunded
		p.mu.Lock()
		p.charges[key] = c
		p.mu.Unlock()
	}
	return c, nil
}

// first is the charge under the key of c: c, if there was none.
func (p *provider) first(c shop.Charge) shop.Charge {
	p.mu.Lock()
	defer p.mu.Unlock()
	if was, ok := p.charges[c.Key]; ok {
		return was
	}
	if p.charges == nil {
		p.charges = map[string]shop.Charge{}
	}
	c.Ref = "mem_" + uuid.NewString()
	p.charges[c.Key] = c
	return c
}

// audit fails unless every captured charge is the payment of an order, to the cent, and the other way round.
func (p *provider) audit(ctx context.Context, b *benchShop) error {
	seen := 0
	for _, node := range b.cluster.Nodes() {
		found, err := node.Pool.Query(ctx, "SELECT id, payment_ref, payment_amount FROM orders WHERE payment_amount = total AND payment_status = 'captured'")
		if err != nil {
			return err
		}
		var c shop.Charge
		_, err = pgx.ForEachRow(found, []any{&c.Key, &c.Ref, &c.Amount}, func() error {
			seen++
			if at := p.charges[c.Key]; at.Ref != c.Ref || at.Amount != c.Amount || at.Status != shop.ChargeCaptured {
				return fmt.Errorf("payment %+v is %+v at the provider", c, at)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, c := range p.charges {
		if c.Status == shop.ChargeCaptured {
			seen--
		}
	}
	if seen != 0 {
		return errors.New("payments and captured charges differ in number")
	}
	return nil
}
