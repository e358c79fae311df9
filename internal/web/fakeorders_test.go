package web

import (
	"context"
	"slices"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

func (f *fakeShop) Order(_ context.Context, userID, orderID string) (shop.Order, error) {
	defer f.lock()()
	if o, ok := f.orders[orderID]; ok && (o.UserID == userID || f.claimed[o.UserID] == userID) {
		return o, nil
	}
	if c, ok := f.checkouts[orderID]; ok && c.UserID == userID && c.State == shop.CheckoutOpen {
		return shop.Order{ID: orderID, Status: shop.OrderPending, Items: c.Lines, Total: c.Total, Currency: c.Currency, UserID: userID}, nil
	}
	return shop.Order{}, shop.NotFound("order", orderID)
}

func (f *fakeShop) Orders(_ context.Context, userID string, _ int, _ string) (shop.OrderPage, error) {
	defer f.lock()()
	var page shop.OrderPage
	for _, o := range f.orders {
		if o.UserID == userID || f.claimed[o.UserID] == userID {
			page.Orders = append(page.Orders, o)
		}
	}
	return page, nil
}

func (f *fakeShop) CancelOrder(_ context.Context, userID, orderID string) (shop.Order, bool, error) {
	defer f.lock()()
	o, ok := f.orders[orderID]
	if !ok || o.UserID != userID {
		return shop.Order{}, false, shop.NotFound("order", orderID)
	}
	changed := o.Status == shop.OrderConfirmed
	o.Status = shop.OrderCancelled
	f.orders[orderID] = o
	return o, changed, nil
}

func (f *fakeShop) FindCheckout(_ context.Context, userID string, key shop.CheckoutKey) (shop.Checkout, bool, error) {
	defer f.lock()()
	c, ok := f.checkouts[f.keys[userID+key.Key]]
	return c, ok && key.Key != "", nil
}

func (f *fakeShop) CheckoutByID(_ context.Context, _, orderID string) (shop.Checkout, error) {
	defer f.lock()()
	return f.checkouts[orderID], nil
}

func (f *fakeShop) OpenCheckout(_ context.Context, c shop.Checkout, key shop.CheckoutKey) (shop.Checkout, error) {
	defer f.lock()()
	f.checkouts[c.OrderID] = c
	f.keys[c.UserID+key.Key] = c.OrderID
	return c, nil
}

func (f *fakeShop) MarkAnswered(context.Context, string, string) error { return nil }

func (f *fakeShop) MarkPaymentUnknown(context.Context, string, string) error { return nil }

func (f *fakeShop) ConfirmCheckout(_ context.Context, userID, orderID string, _ shop.Charge, _ string) (shop.Checkout, error) {
	defer f.lock()()
	c := f.checkouts[orderID]
	c.State = shop.CheckoutConfirmed
	f.checkouts[orderID] = c
	f.orders[orderID] = shop.Order{ID: orderID, Status: shop.OrderConfirmed, Items: c.Lines, Subtotal: c.Total, Total: c.Total,
		Currency: c.Currency, CreatedAt: c.CreatedAt, UserID: userID}
	f.carts[userID] = shop.Cart{Version: c.CartVersion + 1, LastOrderID: orderID, LastOrderAt: c.CreatedAt, Currency: c.Currency}
	return c, nil
}

func (f *fakeShop) FailCheckout(_ context.Context, _, orderID string, reason shop.Code, short []shop.LineError) (shop.Checkout, error) {
	defer f.lock()()
	c := f.checkouts[orderID]
	c.State, c.Reason, c.Shortage = shop.CheckoutFailed, reason, short
	f.checkouts[orderID] = c
	return c, nil
}

func (f *fakeShop) ExpiredCheckouts(context.Context, int) ([]shop.Checkout, error) { return nil, nil }

func (f *fakeShop) SetAvailable(_ context.Context, _ string, id, n int64) error {
	defer f.lock()()
	f.stock[id] = n
	return nil
}

func (f *fakeShop) Reserve(_ context.Context, r shop.Reservation) error {
	defer f.lock()()
	var short []shop.LineError
	for _, l := range r.Lines {
		if f.stock[l.ProductID] < l.Quantity {
			short = append(short, shop.LineError{ProductID: l.ProductID, Name: l.Name, Requested: l.Quantity, Available: f.stock[l.ProductID]})
		}
	}
	if short != nil {
		return &shop.Error{Code: shop.CodeOutOfStock, Lines: short}
	}
	for _, l := range r.Lines {
		f.stock[l.ProductID] -= l.Quantity
	}
	f.held[r.OrderID] = r.Lines
	return nil
}

func (f *fakeShop) Commit(context.Context, string, []int64) error { return nil }

func (f *fakeShop) Release(_ context.Context, orderID string, _ []int64) error {
	defer f.lock()()
	for _, l := range f.held[orderID] {
		f.stock[l.ProductID] += l.Quantity
	}
	delete(f.held, orderID)
	return nil
}

func (f *fakeShop) Return(ctx context.Context, orderID string, ids []int64) error {
	return f.Release(ctx, orderID, ids)
}

// fakePay is a provider called "test".
type fakePay struct{}

func (fakePay) Name() string { return "test" }

func (fakePay) Validate(m shop.PaymentMethod) error {
	if !slices.Contains([]string{"", "approve", "decline", "timeout"}, m.Outcome) {
		return shop.Invalid("payment.outcome", "is not one the test provider knows")
	}
	return nil
}

func (fakePay) Charge(_ context.Context, key string, amount int64, currency string, m shop.PaymentMethod) (shop.Charge, error) {
	switch m.Outcome {
	case "timeout":
		return shop.Charge{}, shop.ErrPaymentUnknown
	case "decline":
		return shop.Charge{Key: key, Status: shop.ChargeDeclined}, nil
	default:
		return shop.Charge{Key: key, Amount: amount, Currency: currency, Status: shop.ChargeCaptured}, nil
	}
}

func (fakePay) Settle(_ context.Context, key string) (shop.Charge, error) {
	return shop.Charge{Key: key, Status: shop.ChargeCancelled}, nil
}

func (fakePay) Refund(_ context.Context, key string) (shop.Charge, error) {
	return shop.Charge{Key: key, Status: shop.ChargeRefunded}, nil
}

// fakeUsers keeps accounts beside a fakeShop, whose Product methods it would otherwise clash with by name.
type fakeUsers struct{ *fakeShop }

func userOf(n shop.NewUser) shop.User { return shop.User{ID: n.ID, Email: n.Email, Name: n.Name} }

func (f fakeUsers) Register(_ context.Context, n shop.NewUser) (shop.User, error) {
	defer f.lock()()
	for _, u := range f.users {
		if u.Email == n.Email {
			return shop.User{}, shop.Errorf(shop.CodeEmailTaken, "this address has an account")
		}
	}
	f.users[n.ID] = n
	return userOf(n), nil
}

func (f fakeUsers) Credentials(_ context.Context, email string) (shop.User, string, error) {
	defer f.lock()()
	for _, u := range f.users {
		if u.Email == email {
			return userOf(u), u.PasswordHash, nil
		}
	}
	return shop.User{}, "", shop.NotFound("user", email)
}

func (f fakeUsers) User(_ context.Context, id string) (shop.User, error) {
	defer f.lock()()
	return userOf(f.users[id]), nil
}

func (f fakeUsers) PasswordHash(_ context.Context, id string) (string, error) {
	defer f.lock()()
	return f.users[id].PasswordHash, nil
}

func (f fakeUsers) UpdateUser(context.Context, string, shop.UserPatch) (shop.User, error) {
	return shop.User{}, nil
}

func (f fakeUsers) CreateSession(_ context.Context, userID, sessionID string, _ time.Time) error {
	defer f.lock()()
	f.sessions[userID+"/"+sessionID] = true
	return nil
}

func (f fakeUsers) DeleteSession(_ context.Context, userID, sessionID string) error {
	defer f.lock()()
	delete(f.sessions, userID+"/"+sessionID)
	return nil
}

func (f fakeUsers) SessionValid(_ context.Context, userID, sessionID string) (bool, error) {
	defer f.lock()()
	if sessionID == "" {
		_, registered := f.users[userID]
		return !registered && f.claimed[userID] == "", nil
	}
	return f.sessions[userID+"/"+sessionID], nil
}

func (f fakeUsers) ClaimGuest(_ context.Context, guestID, userID string) error {
	defer f.lock()()
	f.claimed[guestID] = userID
	return nil
}
