package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

// sid is the session cookie that a client holds.
func (b *bundle) sid(client *http.Client) string {
	u, _ := url.Parse(b.url)
	for _, c := range client.Jar.Cookies(u) {
		if c.Name == account.CookieName {
			return c.Value
		}
	}
	return ""
}

func TestCart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.want(b.do("POST", "/cart/add", `{"product_id":1,"quantity":2}`), 200, "")
	set := a.Header.Get("Set-Cookie")
	for _, part := range []string{"sid=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="} {
		if !strings.Contains(set, part) {
			t.Errorf("cookie %q lacks %s", set, part)
		}
	}
	if strings.Contains(set, "Secure") || a.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("headers %v", a.Header)
	}
	cart := into[shop.Cart](t, b.want(b.do("POST", "/cart/add", `{"product_id":2}`), 200, ""))
	if cart.Subtotal != 400 || cart.ItemCount != 3 || len(cart.Items) != 2 || cart.Items[0].LineTotal != 200 {
		t.Errorf("%+v", cart)
	}
	cart = into[shop.Cart](t, b.want(b.do("PATCH", "/cart/items/1", `{"quantity":5}`), 200, ""))
	if cart.Subtotal != 700 {
		t.Errorf("%+v", cart)
	}
	if cart = into[shop.Cart](t, b.want(b.do("PATCH", "/cart/items/1", `{"quantity":0}`), 200, "")); len(cart.Items) != 1 {
		t.Errorf("%+v", cart)
	}
	if a := b.want(b.do("DELETE", "/cart/items/2", ""), 200, ""); !strings.Contains(string(a.body), `"items":[]`) || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("%s %v", a.body, a.Header)
	}
	b.want(b.do("DELETE", "/cart/items/2", ""), 404, shop.CodeNotFound)
	b.want(b.do("DELETE", "/cart/items/x", ""), 404, shop.CodeNotFound)
	b.want(b.do("POST", "/cart/add", `{"product_id":3}`), 200, "")
	if cart = into[shop.Cart](t, b.want(b.do("DELETE", "/cart", ""), 200, "")); cart.ItemCount != 0 {
		t.Errorf("%+v", cart)
	}
}

func TestCartInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.want(b.do("POST", "/cart/add", `{"product_id":77}`), 404, shop.CodeNotFound)
	for _, body := range []string{`{}`, `{"product_id":0}`, `{"product_id":"1"}`, `{"product_id":1,"quantity":0}`, `{"product_id":1,"quantity":1001}`,
		`{"product_id":1,"quantity":1.5}`, `{"product_id":1,"quantity":null}`, `{"product_id":1,"price":1}`, `{"product_id":9223372036854775808}`} {
		b.want(b.do("POST", "/cart/add", body), 422, shop.CodeInvalid)
	}
	b.want(b.do("POST", "/cart/add", `{"product_id":1,"quantity":600}`), 200, "")
	b.want(b.do("POST", "/cart/add", `{"product_id":1,"quantity":600}`), 422, shop.CodeInvalid)
	b.want(b.do("PATCH", "/cart/items/1", `{"quantity":-1}`), 422, shop.CodeInvalid)
	b.want(b.do("POST", "/cart/add", `{"product_id":1}`, "Idempotency-Key: "+strings.Repeat("x", 256)), 422, shop.CodeInvalid)
	b.want(b.do("POST", "/cart/add", `{"product_id":1}`, "Idempotency-Key: caf\u00e9"), 422, shop.CodeInvalid)
	b.want(b.do("POST", "/cart/add", `{"product_id":1}`, "Sec-Fetch-Site: cross-site"), 403, shop.CodeForbidden)
	b.want(b.do("GET", "/cart", "", "Sec-Fetch-Site: cross-site"), 200, "")
}

func TestRepeatedEditsAreDoneOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Idempotency-Key", "Stampede-Op"} {
		b := setup(t)
		for range 3 {
			b.want(b.do("POST", "/cart/add", `{"product_id":1,"quantity":2}`, name+": abc"), 200, "")
		}
		cart := into[shop.Cart](t, b.do("POST", "/cart/add", `{ "quantity": 2, "product_id": 1 }`, name+": abc"))
		if cart.ItemCount != 2 {
			t.Errorf("%s: %d units", name, cart.ItemCount)
		}
		if name == "Idempotency-Key" { // a key names one edit; other paths and methods have theirs
			b.want(b.do("POST", "/cart/add", `{"product_id":1,"quantity":3}`, name+": abc"), 422, shop.CodeIdempotencyMismatch)
			b.want(b.do("PATCH", "/cart/items/1", `{"quantity":7}`, name+": abc"), 200, "")
			b.want(b.do("PATCH", "/cart/items/1", `{"quantity":6}`, name+": abc"), 422, shop.CodeIdempotencyMismatch)
			b.want(b.do("DELETE", "/cart", "", name+": abc"), 200, "")
			continue
		}
		if cart = into[shop.Cart](t, b.do("POST", "/cart/add", `{"product_id":1,"quantity":3}`, name+": abc")); cart.ItemCount != 5 {
			t.Errorf("%s: another edit under the same key: %d units", name, cart.ItemCount)
		}
	}
}

func TestCartIsRepriced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do("POST", "/cart/add", `{"product_id":1,"quantity":2}`)
	b.want(b.admin("PATCH", "/products/1", `{"price":999,"name":"Renamed"}`), 200, "")
	cart := into[shop.Cart](t, b.want(b.do("GET", "/cart", ""), 200, ""))
	if cart.Items[0].UnitPrice != 999 || cart.Items[0].Name != "Renamed" || cart.Subtotal != 1998 {
		t.Errorf("%+v", cart)
	}
	v := cart.Version
	b.want(b.admin("DELETE", "/products/1", ""), 204, "")
	if cart = into[shop.Cart](t, b.want(b.do("GET", "/cart", ""), 200, "")); len(cart.Items) != 1 || cart.Version != v+1 {
		t.Errorf("%+v", cart) // the fake counts reads too
	}
}

func TestCookieUnderTLS(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.do("GET", "/cart", "", "X-Forwarded-Proto: https")
	if !strings.Contains(a.Header.Get("Set-Cookie"), "Secure") {
		t.Errorf("cookie %q", a.Header.Get("Set-Cookie"))
	}
}

// A cart that nobody put anything into looks like one.
func TestEmptyCart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := into[shop.Cart](t, b.want(b.do("GET", "/cart", ""), 200, ""))
	if c.Currency != "USD" || time.Since(c.UpdatedAt) > time.Hour || c.Items == nil || c.ID == "" {
		t.Errorf("%+v", c)
	}
}
