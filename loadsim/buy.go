package loadsim

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// money is an amount in minor units.
type money = int64

// lines are the items of a cart or an order, as far as they are checked.
type lines []struct {
	ProductID int64 `json:"product_id"`
	Quantity  int64 `json:"quantity"`
	UnitPrice money `json:"unit_price"`
	LineTotal money `json:"line_total"`
}

// sum checks each line's total and adds them up.
func (l lines) sum() (units int64, total money, err error) {
	for _, x := range l {
		if x.Quantity <= 0 || x.LineTotal != x.Quantity*x.UnitPrice {
			return 0, 0, fmt.Errorf("product %d: %d × %d is not %d", x.ProductID, x.Quantity, x.UnitPrice, x.LineTotal)
		}
		units += x.Quantity
		total += x.LineTotal
	}
	return units, total, nil
}

// units is how many of a product there are.
func (l lines) units(id int64) (n int64) {
	for _, x := range l {
		if x.ProductID == id {
			n += x.Quantity
		}
	}
	return n
}

// fill puts so many products into the cart: those that were viewed and can be had, in random order, or the hot one.
func (s *shopper) fill(ctx context.Context, adds int, of string) {
	if of == scenario.OfHot {
		if adds > 0 {
			s.add(ctx, s.cat.hot, int64(adds))
		}
		return
	}
	for _, i := range s.rng.Perm(len(s.viewed)) {
		if adds == 0 || s.done(ctx) {
			return
		}
		p := s.viewed[i]
		if p.soldOut {
			continue
		}
		adds--
		s.add(ctx, p.id, 1+int64(s.rng.IntN(5)/4)) // now and then two
	}
}

func (s *shopper) add(ctx context.Context, id, quantity int64) {
	c := call{
		method: http.MethodPost, path: "/cart/add", key: newKey(),
		body: fmt.Sprintf(`{"product_id":%d,"quantity":%d}`, id, quantity),
	}
	end := s.ask(ctx, stepCart, c, func(res *response) verdict {
		switch res.status {
		case http.StatusOK:
			s.expect[id] += quantity
			fail := s.checkCart(res.body, id, quantity)
			if fail != nil {
				s.forget(id, quantity)
			}
			return verdict{fail: fail}
		case http.StatusNotFound, http.StatusConflict:
			return verdict{refusal: res.status}
		default:
			return verdict{fail: wrongStatus(res.status, res.body)}
		}
	})
	s.doubt = s.doubt || end == failed
}

// forget takes back what did not make it into the cart.
func (s *shopper) forget(id, quantity int64) {
	if s.expect[id] -= quantity; s.expect[id] <= 0 {
		delete(s.expect, id)
	}
}

// newKey makes an idempotency key. It must be new in every run, whatever the seed.
func newKey() string {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], rand.Uint64())
	binary.LittleEndian.PutUint64(b[8:], rand.Uint64())
	return hex.EncodeToString(b[:])
}

// checkCart compares a cart with what was put in, quantity units of id last. After an edit of which nobody knows whether
// it took effect, the cart must agree with itself and hold at least those.
func (s *shopper) checkCart(body []byte, id, quantity int64) *failure {
	var cart struct {
		Items     lines  `json:"items"`
		ItemCount int64  `json:"item_count"`
		Subtotal  *money `json:"subtotal"`
	}
	if err := json.Unmarshal(body, &cart); err != nil || cart.Subtotal == nil {
		return wrong(kindBody, "not a cart: %s", excerpt(body))
	}
	s.cart = *cart.Subtotal
	units, total, err := cart.Items.sum()
	switch {
	case err != nil:
		return wrong(kindCart, "%v", err)
	case units != cart.ItemCount || total != *cart.Subtotal:
		return wrong(kindCart, "lines make %d units and %d, the cart says %d and %d", units, total, cart.ItemCount, *cart.Subtotal)
	case cart.Items.units(id) < quantity:
		return wrong(kindCart, "%d of product %d, %d were just put in", cart.Items.units(id), id, quantity)
	case s.doubt:
		return nil
	case len(cart.Items) != len(s.expect):
		return wrong(kindCart, "%d lines, %d products were put in", len(cart.Items), len(s.expect))
	}
	for _, x := range cart.Items {
		if x.Quantity != s.expect[x.ProductID] {
			return wrong(kindCart, "%d of product %d, %d were put in", x.Quantity, x.ProductID, s.expect[x.ProductID])
		}
	}
	return nil
}

// buy checks out what is in the cart.
func (s *shopper) buy(ctx context.Context) {
	if len(s.expect) == 0 {
		return
	}
	c := call{method: http.MethodPost, path: "/orders/checkout", key: newKey(), body: `{"payment":{"method":"test"}}`}
	s.ask(ctx, stepCheckout, c, func(res *response) verdict {
		switch res.status {
		case http.StatusCreated:
			fail := s.checkOrder(res.body)
			return verdict{fail: fail, order: fail == nil}
		case http.StatusAccepted: // the payment's outcome is not known yet; the shop will settle it
			return verdict{refusal: res.status}
		case http.StatusConflict, http.StatusPaymentRequired:
			return verdict{refusal: res.status}
		default:
			return verdict{fail: wrongStatus(res.status, res.body)}
		}
	})
}

func (s *shopper) checkOrder(body []byte) *failure {
	var order struct {
		ID     string `json:"id"`
		Status string `json:"status"`
		Items  lines  `json:"items"`
		Total  money  `json:"total"`
	}
	if err := json.Unmarshal(body, &order); err != nil || order.ID == "" {
		return wrong(kindBody, "not an order: %s", excerpt(body))
	}
	_, total, err := order.Items.sum()
	switch {
	case err != nil:
		return wrong(kindOrder, "order %s: %v", order.ID, err)
	case order.Status != "confirmed":
		return wrong(kindOrder, "order %s is %q, not confirmed", order.ID, order.Status)
	case total != order.Total:
		return wrong(kindOrder, "order %s: lines make %d, the total says %d", order.ID, total, order.Total)
	case !s.doubt && s.cart != order.Total:
		return wrong(kindOrder, "order %s: total %d, the cart said %d", order.ID, order.Total, s.cart)
	}
	return nil
}
