package shop

import (
	"context"
	"encoding/json"
	"time"
)

// OrderStatus is where an order stands.
type OrderStatus string

// Pending: the payment's outcome is not known yet. Failed: it never became an order (declined or out of stock).
const (
	OrderPending   OrderStatus = "pending"
	OrderConfirmed OrderStatus = "confirmed"
	OrderCancelled OrderStatus = "cancelled"
	OrderFailed    OrderStatus = "failed"
)

// Order lives on the shard of the user id of its buyer. ID is a UUIDv7.
type Order struct {
	ID              string          `json:"id"`
	Status          OrderStatus     `json:"status"`
	Items           []Line          `json:"items"`
	Subtotal        int64           `json:"subtotal"`
	Total           int64           `json:"total"`
	Currency        string          `json:"currency"`
	ShippingAddress json.RawMessage `json:"shipping_address,omitempty"`
	CreatedAt       time.Time       `json:"created_at"`
	UpdatedAt       time.Time       `json:"updated_at"`
	UserID          string          `json:"-"`
}

// ProductIDs are the ids of the order's lines.
func (o Order) ProductIDs() []int64 { return lineIDs(o.Items) }

func lineIDs(lines []Line) []int64 {
	ids := make([]int64, len(lines))
	for i, l := range lines {
		ids[i] = l.ProductID
	}
	return ids
}

// OrderPage is one page of a shopper's history, newest first, and the cursor of the next page.
type OrderPage struct {
	Orders []Order
	Next   string
}

// OrderStore reads and cancels orders of a user, including those of the guests the account has claimed.
type OrderStore interface {
	// Order returns the user's order, or CodeNotFound. A checkout that is still open is an order with status pending,
	// one that failed has status failed.
	Order(ctx context.Context, userID, orderID string) (Order, error)
	// Orders lists confirmed, cancelled and pending orders.
	Orders(ctx context.Context, userID string, limit int, cursor string) (OrderPage, error)
	// CancelOrder moves confirmed → cancelled with a TopicOrderCancelled outbox row in one transaction.
	// changed is false when it was cancelled already; any other status is CodeNotCancellable.
	CancelOrder(ctx context.Context, userID, orderID string) (o Order, changed bool, err error)
}
