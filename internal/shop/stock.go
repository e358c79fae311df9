package shop

import (
	"context"
	"time"
)

// Reservation holds units of several products for one order until it is committed (sold), released (given back before
// the sale) or returned (given back after a cancellation). It expires, but is only ever released after the buyer's
// checkout was found or made to fail: see [Checkouts.Recover].
type Reservation struct {
	OrderID   string
	UserID    string
	Lines     []Line
	ExpiresAt time.Time
}

// StockReader tells how many units are free to sell.
type StockReader interface {
	// Available returns the units left of each product; a product without a stock row has 0.
	Available(ctx context.Context, productIDs []int64) (map[int64]int64, error)
}

// StockStore owns stock and reservations; both live on the shard of the product id. Every call is idempotent by
// (order, product): a reservation moves held → committed | released and committed → returned, never back, and a
// release that comes first leaves a tombstone that a later reserve does not overcome.
type StockStore interface {
	StockReader
	// SetAvailable makes the units free to sell exactly n, whatever is held.
	SetAvailable(ctx context.Context, actor string, productID, n int64) error
	// Reserve holds all lines. Missing units are CodeOutOfStock with Lines (all short lines of all shards); what other
	// shards granted stays held until the caller, having failed the checkout, calls Release. CodeConflict when one of
	// them was released before. One transaction per shard, shards in parallel, locks in the order of product ids.
	Reserve(ctx context.Context, r Reservation) error
	Commit(ctx context.Context, orderID string, productIDs []int64) error
	Release(ctx context.Context, orderID string, productIDs []int64) error
	Return(ctx context.Context, orderID string, productIDs []int64) error
}
