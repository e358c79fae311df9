package cached

import (
	"context"

	"github.com/stampede-shop/stampede/internal/shop"
)

// StockStore is a shop.StockStore that answers an administrator's change when the old number is gone from every tier. What
// sales change is shown when its time is over, at most a second later: they are too many to purge for each.
type StockStore struct {
	shop.StockStore
	purge purger
}

var _ shop.StockStore = (*StockStore)(nil)

// NewStockStore calls purge after each such change, as NewCatalog does.
func NewStockStore(next shop.StockStore, purge func(ctx context.Context, tags []string) error, o Options) *StockStore {
	return &StockStore{StockStore: next, purge: purger{purge, o.withDefaults().Log}}
}

// SetAvailable makes the units free to sell exactly n.
func (s *StockStore) SetAvailable(ctx context.Context, actor string, productID, n int64) error {
	err := s.StockStore.SetAvailable(ctx, actor, productID, n)
	if maybeWritten(err) {
		s.purge.do(ctx, TagStock(productID))
	}
	return err
}
