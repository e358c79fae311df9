package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	patternOrders = 4000      // real orders, from which the history is made
	audited       = 1_000_000 // orders that are still audited; it takes minutes
)

// benchGrowthOrders sells three random products of 10,000, and reads histories, with 10⁵ and 10⁶ orders in four shards, and with 10⁷
// when asked for. Ours is the rate of checkouts with the most orders, the anchor that with the fewest.
func benchGrowthOrders(ctx context.Context) (r result, err error) {
	servers, stop, err := startGrown(ctx, 1)
	if err != nil {
		return r, err
	}
	defer stop()
	b, err := openGrown(ctx, servers, shopShards, shopProducts, false)
	if err != nil {
		return r, err
	}
	defer b.close()
	p, err := b.pattern(ctx)
	if err != nil {
		return r, err
	}
	steps := []int{100_000, 1_000_000}
	if full() {
		if err := room(os.TempDir(), 10_000_000*orderBytes); err != nil {
			return r, err
		}
		steps = append(steps, 10_000_000)
	}
	t := newTable("orders", "what", "callers", "per s", "p50 ms", "p95 ms", "p99 ms", "MiB")
	details := map[string]any{}
	var rates [][]float64
	for _, n := range steps {
		list, err := b.growthOrders(ctx, servers, p, n, t, details)
		if err != nil {
			return r, fmt.Errorf("%d orders: %w", n, err)
		}
		rates = append(rates, list)
	}
	return grown("checkouts/s", rates[0], rates[len(rates)-1], t, details), nil
}

// pattern sells the orders that the others are made from.
func (b *benchShop) pattern(ctx context.Context) (*pattern, error) {
	users, err := b.fill(ctx, patternOrders, threeOf(shopProducts))
	if err != nil {
		return nil, err
	}
	if _, err := b.buyTimed(ctx, users, 5*time.Minute); err != nil {
		return nil, err
	}
	p, err := b.readPattern(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.followUp(ctx, p); err != nil {
		return nil, err
	}
	return b.readPattern(ctx)
}

// followUp does for the orders of a pattern what the worker does after a checkout: their units are sold for good.
func (b *benchShop) followUp(ctx context.Context, p *pattern) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(checkoutCallers)
	for user := range p.users {
		g.Go(func() error {
			page, err := b.shards.Orders(ctx, user, 20, "")
			for _, o := range page.Orders {
				var ids []int64
				for _, l := range o.Items {
					ids = append(ids, l.ProductID)
				}
				err = errors.Join(err, b.batched.Commit(ctx, o.ID, ids))
			}
			return err
		})
	}
	return g.Wait()
}

// growthOrders fills up to n orders and measures. The audit looks at all of them afterwards, unless they are too many.
func (b *benchShop) growthOrders(ctx context.Context, servers []*pgServer, p *pattern, n int, t *table, details map[string]any) ([]float64, error) {
	have, err := b.orders(ctx)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	some, err := p.clone(ctx, servers[0], n-have)
	if err != nil {
		return nil, err
	}
	details[fmt.Sprintf("load_to_%d_s", n)] = time.Since(start).Seconds()
	size, err := b.size(ctx)
	if err != nil {
		return nil, err
	}
	rates, m, err := b.checkouts(ctx, servers, threeOf(shopProducts))
	if err != nil {
		return nil, err
	}
	t.add(n, "checkout of three", checkoutCallers, m.rate, m.p50, m.p95, m.p99, mib(size))
	if err := b.histories(ctx, n, some, size, t); err != nil {
		return nil, err
	}
	if n > audited {
		return rates, nil
	}
	start = time.Now()
	err = b.balanced(ctx)
	details[fmt.Sprintf("audit_of_%d_s", n)] = time.Since(start).Seconds()
	fmt.Fprintf(os.Stderr, "audited in %v\n", time.Since(start).Round(time.Second))
	return rates, err
}

// histories reads orders and lists of orders of random shoppers.
func (b *benchShop) histories(ctx context.Context, n int, some []bought, size int64, t *table) error {
	one := func() bought { return some[rand.IntN(len(some))] }
	for _, w := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"read of an order", func(ctx context.Context) error {
			o := one()
			_, err := b.shards.Order(ctx, o.user, o.order)
			return err
		}},
		{"list of a shopper's orders", func(ctx context.Context) error {
			page, err := b.shards.Orders(ctx, one().user, 20, "")
			if err == nil && len(page.Orders) == 0 {
				err = fmt.Errorf("a shopper's order is not listed")
			}
			return err
		}},
	} {
		m, err := hammerTimed(ctx, growthReaders, growthFor, w.do)
		if err != nil {
			return fmt.Errorf("%s: %w", w.what, err)
		}
		t.add(n, w.what, growthReaders, m.rate, m.p50, m.p95, m.p99, mib(size))
	}
	return nil
}
