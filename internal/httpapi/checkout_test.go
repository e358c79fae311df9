package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

func (b *bundle) fill(product, quantity int64) {
	b.t.Helper()
	b.want(b.do("POST", "/cart/add", fmt.Sprintf(`{"product_id":%d,"quantity":%d}`, product, quantity)), 200, "")
}

func TestCheckout(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.want(b.do("POST", "/orders/checkout", ""), 422, shop.CodeEmptyCart)
	b.fill(2, 3)
	a := b.want(b.do("POST", "/orders/checkout", `{"payment":{"method":"test"},"shipping_address":{"name":"Ann","extra":{"floor":3}}}`), 201, "")
	o := into[shop.Order](t, a)
	if o.Status != shop.OrderConfirmed || o.Total != 600 || a.Header.Get("Location") != "/orders/"+o.ID || string(o.ShippingAddress) != `{"extra":{"floor":3},"name":"Ann"}` {
		t.Errorf("%+v", o)
	}
	if got := into[shop.Order](t, b.want(b.do("GET", a.Header.Get("Location"), ""), 200, "")); got.ID != o.ID || got.CreatedAt.Location().String() != "UTC" {
		t.Errorf("%+v", got)
	}
	p := b.want(b.do("POST", "/orders/checkout", ""), 422, shop.CodeEmptyCart).problem(t)
	if p.OrderID != o.ID {
		t.Errorf("%+v", p)
	}
}

// A body may be left out in any way that clients leave one out.
func TestCheckoutBodyIsOptional(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, headers := range [][]string{{"Content-Type: application/json"}, {"Content-Type: "}, {"Content-Type: application/x-www-form-urlencoded"}} {
		b.fill(1, 1)
		b.want(b.do("POST", "/orders/checkout", "", headers...), 201, "")
	}
	b.fill(1, 1)
	b.want(b.do("POST", "/orders/checkout", "{}", "Content-Type: "), 201, "")
	b.fill(1, 1)
	b.want(b.do("POST", "/orders/checkout", "a=b", "Content-Type: application/x-www-form-urlencoded"), 415, codeUnsupported)
	for body, field := range map[string]string{
		`{"payment":{"method":"gold"}}`: "payment.method", `{"payment":{"outcome":"maybe"}}`: "payment.outcome", `{"payment":"test"}`: "payment",
		`{"shipping_address":{"city":1}}`: "shipping_address.city", `{"shipping_address":[]}`: "shipping_address", `{"total":1}`: "total",
		`{"shipping_address":{"note":"` + strings.Repeat("x", maxAddress) + `"}}`: "shipping_address",
		`{"shipping_address":{"note":"\u0000"}}`:                                  "shipping_address.note",
	} {
		p := b.want(b.do("POST", "/orders/checkout", body), 422, shop.CodeInvalid).problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%.60s: %+v", body, p.Errors)
		}
	}
}

func TestCheckoutOutcomes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(1, 101)
	p := b.want(b.do("POST", "/orders/checkout", ""), 409, shop.CodeOutOfStock).problem(t)
	if len(p.Lines) != 1 || p.Lines[0].ProductID != 1 || p.Lines[0].Requested != 101 || *p.Lines[0].Available != 100 {
		t.Errorf("%+v", p)
	}
	b.do("PATCH", "/cart/items/1", `{"quantity":1}`)
	p = b.want(b.do("POST", "/orders/checkout", `{"payment":{"method":"test","outcome":"decline"}}`), 402, shop.CodePaymentDeclined).problem(t)
	if p.OrderID == "" {
		t.Errorf("%+v", p)
	}
	b.want(b.admin("PATCH", "/products/1", `{"price":7}`), 200, "")
	a := b.want(b.do("POST", "/orders/checkout", ""), 409, shop.CodePriceChanged)
	if strings.Contains(string(a.body), "available") {
		t.Errorf("%s: nothing was said of stock", a.body)
	}
	p = a.problem(t)
	if len(p.Lines) != 1 || *p.Lines[0].OldPrice != 100 || *p.Lines[0].NewPrice != 7 {
		t.Errorf("%+v", p)
	}
	a = b.want(b.do("POST", "/orders/checkout", `{"payment":{"outcome":"timeout"}}`), 202, "")
	if o := into[shop.Order](t, a); o.Status != shop.OrderPending || a.Header.Get("Location") != "/orders/"+o.ID {
		t.Errorf("%+v", o)
	}
}

func TestCheckoutIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(1, 1)
	first := into[shop.Order](t, b.want(b.do("POST", "/orders/checkout", `{"payment":{"method":"test"}}`, "Idempotency-Key: k 1"), 201, ""))
	b.fill(2, 1)
	again := into[shop.Order](t, b.want(b.do("POST", "/orders/checkout", ` {"payment": {"method":"test"}}`, "Idempotency-Key: k 1"), 201, ""))
	if first.ID != again.ID {
		t.Errorf("two orders under one key: %s %s", first.ID, again.ID)
	}
	b.want(b.do("POST", "/orders/checkout", "", "Idempotency-Key: k 1"), 422, shop.CodeIdempotencyMismatch)
	b.want(b.do("POST", "/orders/checkout", "", "Idempotency-Key: "+strings.Repeat("k", 256)), 422, shop.CodeInvalid)
	other := into[shop.Order](t, b.want(b.do("POST", "/orders/checkout", "", "Idempotency-Key: k 2"), 201, ""))
	if other.ID == first.ID {
		t.Error("one order under two keys")
	}
}

// A checkout that was under way when the same cart was bought gets that order; one that came later does not.
func TestCheckoutArrival(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.shop.clock = time.Now()
	b.fill(1, 1)
	o := into[shop.Order](t, b.want(b.do("POST", "/orders/checkout", ""), 201, ""))
	before := fmt.Sprintf("X-Request-Start: t=%d", b.shop.clock.Add(-time.Second).UnixMicro())
	if late := into[shop.Order](t, b.want(b.do("POST", "/orders/checkout", "", before), 201, "")); late.ID != o.ID {
		t.Errorf("%s, want %s", late.ID, o.ID)
	}
	for _, header := range []string{"", "nonsense", "t=", "t=-5", fmt.Sprintf("t=%d", time.Now().Add(-time.Hour).UnixMicro())} {
		b.want(b.do("POST", "/orders/checkout", "", "X-Request-Start: "+header), 422, shop.CodeEmptyCart)
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if a := b.want(b.do("GET", "/orders", ""), 200, ""); string(a.body) != "[]\n" || a.Header.Get("Set-Cookie") == "" {
		t.Errorf("%s", a.body)
	}
	var ids []string
	for range 3 {
		b.fill(1, 1)
		ids = append([]string{into[shop.Order](t, b.do("POST", "/orders/checkout", "")).ID}, ids...)
	}
	a := b.want(b.do("GET", "/orders?limit=2", ""), 200, "")
	page := into[[]shop.Order](t, a)
	if len(page) != 2 || page[0].ID != ids[0] || a.Header.Get("X-Next-Cursor") != ids[1] || !strings.Contains(a.Header.Get("Link"), `rel="next"`) {
		t.Errorf("%+v %v", page, a.Header)
	}
	if page = into[[]shop.Order](t, b.do("GET", "/orders?limit=2&cursor="+ids[1], "")); len(page) != 1 || page[0].ID != ids[2] {
		t.Errorf("%+v", page)
	}
	b.want(b.do("GET", "/orders?limit=1000", ""), 422, shop.CodeInvalid)

	stranger := b.browser()
	b.want(b.as(stranger, "GET", "/orders/"+ids[0], ""), 404, shop.CodeNotFound)
	b.want(b.as(stranger, "POST", "/orders/"+ids[0]+"/cancel", ""), 404, shop.CodeNotFound)
	for _, id := range []string{"nonsense", "019319e5-0000-7000-8000-000000000000", "%7B019319e5-0000-7000-8000-000000000000%7D"} {
		b.want(b.do("GET", "/orders/"+id, ""), 404, shop.CodeNotFound)
		b.want(b.do("POST", "/orders/"+id+"/cancel", ""), 404, shop.CodeNotFound)
	}
	for range 2 {
		if o := into[shop.Order](t, b.want(b.do("POST", "/orders/"+ids[0]+"/cancel", ""), 200, "")); o.Status != shop.OrderCancelled {
			t.Errorf("%+v", o)
		}
	}
	b.fill(1, 1)
	pending := into[shop.Order](t, b.do("POST", "/orders/checkout", `{"payment":{"outcome":"timeout"}}`))
	b.want(b.do("POST", "/orders/"+pending.ID+"/cancel", ""), 409, shop.CodeNotCancellable)
}
