package httpapi

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	maxAddress = 16 << 10        // bytes of a shipping address
	maxWait    = 5 * time.Minute // an X-Request-Start further back is not believed
)

func (a *api) checkoutRoutes() []route {
	body := bodyOf[checkoutInput]()
	body.optional = true
	return []route{{
		method: "POST", path: "/orders/checkout", id: "checkout", summary: "Buy the cart: all of it or nothing", access: shopper,
		text: "Without an Idempotency-Key, concurrent checkouts of one version of the cart all answer with the same order. " +
			"With one, a repetition within 24 hours does; another body under the same key is refused.",
		params: []param{idempotencyKey}, body: body, deadline: checkoutDeadline,
		answers: []answer{{status: 201, doc: "The order", body: shop.Order{}, headers: []string{"Location"}},
			{status: 202, doc: "The order, pending: the outcome of the payment is not known yet; ask GET Location", body: shop.Order{}, headers: []string{"Location"}}},
		codes: []shop.Code{shop.CodeOutOfStock, shop.CodePriceChanged, shop.CodePaymentDeclined, shop.CodePurchaseLimit, shop.CodeEmptyCart,
			shop.CodeIdempotencyMismatch, shop.CodeConflict},
		handle: a.checkout,
	}}
}

func (a *api) checkout(c *call) error {
	req := shop.CheckoutRequest{UserID: c.session.UserID, ArrivedAt: a.arrivedAt(c.r), Hold: c.r.Header.Get(shop.HeaderHold)}
	key, err := c.key()
	if err != nil {
		return err
	}
	hash := sha256.Sum256(c.body)
	req.Key = shop.CheckoutKey{Key: key, Hash: hash[:]}
	in, err := decode[checkoutInput](c)
	if err != nil {
		return err
	}
	if in.ShippingAddress != nil {
		if len(*in.ShippingAddress) > maxAddress {
			return shop.Invalid("shipping_address", "must have at most %d bytes", maxAddress)
		}
		req.ShippingAddress = json.RawMessage(*in.ShippingAddress)
	}
	req.Payment = a.payment(in.Payment)
	result, err := a.Checkouts.Run(c.ctx(), req)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/orders/"+result.Order.ID)
	status := http.StatusCreated
	if result.Order.Status == shop.OrderPending {
		status = http.StatusAccepted
	}
	return c.json(status, tidyOrder(result.Order))
}

// payment is the shopper's choice, or the shop's only provider.
func (a *api) payment(in *paymentInput) shop.PaymentMethod {
	var m shop.PaymentMethod
	if in != nil {
		m = shop.PaymentMethod{Method: in.Method, Outcome: in.Outcome}
	}
	if m.Method == "" {
		m.Method = a.Checkouts.Pay.Name()
	}
	return m
}

// arrivedAt is when the request reached the edge ("t=" and Unix microseconds), or else now.
func (a *api) arrivedAt(r *http.Request) time.Time {
	now := a.Now()
	us, err := strconv.ParseInt(strings.TrimPrefix(r.Header.Get("X-Request-Start"), "t="), 10, 64)
	if err != nil {
		return now
	}
	t := time.UnixMicro(us)
	if t.After(now) || now.Sub(t) > maxWait {
		return now
	}
	return t
}
