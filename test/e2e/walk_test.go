package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/web"
)

// honest is what honest people write.
var honest = []string{
	"O'Brien", "D'Angelo & Sons", "Müller-Lüdenscheidt", "李小龍", "Zoë 🎉👩‍👩‍👧", "select", "select a union of two tables", "1; Drop Street", "drop table lamp",
	"fork & knife set", "fish & chips", "watch straps", "last", "set", "cat tree; top shelf", "50% off", "C++ for beginners", "<3", "a < b > c", "20\" monitor", "who's there?",
	"Learn PowerShell", "rock 'n' roll", "1=1?", "C:\\ is full", "update: delivery to door", "@home #1", "{curly} [square]", "null", "or", "--",
	"Flat 3/2, 17 St. Mary's Road, Lower Ground Floor, behind the bakery (ring twice) – c/o Mrs. O'Neill & family, Newcastle-upon-Tyne NE1 4ST, United Kingdom",
}

// step is a call of the walk; form is sent as a browser sends it, body as JSON.
type step struct {
	route  string // method and pattern, as the shop mounts it
	path   string
	body   any
	form   url.Values
	header []string
	costly bool // hashes a password
}

// walker goes through every call of the API and the storefront, as an administrator and as a shopper.
type walker struct {
	t       *testing.T
	p       *platform
	s       *shopper
	product product
	order   order
	walked  map[string]bool
}

// do makes a call, which must not be taken for an attack, and must not fail.
func (w *walker) do(text string, c step) {
	w.t.Helper()
	w.walked[c.route] = true
	method, _, _ := strings.Cut(c.route, " ")
	var body any
	header := c.header
	switch {
	case c.form != nil:
		body = rawBody(c.form.Encode())
		header = append([]string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html", "Sec-Fetch-Site", "same-origin"}, header...)
	case c.body != nil:
		body = c.body
	}
	a, err := w.s.patiently(answer.putOff, method, c.path, body, header...)
	switch {
	case err != nil:
		w.t.Errorf("%s with %q: %v", c.route, text, err)
	case strings.Contains(string(a.Body), "request-blocked") && c.route != "GET /openapi.json" || a.Status == http.StatusForbidden || a.Status >= 500 || a.Status == http.StatusTooManyRequests:
		w.t.Errorf("%s with %q: %d %.300s", c.route, text, a.Status, a.Body)
	}
}

// Every call of the API and every page, with what honest people write, gets through the edge as it is shipped.
func TestNoHonestCallIsRefused(t *testing.T) {
	p := shared.get(t)
	w := &walker{t: t, p: p, s: newShopper(p.URL), walked: map[string]bool{}}
	w.product = p.newProduct(t, "E2E-WALK", 100, 10_000)
	for i, text := range honest {
		w.s.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": w.product.ID, "quantity": 1})
		if err := w.s.must(t, http.StatusCreated, "POST", "/orders/checkout", nil).into(&w.order); err != nil {
			t.Fatal(err)
		}
		for _, c := range slices.Concat(w.catalogue(text), w.cart(text), w.account(text), w.administrator(text)) {
			if !c.costly || i%8 == 0 {
				w.do(text, c)
			}
		}
	}
	w.do("", step{route: "DELETE /products/{id}", path: fmt.Sprintf("/products/%d", w.product.ID), header: w.admin()})
	for _, route := range append(w.documented(), web.Patterns()...) {
		if !w.walked[route] {
			t.Errorf("the walk leaves out %s", route)
		}
	}
	w.ownNames()
}

// documented lists the calls in the API's document.
func (w *walker) documented() (routes []string) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := w.s.must(w.t, http.StatusOK, "GET", "/openapi.json", nil).into(&doc); err != nil {
		w.t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for m := range methods {
			routes = append(routes, strings.ToUpper(m)+" "+path)
		}
	}
	return routes
}

func (w *walker) admin() []string { return []string{"Authorization", "Bearer " + w.p.token} }

func (w *walker) catalogue(text string) []step {
	q, seg := url.QueryEscape(text), url.PathEscape(text)
	from := []string{"Referer", w.p.URL + "/search?q=" + q}
	one := fmt.Sprintf("/products/%d", w.product.ID)
	return []step{
		{route: "GET /products", path: "/products?limit=3&q=" + q + "&brand=" + q + "&min_price=1&sort=-price&fields=id,name"},
		{route: "GET /products", path: "/products?category=Home/" + q}, {route: "GET /products", path: "/products?ids=1,2,999999", header: from},
		{route: "GET /products/facets", path: "/products/facets?q=" + q}, {route: "POST /products/batch", path: "/products/batch", body: map[string]any{"ids": []int{1, 2}, "fields": []string{"id", "name"}}},
		{route: "GET /products/{id}", path: one, header: from}, {route: "GET /products/{id}/stock", path: one + "/stock", header: from},
		{route: "GET /queue", path: "/queue"}, {route: "GET /openapi.json", path: "/openapi.json"}, {route: "GET /problems/{code}", path: "/problems/out-of-stock"},
		{route: "POST /batch", path: "/batch", body: map[string]any{"requests": []any{map[string]any{"method": "GET", "path": "/products?q=" + q, "headers": map[string]any{"If-None-Match": `"x"`}},
			map[string]any{"method": "PATCH", "path": "/users/me", "body": map[string]any{"name": text}}}}},
		{route: "GET /{$}", path: "/", header: from}, {route: "GET /c/{category...}", path: "/c/Home/" + seg, header: from},
		{route: "GET /p/{ref}", path: fmt.Sprintf("/p/%d-%s", w.product.ID, seg), header: from}, {route: "GET /search", path: "/search?q=" + q, header: from},
		{route: "GET /sale/{slug}", path: "/sale/e2e-walk", header: from},
		{route: "GET /img/{file}", path: fmt.Sprintf("/img/%d.svg", w.product.ID), header: from}, {route: "GET /assets/{file}", path: "/assets/style.css", header: from},
	}
}

func (w *walker) cart(text string) []step {
	id := w.product.ID
	form := url.Values{"product_id": {fmt.Sprint(id)}, "quantity": {"1"}}
	address := map[string]any{"name": text, "company": text, "line1": text, "line2": text, "city": text, "region": text, "postal_code": "SW1A 1AA", "country": "GB", "phone": "+44 20 7946 0958", "note": text}
	return []step{
		{route: "POST /events", path: "/events", body: []map[string]any{{"kind": "search", "query": text, "attributes": map[string]any{"note": text}}}},
		{route: "POST /cart/add", path: "/cart/add", body: map[string]any{"product_id": id, "quantity": 2}}, {route: "GET /cart", path: "/cart"},
		{route: "PATCH /cart/items/{product_id}", path: fmt.Sprintf("/cart/items/%d", id), body: map[string]any{"quantity": 1}},
		{route: "POST /orders/checkout", path: "/orders/checkout", body: map[string]any{"payment": map[string]any{"method": "test"}, "shipping_address": address}},
		{route: "DELETE /cart/items/{product_id}", path: fmt.Sprintf("/cart/items/%d", id)}, {route: "DELETE /cart", path: "/cart"},
		{route: "GET /orders", path: "/orders?limit=2"}, {route: "GET /orders/{id}", path: "/orders/" + w.order.ID}, {route: "POST /orders/{id}/cancel", path: "/orders/" + w.order.ID + "/cancel"},
		{route: "POST /bag/add", path: "/bag/add", form: form}, {route: "GET /bag", path: "/bag"}, {route: "POST /bag/update", path: "/bag/update", form: form},
		{route: "POST /bag/checkout", path: "/bag/checkout", form: url.Values{"outcome": {"approve"}}},
		{route: "GET /account/orders/{id}", path: "/account/orders/" + w.order.ID}, {route: "POST /account/orders/{id}/cancel", path: "/account/orders/" + w.order.ID + "/cancel", form: url.Values{}},
	}
}

func (w *walker) account(text string) []step {
	email := func(i int) string {
		return fmt.Sprintf("pat.o'hara+%d.%d@shop.example.co.uk", i, time.Now().UnixNano())
	}
	const password = `'; DROP TABLE users; -- <script>$(reboot)`
	return []step{
		{route: "POST /users", path: "/users", body: map[string]any{"email": email(1), "password": password, "name": text}, costly: true},
		{route: "GET /users/me", path: "/users/me"}, {route: "PATCH /users/me", path: "/users/me", body: map[string]any{"name": text}},
		{route: "POST /users/logout", path: "/users/logout"},
		{route: "POST /users/login", path: "/users/login", body: map[string]any{"email": email(1), "password": password}, costly: true},
		{route: "POST /account/register", path: "/account/register", form: url.Values{"email": {email(2)}, "password": {password}, "name": {text}}, costly: true},
		{route: "GET /account", path: "/account"}, {route: "POST /account/logout", path: "/account/logout", form: url.Values{}},
		{route: "POST /account/login", path: "/account/login", form: url.Values{"email": {email(2)}, "password": {password}}, costly: true},
	}
}

func (w *walker) administrator(text string) []step {
	path := fmt.Sprintf("/products/%d", w.product.ID)
	prose := "<h2>" + text + "</h2><p>Solid <b>walnut</b>, <em>oiled</em> by hand.<br>Fits <a href=\"https://shop.example/c/office\">any office</a>.</p><ul><li>120 × 60 cm</li></ul>"
	whole := map[string]any{"sku": "E2E-WALK", "name": text, "description": prose, "brand": text, "category": "Tests/Articles", "price": 100, "attributes": map[string]any{"note": text, "html": "<b>new</b>", "size": []string{text, "120 × 60"}}}
	sale := map[string]any{"name": text, "headline": text, "start": time.Now().Add(-time.Hour), "end": time.Now().Add(time.Hour), "products": []int64{w.product.ID}}
	return []step{
		{route: "PUT /campaigns/{slug}", path: "/campaigns/e2e-walk", body: sale, header: w.admin()},
		{route: "GET /campaigns", path: "/campaigns", header: w.admin()},
		{route: "DELETE /campaigns/{slug}", path: "/campaigns/e2e-walk", header: w.admin()},
		{route: "POST /products", path: "/products", body: whole, header: w.admin()}, // its SKU is taken: 409
		{route: "PUT /products/{id}", path: path, body: whole, header: w.admin()},
		{route: "PATCH /products/{id}", path: path, body: map[string]any{"description": prose + text, "attributes": map[string]any{"html": nil}}, header: append(w.admin(), "Content-Type", "application/merge-patch+json")},
		{route: "PUT /products/{id}/stock", path: path + "/stock", body: map[string]any{"available": 10_000}, header: w.admin()},
	}
}

// ownNames asks for whatever the catalogue itself is called.
func (w *walker) ownNames() {
	var facets struct {
		Categories, Brands []map[string]any
	}
	if err := w.s.must(w.t, http.StatusOK, "GET", "/products/facets", nil).into(&facets); err != nil {
		w.t.Fatal(err)
	}
	names := 0
	for kind, list := range map[string][]map[string]any{"category": facets.Categories, "brand": facets.Brands} {
		for _, member := range list {
			for _, v := range member {
				name, ok := v.(string)
				if !ok {
					continue
				}
				names++
				w.do(name, step{route: "GET /products", path: "/products?limit=1&" + kind + "=" + url.QueryEscape(name)})
				w.do(name, step{route: "GET /search", path: "/search?q=" + url.QueryEscape(name), header: []string{"Referer", w.p.URL + "/search?q=" + url.QueryEscape(name)}})
			}
		}
	}
	var list []product
	if err := w.s.must(w.t, http.StatusOK, "GET", "/products?limit=100&sort=newest", nil).into(&list); err != nil {
		w.t.Fatal(err)
	}
	for _, p := range list {
		w.do(p.Name, step{route: "GET /products", path: "/products?limit=1&q=" + url.QueryEscape(p.Name)})
	}
	if names < 50 || len(list) < 100 {
		w.t.Errorf("only %d names and %d products", names, len(list))
	}
}
