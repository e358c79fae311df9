package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
)

// judgeStock applies the rules about products to some stock rows of one shard. mu guards the counters.
func (a *auditor) judgeStock(ctx context.Context, node string, found []sharddb.AuditStockRow, mu *sync.Mutex) (all []finding, err error) {
	for _, r := range found {
		subject := shop.ProductKey(r.ProductID)
		if off := r.Available + r.Taken - r.Received; off != 0 {
			all = append(all, finding{ruleStockBalance, subject, fmt.Sprintf("%+d units: available and taken are not what was received", off)})
		}
		if r.Available < 0 {
			all = append(all, finding{ruleStockNegative, subject, fmt.Sprintf("available is %d", r.Available)})
		}
		if owner, err := a.s.c.Locate(subject); err != nil || owner != node {
			all = append(all, finding{ruleStockPlacement, subject, fmt.Sprintf("is on %s, belongs to %s", node, owner)})
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
				all = append(all, finding{ruleAvailability, shop.ProductKey(p.ID), fmt.Sprintf("the catalogue says %s, the stock is %s", p.Availability, has)})
			}
		}
	}
	return all, compared, nil
}
