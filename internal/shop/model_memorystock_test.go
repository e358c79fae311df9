package shop_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/stampede-shop/stampede/internal/shop"
)

// perShard makes one call for each shard that has some of the products.
func (m *memory) perShard(name string, ids []int64, do func(id int64)) (err error) {
	for at := range int64(2) {
		var here []int64
		for _, id := range ids {
			if id%2 == at {
				here = append(here, id)
			}
		}
		if len(here) > 0 {
			err = errors.Join(err, m.call(fmt.Sprintf("%s at %d", name, at), func() {
				for _, id := range here {
					do(id)
				}
			}))
		}
	}
	return err
}

func (m *memory) Available(context.Context, []int64) (map[int64]int64, error) { return nil, errFails }
func (m *memory) SetAvailable(context.Context, string, int64, int64) error    { return errFails }

func (m *memory) Reserve(_ context.Context, r shop.Reservation) error {
	byShard := map[int64][]shop.Line{}
	for _, l := range r.Lines {
		byShard[l.ProductID%2] = append(byShard[l.ProductID%2], l)
	}
	var short []shop.LineError
	var gone bool
	var err error
	for at := range int64(2) {
		if lines := byShard[at]; len(lines) > 0 {
			err = errors.Join(err, m.call(fmt.Sprint("Reserve at ", at), func() {
				missing, released := m.reserveHere(r.OrderID, lines)
				short, gone = append(short, missing...), gone || released
			}))
		}
	}
	switch {
	case err != nil:
		return err
	case gone:
		return shop.Errorf(shop.CodeConflict, "released before")
	case len(short) > 0:
		return &shop.Error{Code: shop.CodeOutOfStock, Lines: short}
	}
	return nil
}

func (m *memory) reserveHere(order string, lines []shop.Line) (short []shop.LineError, gone bool) {
	for _, l := range lines {
		switch c := m.claims[claimKey{order, l.ProductID}]; {
		case c != nil:
			gone = gone || c.state == "released" || c.state == "returned"
		case m.stock[l.ProductID] < l.Quantity:
			short = append(short, shop.LineError{ProductID: l.ProductID, Requested: l.Quantity, Available: m.stock[l.ProductID]})
		}
	}
	if gone || len(short) > 0 {
		return short, gone
	}
	for _, l := range lines {
		if k := (claimKey{order, l.ProductID}); m.claims[k] == nil {
			m.claims[k] = &claimState{"held", l.Quantity}
			m.stock[l.ProductID] -= l.Quantity
		}
	}
	return nil, false
}

func (m *memory) Commit(_ context.Context, order string, ids []int64) error {
	var missing error
	err := m.perShard("Commit", ids, func(id int64) {
		switch c := m.claims[claimKey{order, id}]; {
		case c == nil || c.state == "released":
			missing = shop.Errorf(shop.CodeConflict, "not held")
		case c.state == "held":
			c.state = "committed"
		}
	})
	return cmp.Or(err, missing)
}

func (m *memory) Release(_ context.Context, order string, ids []int64) error {
	return m.perShard("Release", ids, func(id int64) {
		k := claimKey{order, id}
		switch c := m.claims[k]; {
		case c == nil:
			m.claims[k] = &claimState{"released", 0}
		case c.state == "held":
			c.state = "released"
			m.stock[id] += c.units
		}
	})
}

func (m *memory) Return(_ context.Context, order string, ids []int64) error {
	return m.perShard("Return", ids, func(id int64) {
		if c := m.claims[claimKey{order, id}]; c != nil && (c.state == "held" || c.state == "committed") {
			c.state = "returned"
			m.stock[id] += c.units
		}
	})
}

func (m *memory) Name() string                      { return "memory" }
func (m *memory) Validate(shop.PaymentMethod) error { return nil }

func (m *memory) Charge(_ context.Context, key string, amount int64, currency string, pay shop.PaymentMethod) (ch shop.Charge, err error) {
	if pay.Outcome == "timeout" {
		return ch, shop.ErrPaymentUnknown
	}
	fresh := false
	err = m.call("Charge", func() {
		status := shop.ChargeCaptured
		if pay.Outcome == "decline" {
			status = shop.ChargeDeclined
		}
		ch, fresh = m.record(shop.Charge{Key: key, Amount: amount, Currency: currency, Status: status})
	})
	if errors.Is(err, errLost) || fresh && pay.Outcome == "late" {
		return shop.Charge{}, shop.ErrPaymentUnknown
	}
	return ch, err
}

// record keeps the first charge under a key.
func (m *memory) record(ch shop.Charge) (shop.Charge, bool) {
	if was, there := m.charges[ch.Key]; there {
		return was, false
	}
	m.charges[ch.Key] = ch
	return ch, true
}

func (m *memory) Settle(_ context.Context, key string) (ch shop.Charge, err error) {
	err = m.call("Settle", func() { ch, _ = m.record(shop.Charge{Key: key, Status: shop.ChargeCancelled}) })
	return ch, err
}

func (m *memory) Refund(_ context.Context, key string) (ch shop.Charge, err error) {
	err = m.call("Refund", func() {
		ch, _ = m.record(shop.Charge{Key: key, Status: shop.ChargeCancelled})
		if ch.Status == shop.ChargeCaptured {
			ch.Status = shop.ChargeRefunded
			m.charges[key] = ch
		}
	})
	return ch, err
}
