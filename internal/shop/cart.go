package shop

import (
	"context"
	"time"
)

// Limits of a cart.
const (
	MaxCartLines    = 100
	MaxLineQuantity = 1000
)

// Line is a product in a cart or an order, with name, SKU and price denormalised. Prices are minor units.
type Line struct {
	ProductID int64  `json:"product_id"`
	SKU       string `json:"sku"`
	Name      string `json:"name"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"`
	LineTotal int64  `json:"line_total"`
}

// Cart is a shopper's cart; it lives on the shard of the user id, which is also its id. Version grows with every edit
// and never restarts. LastOrderID is set when the last thing that happened to this cart was being bought.
type Cart struct {
	ID          string    `json:"id"`
	Items       []Line    `json:"items"`
	ItemCount   int64     `json:"item_count"` // sum of quantities
	Subtotal    int64     `json:"subtotal"`
	Currency    string    `json:"currency"`
	Version     int64     `json:"version"`
	UpdatedAt   time.Time `json:"updated_at"`
	LastOrderID string    `json:"-"`
	LastOrderAt time.Time `json:"-"` // when its buyer was first told, by the database's clock; zero before
}

// Sum recomputes line totals, item count and subtotal, and makes Items non-nil.
func (c *Cart) Sum() {
	c.ItemCount, c.Subtotal = 0, 0
	if c.Items == nil {
		c.Items = []Line{}
	}
	for i := range c.Items {
		l := &c.Items[i]
		l.LineTotal = l.UnitPrice * l.Quantity
		c.ItemCount += l.Quantity
		c.Subtotal += l.LineTotal
	}
}

// CartStore keeps carts. Edits are committed without waiting for the disk (a crash loses at most the last second of
// them) and are idempotent by op: an edit whose op id the cart has just seen changes nothing and returns the cart.
// An empty op is never remembered. Of an op with a slash, what is before it is what the shopper named the edit, and what is after it
// tells edits apart: a name that the cart has just seen on another one is CodeIdempotencyMismatch.
type CartStore interface {
	// Cart returns the user's cart, an empty one (version 0) when there is none.
	Cart(ctx context.Context, userID string) (Cart, error)
	// AddLine adds l.Quantity units; name, SKU and price of the whole line become those of l.
	// More than MaxCartLines lines or MaxLineQuantity units is CodeInvalid.
	AddLine(ctx context.Context, userID, op string, l Line, currency string) (Cart, error)
	// SetQuantity sets a line's quantity, 0 removes it; CodeNotFound when the cart has no such line.
	SetQuantity(ctx context.Context, userID, op string, productID, quantity int64) (Cart, error)
	// Clear empties the cart.
	Clear(ctx context.Context, userID, op string) (Cart, error)
	// Reprice overwrites name, SKU and unit price of the given lines where they differ.
	Reprice(ctx context.Context, userID string, lines []Line) (Cart, error)
	// MergeCart moves the guest's lines into the user's cart, once, whatever crashes or is repeated.
	MergeCart(ctx context.Context, guestID, userID string) error
}
