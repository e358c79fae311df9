package shop_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// memory is a shop in memory: what the interfaces of package shop promise, and no more. Products are on two shards, by parity.
type memory struct {
	shop.OrderStore // what is not used
	shop.CartStore
	*schedule

	clock     time.Time
	ids       int
	carts     map[string]*shop.Cart
	checkouts map[string]*shop.Checkout
	orders    map[string]*shop.Order
	keys      map[string]string // user and key: order
	stock     map[int64]int64
	claims    map[claimKey]*claimState
	charges   map[string]shop.Charge
	outbox    []outboxRow
	told      map[string]int // events, by topic and order
}

type claimKey struct {
	order   string
	product int64
}

type claimState struct {
	state string
	units int64
}

type outboxRow struct {
	topic string
	event shop.OrderEvent
}

func newMemory(s *schedule) *memory {
	return &memory{schedule: s, clock: time.Unix(1_700_000_000, 0), carts: map[string]*shop.Cart{}, checkouts: map[string]*shop.Checkout{},
		orders: map[string]*shop.Order{}, keys: map[string]string{}, stock: map[int64]int64{}, claims: map[claimKey]*claimState{},
		charges: map[string]shop.Charge{}, told: map[string]int{}}
}

func (m *memory) now() time.Time {
	m.clock = m.clock.Add(100 * time.Millisecond) // a schedule has too few calls for a deadline to pass
	return m.clock
}

func (m *memory) saga() *shop.Checkouts {
	return &shop.Checkouts{Store: m, Orders: m, Stock: m, Carts: m, Products: m, Pay: m, Now: m.now,
		NewID: func() string { m.ids++; return fmt.Sprintf("order-%02d", m.ids) }}
}

func (m *memory) emit(topic string, c *shop.Checkout) {
	m.outbox = append(m.outbox, outboxRow{topic, shop.OrderEvent{OrderID: c.OrderID, UserID: c.UserID, ProductIDs: c.ProductIDs()}})
	m.told[topic+" "+c.OrderID]++
}

func (m *memory) Products(_ context.Context, ids []int64) (all []shop.Product, _ error) {
	for _, id := range ids {
		all = append(all, shop.Product{ID: id, Price: 100 + id, Currency: "USD"})
	}
	return all, nil
}

func (m *memory) Product(context.Context, int64) (p shop.Product, err error) { return p, errFails }
func (m *memory) ListProducts(context.Context, shop.ProductQuery) (p shop.ProductPage, err error) {
	return p, errFails
}

func (m *memory) Cart(_ context.Context, user string) (c shop.Cart, err error) {
	err = m.call("Cart", func() {
		c = *m.carts[user]
		c.Items = slices.Clone(c.Items)
		c.Sum()
	})
	return c, err
}

func (m *memory) FindCheckout(_ context.Context, user string, key shop.CheckoutKey) (c shop.Checkout, found bool, err error) {
	if key.Key == "" {
		return c, false, nil
	}
	err = m.call("FindCheckout", func() {
		if b := m.bound(user, key); b != nil {
			c, found = *b, true
		}
	})
	return c, found, err
}

// bound is the checkout that a key stands for; one that was merely interrupted does not count.
func (m *memory) bound(user string, key shop.CheckoutKey) *shop.Checkout {
	c := m.checkouts[m.keys[user+key.Key]]
	if key.Key == "" || c == nil || c.State == shop.CheckoutFailed && c.Reason == shop.CodeUnavailable {
		return nil
	}
	return c
}

func (m *memory) CheckoutByID(_ context.Context, _, id string) (c shop.Checkout, err error) {
	err = m.call("CheckoutByID", func() { c = *m.checkouts[id] })
	return c, err
}

func (m *memory) OpenCheckout(_ context.Context, c shop.Checkout, key shop.CheckoutKey) (got shop.Checkout, err error) {
	var refused error
	err = m.call("OpenCheckout", func() {
		stands := m.bound(c.UserID, key)
		for _, o := range m.checkouts {
			if stands == nil && o.UserID == c.UserID && o.CartVersion == c.CartVersion && o.State != shop.CheckoutFailed {
				stands = o
			}
		}
		for _, o := range m.checkouts {
			if stands == nil && o.UserID == c.UserID && o.State == shop.CheckoutOpen {
				refused = &shop.Error{Code: shop.CodeConflict, OrderID: o.OrderID}
				return
			}
		}
		if stands == nil {
			if m.carts[c.UserID].Version != c.CartVersion {
				refused = shop.Errorf(shop.CodeConflict, "the cart has changed")
				return
			}
			c.State = shop.CheckoutOpen
			stands = &c
			m.checkouts[c.OrderID] = stands
		}
		if key.Key != "" {
			m.keys[c.UserID+key.Key] = stands.OrderID
		}
		got = *stands
	})
	return got, cmp.Or(err, refused)
}

func (m *memory) MarkPaymentUnknown(_ context.Context, _, id string) error {
	return m.call("MarkPaymentUnknown", func() {
		if c := m.checkouts[id]; c.State == shop.CheckoutOpen {
			c.PaymentUnknown = true
		}
	})
}

func (m *memory) ConfirmCheckout(_ context.Context, user, id string, ch shop.Charge, _ string) (got shop.Checkout, err error) {
	err = m.call("ConfirmCheckout", func() {
		c := m.checkouts[id]
		if c.State == shop.CheckoutOpen {
			c.State, c.FinishedAt = shop.CheckoutConfirmed, m.now()
			m.orders[id] = &shop.Order{ID: id, UserID: user, Status: shop.OrderConfirmed, Items: c.Lines, Total: ch.Amount}
			m.buy(c)
			m.emit(shop.TopicOrderConfirmed, c)
		}
		got = *c
	})
	return got, err
}

// buy takes what was bought out of the cart.
func (m *memory) buy(c *shop.Checkout) {
	cart, left := m.carts[c.UserID], map[int64]int64{}
	for _, l := range c.Lines {
		left[l.ProductID] = l.Quantity
	}
	var items []shop.Line
	for _, l := range cart.Items {
		if l.Quantity -= left[l.ProductID]; l.Quantity > 0 {
			items = append(items, l)
		}
	}
	cart.Items, cart.LastOrderID, cart.LastOrderAt = items, c.OrderID, time.Time{}
	cart.Version++
}

func (m *memory) MarkAnswered(_ context.Context, user, id string) error {
	return m.call("MarkAnswered", func() {
		if c := m.carts[user]; c.LastOrderID == id && c.LastOrderAt.IsZero() {
			c.LastOrderAt = m.now()
		}
	})
}

func (m *memory) FailCheckout(_ context.Context, _, id string, reason shop.Code, short []shop.LineError) (got shop.Checkout, err error) {
	err = m.call("FailCheckout", func() {
		c := m.checkouts[id]
		if c.State == shop.CheckoutOpen {
			c.State, c.Reason, c.Shortage, c.FinishedAt = shop.CheckoutFailed, reason, short, m.now()
			m.emit(shop.TopicCheckoutFailed, c)
		}
		got = *c
	})
	return got, err
}

func (m *memory) ExpiredCheckouts(_ context.Context, limit int) (open []shop.Checkout, err error) {
	err = m.call("ExpiredCheckouts", func() {
		for _, id := range slices.Sorted(maps.Keys(m.checkouts)) {
			if c := m.checkouts[id]; c.State == shop.CheckoutOpen {
				open = append(open, *c)
			}
		}
	})
	return open[:min(limit, len(open))], err
}

func (m *memory) Order(_ context.Context, _, id string) (o shop.Order, err error) {
	err = m.call("Order", func() {
		switch c := m.checkouts[id]; {
		case m.orders[id] != nil:
			o = *m.orders[id]
		case c.State == shop.CheckoutOpen:
			o = shop.Order{ID: id, Status: shop.OrderPending}
		default:
			o = shop.Order{ID: id, Status: shop.OrderFailed}
		}
	})
	return o, err
}

func (m *memory) CancelOrder(_ context.Context, _, id string) (o shop.Order, changed bool, err error) {
	err = m.call("CancelOrder", func() {
		if m.orders[id].Status == shop.OrderConfirmed {
			m.orders[id].Status, changed = shop.OrderCancelled, true
			m.emit(shop.TopicOrderCancelled, m.checkouts[id])
		}
		o = *m.orders[id]
	})
	return o, changed, err
}
