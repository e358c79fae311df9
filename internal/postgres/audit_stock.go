package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// stock checks all products, page by page on each shard.
func (a *auditor) stock(ctx context.Context) (all []finding, err error) {
	var mu sync.Mutex
	err = a.onAll(ctx, func(ctx context.Context, n shard.Node, _ *sync.Mutex) error {
		orphans, err := sharddb.New(n.Pool).AuditOrphans(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		for _, id := range orphans {
			all = append(all, finding{rule: ruleStockBalance, subject: shop.ProductKey(id), detail: "units are reserved but there is no stock row"})
		}
		mu.Unlock()
		size := 20 * a.o.Page
		for after, done := int64(-1<<62), false; !done; {
			found, err := sharddb.New(n.Pool).AuditStock(ctx, sharddb.AuditStockParams{Grace: a.grace(), After: after,
				Ids: []int64{}, MaxRows: int32(size)})
			if err != nil {
				return err
			}
			if done = len(found) < size; len(found) > 0 {
				after = found[len(found)-1].ProductID
			}
			bad, err := a.judgeStock(ctx, n.ID, found, &mu)
			if err != nil {
				return err
			}
			mu.Lock()
			all = append(all, bad...)
			mu.Unlock()
		}
		return nil
	})
	return all, err
}

func (a *auditor) stockByID(ctx context.Context, ids map[int64]bool) (all []finding, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var mu sync.Mutex
	err = a.onAll(ctx, func(ctx context.Context, n shard.Node, _ *sync.Mutex) error {
		q := sharddb.New(n.Pool)
		orphans, err := q.AuditOrphans(ctx)
		if err != nil {
			return err
		}
		found, err := q.AuditStock(ctx, sharddb.AuditStockParams{Grace: a.grace(), After: -1 << 62,
			Ids: slices.Sorted(maps.Keys(ids)), MaxRows: int32(len(ids))})
		if err != nil {
			return err
		}
		bad, err := a.judgeStock(ctx, n.ID, found, &mu)
		mu.Lock()
		defer mu.Unlock()
		for _, id := range orphans {
			bad = append(bad, finding{rule: ruleStockBalance, subject: shop.ProductKey(id), detail: "units are reserved but there is no stock row"})
		}
		all = append(all, bad...)
		return err
	})
	return all, err
}

// judgeStock applies the rules about products to some stock rows of one shard. mu guards the counters.
func (a *auditor) judgeStock(ctx context.Context, node string, found []sharddb.AuditStockRow, mu *sync.Mutex) (all []finding, err error) {
	for _, r := range found {
		subject := shop.ProductKey(r.ProductID)
		if off := r.Available + r.Taken - r.Received; off != 0 {
			all = append(all, finding{rule: ruleStockBalance, subject: subject, detail: fmt.Sprintf("%+d units: available and taken are not what was received", off)})
		}
		if r.Available < 0 {
			all = append(all, finding{rule: ruleStockNegative, subject: subject, detail: fmt.Sprintf("available is %d", r.Available)})
		}
		if owner, err := a.s.c.Locate(subject); err != nil || owner != node {
			all = append(all, finding{rule: ruleStockPlacement, subject: subject, detail: fmt.Sprintf("is on %s, belongs to %s", node, owner)})
		}
	}
	wrong, compared, err := a.compareCatalogue(ctx, found)
	mu.Lock()
	defer mu.Unlock()
	for _, rule := range []string{ruleStockBalance, ruleStockNegative, ruleStockPlacement} {
		a.checked[rule] += int64(len(found))
	}
	a.checked[ruleAvailability] += compared
	return append(all, wrong...), err
}

// maxCompared bounds the products asked of the catalogue at once.
const maxCompared = 1000

// compareCatalogue compares the class of the stock with what the catalogue shows. Products that the catalogue does not
// have (deleted ones keep their stock row) are nobody's business.
func (a *auditor) compareCatalogue(ctx context.Context, found []sharddb.AuditStockRow) (all []finding, compared int64, err error) {
	if a.catalog == nil {
		return nil, 0, nil
	}
	for some := range slices.Chunk(found, maxCompared) {
		ids := make([]int64, len(some))
		stock := make(map[int64]sharddb.AuditStockRow, len(some))
		for i, r := range some {
			ids[i], stock[r.ProductID] = r.ProductID, r
		}
		products, err := a.catalog.Products(ctx, ids)
		if err != nil {
			return nil, compared, fmt.Errorf("catalogue: %w", err)
		}
		compared += int64(len(products))
		for _, p := range products {
			r := stock[p.ID]
			if has := shop.AvailabilityOf(r.Available); has != p.Availability && !r.Young {
				all = append(all, finding{rule: ruleAvailability, subject: shop.ProductKey(p.ID), detail: fmt.Sprintf("the catalogue says %s, the stock is %s", p.Availability, has)})
			}
		}
	}
	return all, compared, nil
}

// productOf is the product id in a finding's subject.
func productOf(subject string) int64 {
	id, _ := strconv.ParseInt(subject, 10, 64)
	return id
}
