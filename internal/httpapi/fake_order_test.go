package httpapi

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// The fake's orders, checkouts, payments and accounts.

func (f *fakeShop) owner(user string) string {
	if u, ok := f.claimed[user]; ok {
		return u
	}
	return user
}

func (f *fakeShop) Order(_ context.Context, user, id string) (shop.Order, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.Order{}, err
	}
	o, ok := f.orders[id]
	if c, open := f.checkouts[id]; !ok && open && c.UserID == user && c.State == shop.CheckoutOpen {
		return shop.Order{ID: id, Status: shop.OrderPending, Items: c.Lines, Total: c.Total, Currency: "USD", UserID: user}, nil
	}
	if !ok || f.owner(o.UserID) != user {
		return o, shop.NotFound("order", id)
	}
	return o, nil
}

func (f *fakeShop) Orders(_ context.Context, user string, limit int, cursor string) (page shop.OrderPage, err error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return page, err
	}
	for _, o := range f.orders {
		if f.owner(o.UserID) == user && (cursor == "" || o.ID < cursor) {
			page.Orders = append(page.Orders, o)
		}
	}
	slices.SortFunc(page.Orders, func(a, b shop.Order) int { return strings.Compare(b.ID, a.ID) })
	if len(page.Orders) > limit {
		page.Orders = page.Orders[:limit]
		page.Next = page.Orders[limit-1].ID
	}
	return page, nil
}

func (f *fakeShop) CancelOrder(ctx context.Context, user, id string) (shop.Order, bool, error) {
	o, err := f.Order(ctx, user, id)
	if err != nil {
		return o, false, err
	}
	defer f.mu.Unlock()
	f.mu.Lock()
	switch o.Status {
	case shop.OrderCancelled:
		return o, false, nil
	case shop.OrderConfirmed:
		o.Status = shop.OrderCancelled
		f.orders[id] = o
		return o, true, nil
	}
	return o, false, shop.Errorf(shop.CodeNotCancellable, "the order is %s", o.Status)
}

func (f *fakeShop) FindCheckout(_ context.Context, user string, k shop.CheckoutKey) (shop.Checkout, bool, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.Checkout{}, false, err
	}
	id, ok := f.keys[user+k.Key]
	if k.Key == "" || !ok {
		return shop.Checkout{}, false, nil
	}
	if !f.sameHash(user+k.Key, k.Hash) {
		return shop.Checkout{}, false, shop.Errorf(shop.CodeIdempotencyMismatch, "another body under the same key")
	}
	return f.checkouts[id], true, nil
}

func (f *fakeShop) CheckoutByID(_ context.Context, _, id string) (shop.Checkout, error) {
	defer f.mu.Unlock()
	return f.checkouts[id], f.lock()
}

func (f *fakeShop) OpenCheckout(_ context.Context, c shop.Checkout, k shop.CheckoutKey) (shop.Checkout, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return c, err
	}
	f.checkouts[c.OrderID] = c
	f.keys[c.UserID+k.Key], f.keyHashes[c.UserID+k.Key] = c.OrderID, k.Hash
	return c, nil
}

func (f *fakeShop) MarkAnswered(context.Context, string, string) error { return nil }

func (f *fakeShop) MarkPaymentUnknown(context.Context, string, string) error { return nil }

func (f *fakeShop) ConfirmCheckout(_ context.Context, user, id string, _ shop.Charge, _ string) (shop.Checkout, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.Checkout{}, err
	}
	c := f.checkouts[id]
	c.State = shop.CheckoutConfirmed
	f.checkouts[id] = c
	f.orders[id] = shop.Order{ID: id, Status: shop.OrderConfirmed, Items: c.Lines, Subtotal: c.Total, Total: c.Total, Currency: "USD",
		UserID: user, ShippingAddress: c.ShippingAddress, CreatedAt: f.clock, UpdatedAt: f.clock}
	cart := f.carts[user]
	cart.Items, cart.LastOrderID, cart.LastOrderAt = nil, id, f.clock
	f.carts[user] = cart
	return c, nil
}

func (f *fakeShop) FailCheckout(_ context.Context, _, id string, reason shop.Code, lines []shop.LineError) (shop.Checkout, error) {
	defer f.mu.Unlock()
	c := f.checkouts[id]
	c.State, c.Reason, c.Shortage = shop.CheckoutFailed, reason, lines
	f.checkouts[id] = c
	return c, f.lock()
}

func (f *fakeShop) ExpiredCheckouts(context.Context, int) ([]shop.Checkout, error) { return nil, nil }

func (f *fakeShop) Register(_ context.Context, u shop.NewUser) (shop.User, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.User{}, err
	}
	if id, ok := f.regOps[u.OpID]; ok {
		return f.users[id], nil
	}
	for _, x := range f.users {
		if strings.EqualFold(x.Email, u.Email) {
			return x, shop.Errorf(shop.CodeEmailTaken, "this e-mail address has an account")
		}
	}
	f.regOps[u.OpID] = u.ID
	f.users[u.ID] = shop.User{ID: u.ID, Email: u.Email, Name: u.Name, CreatedAt: f.clock}
	f.hashes[u.ID] = u.PasswordHash
	return f.users[u.ID], nil
}

func (f *fakeShop) Credentials(_ context.Context, email string) (shop.User, string, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.User{}, "", err
	}
	for id, u := range f.users {
		if strings.EqualFold(u.Email, email) {
			return u, f.hashes[id], nil
		}
	}
	return shop.User{}, "", shop.NotFound("account", email)
}

func (f *fakeShop) User(_ context.Context, id string) (shop.User, error) {
	defer f.mu.Unlock()
	return f.users[id], f.lock()
}

func (f *fakeShop) PasswordHash(_ context.Context, id string) (string, error) {
	defer f.mu.Unlock()
	return f.hashes[id], f.lock()
}

func (f *fakeShop) UpdateUser(_ context.Context, id string, p shop.UserPatch) (shop.User, error) {
	defer f.mu.Unlock()
	u := f.users[id]
	if p.Name != nil {
		u.Name = *p.Name
	}
	if p.Email != nil {
		u.Email = *p.Email
	}
	if p.PasswordHash != nil {
		f.hashes[id] = *p.PasswordHash
	}
	f.users[id] = u
	return u, f.lock()
}

func (f *fakeShop) CreateSession(_ context.Context, user, id string, _ time.Time) error {
	defer f.mu.Unlock()
	err := f.lock()
	f.sessions[user+"/"+id] = true
	return err
}

func (f *fakeShop) DeleteSession(_ context.Context, user, id string) error {
	defer f.mu.Unlock()
	err := f.lock()
	delete(f.sessions, user+"/"+id)
	return err
}

func (f *fakeShop) SessionValid(_ context.Context, user, id string) (bool, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return false, err
	}
	if id != "" {
		return f.sessions[user+"/"+id], nil
	}
	_, registered := f.users[user]
	_, claimed := f.claimed[user]
	return !registered && !claimed, nil
}

func (f *fakeShop) ClaimGuest(_ context.Context, guest, user string) error {
	defer f.mu.Unlock()
	err := f.lock()
	f.claimed[guest] = user
	return err
}

// fakePay does what the method's outcome says.
type fakePay struct{}

func (fakePay) Name() string { return "test" }

func (fakePay) Validate(m shop.PaymentMethod) error {
	if m.Method != "test" {
		return shop.Invalid("payment.method", "must be test")
	}
	return nil
}

func (fakePay) Charge(_ context.Context, key string, amount int64, currency string, m shop.PaymentMethod) (shop.Charge, error) {
	ch := shop.Charge{Key: key, Amount: amount, Currency: currency, Status: shop.ChargeCaptured}
	switch m.Outcome {
	case "timeout":
		return ch, shop.ErrPaymentUnknown
	case "decline":
		ch.Status = shop.ChargeDeclined
	}
	return ch, nil
}

func (fakePay) Settle(context.Context, string) (shop.Charge, error) { return shop.Charge{}, nil }
func (fakePay) Refund(context.Context, string) (shop.Charge, error) { return shop.Charge{}, nil }
