package waf

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// send is a request as it comes from the edge, with a browser's headers and one of our sessions.
type send struct {
	method, target, body string
	header               []string // name, value, …
}

func (s send) request() (*http.Request, []byte) {
	r, body := typical(s.method, s.target, s.body)
	for i := 0; i+1 < len(s.header); i += 2 {
		switch name, value := s.header[i], s.header[i+1]; {
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		default:
			r.Header.Set(name, value)
		}
	}
	return r, body
}

var (
	asAdmin = []string{"Authorization", "Bearer 3q2-7wTNmVqg8yK0sL5x_RZc9uJd1fHbA4oPiWvEtMk"}
	asForm  = []string{"Content-Type", "application/x-www-form-urlencoded", "Referer", "https://shop.example/p/12-walnut-desk", "Origin", "https://shop.example"}
)

// innocent is what honest people write into names, addresses, searches and reviews.
var innocent = []string{
	"O'Brien", "D'Angelo & Sons", "Seán Ó Briain", "Müller-Lüdenscheidt", "李小龍", "Zoë 🎉👩‍👩‍👧", "select", "Drop Street 1", "1; Drop Street",
	"Union Square", "select a union of two tables", "select a lamp from the union of two shelves", "where to order by phone", "insert coin", "Update: delivery to door",
	"rock & roll", "black+white", "50% off", "100% cotton", "C++ for beginners", "AC/DC", "and/or", "20\" monitor", "27\" & 32\" screens", "6' x 4' rug",
	"don't", "'90s lamp", "\"quoted\"", "a < b > c", "<3", "price > 100", "e-mail me @home", "who's there?", "what is this?!", "table; 2 chairs", "Dr. No (1962)",
	"cat food", "cat tree", "more or less", "time after time", "sleep mask", "echo dot", "curl cream", "head torch", "tail light", "kill switch", "bash guitar", "python belt",
	"ls swap", "ping pong", "top shelf", "find nemo", "script font", "java coffee", "alert bell", "eval kit", "exec chair", "system bed", "null modem cable", "true grit",
	"Flat 3/2, 17 St. Mary's Road, Lower Ground Floor, behind the bakery (ring twice) – c/o Mrs. O'Neill & family, Newcastle-upon-Tyne NE1 4ST, United Kingdom",
	"watch straps", "Watch tools", "time travels; vol. 2", "fork & knife set", "fish & chips", "tank | fish food", "bath; column & screen set", "puppets & head-to-toe chef set", "= best buy: nice patch =",
	"last", "set", "ps", "who", "w", "top", "hostname", "Learn PowerShell in a month", "file cabinets?", "What is FTP?", "mail & post", "& service", "bread; bash & sash windows",
	"#1 choice", "$5 or less", "@home", "~10 cm", "[new] chair", "{curly} lamp", "a=b", "x || y", "1=1?", "100 - 1 = 99", "--", "...", "etc. etc.", "hosts & guests",
}

func js(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const (
	orderID = "0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"
	cursor  = "eyJzIjoicHJpY2UiLCJ2IjoxOTk5LCJpZCI6NDJ9"
	prose   = `<h2>Walnut desk &amp; chair</h2><p>Solid <b>walnut</b>, <em>oiled</em> by hand.<br>Fits <a href="https://shop.example/c/office">any office</a>; ships in 2–3 days.</p><ul><li>120 × 60 cm</li><li>25 kg</li></ul><img src="/img/desk.jpg" alt="The desk">`
	review  = "Bought two; \"great\" quality! My wife's favourite (5/5) -- would buy again & again... <3 \n\nUpdate: select \"express\" from the list, then drop it at the union office."
)

// withText are the calls into which text goes.
func withText(s string) []send {
	q := url.QueryEscape(s)
	form := url.Values{"q": {s}, "name": {s}, "email": {"ann@example.com"}, "password": {"correct horse"}}.Encode()
	return []send{
		{"GET", "/products?limit=20&q=" + q + "&category=home/lamps&brand=" + q + "&min_price=100&max_price=99999&in_stock=true&sort=-price&fields=id,name,price", "", nil},
		{"GET", "/products/facets?q=" + q, "", nil},
		{"GET", "/search?q=" + q, "", nil},
		{"POST", "/orders/checkout", js(map[string]any{"payment": map[string]any{"method": "test", "outcome": "approve"},
			"shipping_address": map[string]any{"name": s, "company": s, "line1": s, "line2": s, "city": s, "region": s, "postal_code": "SW1A 1AA", "country": "GB", "phone": "+44 20 7946 0958"}}), []string{"Idempotency-Key", "order--7f3a:9c_1.2~=="}},
		{"POST", "/users", js(map[string]any{"email": "pat.o'hara+shop@example.co.uk", "password": "p' or 1=1 --;<script>", "name": s}), nil},
		{"PATCH", "/users/me", js(map[string]any{"name": s}), nil},
		{"POST", "/account/register", form, asForm},
		{"POST", "/products", js(map[string]any{"sku": "LAMP-1", "name": s, "description": s, "brand": s, "category": "home/lamps", "price": 1999, "attributes": map[string]any{"note": s}}), asAdmin},
		{"POST", "/events", js([]any{map[string]any{"type": "search", "q": s, "session": orderID, "at": "2026-11-22T23:59:59.123Z"}, map[string]any{"type": "view", "product_id": 12, "url": "https://shop.example/p/12-walnut-desk"}}), nil},
		{"POST", "/events", js(map[string]any{"type": "search", "q": s}) + "\n" + js(map[string]any{"type": "add", "product_id": 5}) + "\n", []string{"Content-Type", "application/x-ndjson"}},
		{"POST", "/batch", js(map[string]any{"requests": []any{map[string]any{"method": "GET", "path": "/products?q=" + q},
			map[string]any{"method": "POST", "path": "/users", "body": map[string]any{"name": s, "email": "a@example.com", "password": "x' or 'x'='x"}}}}), nil},
	}
}

// withName are further calls into which a line of text goes, as the name of something or as where one comes from.
func withName(s string) []send {
	q, path := url.QueryEscape(s), url.PathEscape(s)
	return []send{
		{"GET", "/products?category=home/" + q, "", nil},
		{"GET", "/c/home/" + path, "", nil},
		{"GET", "/products/12", "", []string{"Referer", "https://shop.example/search?q=" + q}},
		{"GET", "/products/12", "", []string{"Referer", "https://shop.example/c/home/" + path}},
	}
}

// plainCalls are the documented calls with nothing special in them.
func plainCalls() []send {
	get := []string{"/", "/products", "/products?limit=20&cursor=" + cursor, "/products?ids=1,2,3&fields=id,name,price", "/products/12", "/products/12?fields=id,name",
		"/products/12/stock", "/products/facets?category=home/lamps&in_stock=true", "/cart", "/orders?limit=20&cursor=" + cursor + "%3D%3D", "/orders/" + orderID, "/users/me", "/queue",
		"/openapi.json", "/c/home/lamps", "/c/home%20%26%20garden", "/p/12-walnut-desk", "/p/12-d-angelo-s-lamp", "/search?q=lamp", "/bag", "/account", "/account/orders/" + orderID, "/problems/out-of-stock",
		"/assets/app-3f2a1b.css", "/img/12.svg", "/favicon.ico", "/robots.txt", "/healthz"}
	out := []send{}
	for _, target := range get {
		out = append(out, send{"GET", target, "", []string{"If-None-Match", `W/"a1b2-c3d4", "e5--f6"`, "Referer", "https://shop.example/search?q=desk+lamp"}})
	}
	product := map[string]any{"sku": "DESK/12 (oak)", "name": "Walnut desk", "slug": "walnut-desk", "description": prose, "brand": "D'Angelo", "category": "home/office", "price": 19999,
		"currency": "EUR", "image_url": "https://cdn.example/img/desk.jpg?w=800&h=600", "attributes": map[string]any{"size": "120 × 60 cm", "html": "<b>new</b>", "material": []string{"walnut", "steel"}, "care": review}}
	return append(out,
		send{"HEAD", "/products/12", "", nil}, send{"OPTIONS", "/cart/add", "", nil},
		send{"POST", "/products/batch", `{"ids":[1,2,3,99999],"fields":["id","name","price"]}`, nil},
		send{"POST", "/products", js(product), asAdmin}, send{"PUT", "/products/12", js(product), append([]string{"If-Match", `W/"12-3"`}, asAdmin...)},
		send{"PATCH", "/products/12", js(map[string]any{"description": prose, "attributes": map[string]any{"html": nil}}), append([]string{"Content-Type", "application/merge-patch+json", "If-Match", `"12-3"`}, asAdmin...)},
		send{"PATCH", "/products/12", js(map[string]any{"description": "<h2>李小龍</h2>" + prose + "李小龍"}), append([]string{"Content-Type", "application/merge-patch+json"}, asAdmin...)},
		send{"GET", "/products?category=home/%40home+%231", "", nil},
		send{"PATCH", "/products/12", js(map[string]any{"description": review}), append([]string{"Content-Type", "application/merge-patch+json"}, asAdmin...)},
		send{"DELETE", "/products/12", "", asAdmin}, send{"PUT", "/products/12/stock", `{"available":100}`, asAdmin},
		send{"POST", "/cart/add", `{"product_id":1,"quantity":2}`, nil}, send{"PATCH", "/cart/items/1", `{"quantity":3}`, nil}, send{"DELETE", "/cart/items/1", "", nil}, send{"DELETE", "/cart", "", nil},
		send{"POST", "/orders/checkout", "", []string{"Idempotency-Key", "k'1"}}, send{"POST", "/orders/" + orderID + "/cancel", "", nil},
		send{"POST", "/users/login", `{"email":"o'brien@example.com","password":"'; DROP TABLE users; --"}`, nil}, send{"POST", "/users/logout", "", nil},
		send{"PATCH", "/users/me", `{"email":"new@example.com","password":"<script>alert(1)</script>","current_password":"$(reboot)"}`, nil},
		send{"POST", "/account/login", "email=o%27brien%40example.com&password=%27+or+1%3D1+--", asForm},
		send{"POST", "/bag/add", "product_id=12&quantity=1", asForm}, send{"POST", "/bag/update", "product_id=12&quantity=0", asForm}, send{"POST", "/bag/checkout", "outcome=approve", asForm}, send{"POST", "/account/logout", "", asForm},
		send{"POST", "/batch", js(map[string]any{"requests": []any{map[string]any{"method": "POST", "path": "/products", "body": product}, map[string]any{"method": "GET", "path": "/products?limit=20&cursor=" + cursor}, map[string]any{"path": "/cart"}}}), asAdmin},
		send{"POST", "/batch", js(map[string]any{"requests": []any{map[string]any{"method": "POST", "path": "/users/login", "headers": map[string]any{"Idempotency-Key": "a-1", "Content-Type": "application/json"},
			"body": map[string]any{"email": "o'brien@example.com", "password": "'; DROP TABLE users; --"}}}}), nil},
		send{"POST", "/events", `[]`, nil},
		send{"POST", "/cart/add", `{"product_id":1,"quantity":2}`, []string{"Content-Type", "", "User-Agent", "curl/8.5.0", "Accept", "*/*", "Host", "127.0.0.1:8000"}},
		send{"GET", "/products", "", []string{"User-Agent", "Go-http-client/1.1", "Accept", ""}},
		send{"GET", "/products", "", []string{"Cookie", "_ga=GA1.1.123456789.1732312345; _fbp=fb.1.1732312345678.987654321; theme=dark; sid=1.MDE5MGEx--YjIt_0.c2ln-bmF0dXJl"}},
	)
}

// thinned keeps some of the calls, others for each i.
func thinned(calls []send, i int) []send {
	var out []send
	for j, c := range calls {
		if (i+j)%every(1) == 0 {
			out = append(out, c)
		}
	}
	return out
}

// No honest use of the API or the storefront is blocked.
func TestNoFalsePositive(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{})
	cases := plainCalls()
	for i, s := range innocent {
		cases = append(cases, thinned(append(withText(s), withName(s)...), i)...)
	}
	cases = append(cases, withText(review)...)
	for _, c := range cases {
		r, body := c.request()
		v := w.Inspect(r, body)
		if v.Objects() {
			var rules []string
			for _, m := range v.Matches {
				rules = append(rules, fmt.Sprint(m.Rule, m.Variables))
			}
			t.Errorf("%s %s %.200s: %d %s %s", c.method, c.target, c.body, v.Status, rules, v.detail)
		}
	}
	t.Logf("%d requests", len(cases))
}
