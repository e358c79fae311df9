package httpapi

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// handler is an API without a network, for fuzzing.
func handler(tb testing.TB) func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	h, err := New(deps(tb, newFake()))
	if err != nil {
		tb.Fatal(err)
	}
	return func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		for _, x := range headers {
			name, value, _ := strings.Cut(x, ": ")
			r.Header[name] = []string{value}
		}
		h.ServeHTTP(rec, r)
		return rec
	}
}

// sane: never a 5xx, always JSON.
func sane(t *testing.T, rec *httptest.ResponseRecorder, what string) {
	t.Helper()
	if rec.Code >= 500 || (rec.Code != 304 && rec.Code != 204 && rec.Header().Get("Content-Encoding") == "" && !json.Valid(rec.Body.Bytes())) {
		t.Fatalf("%s: %d %s", what, rec.Code, rec.Body)
	}
}

func FuzzBodies(f *testing.F) {
	for _, s := range []string{`{"product_id":1}`, `{"payment":{"method":"test"},"shipping_address":{"a":[1,{"b":null}]}}`, `{"ids":[1,2],"fields":["id"]}`,
		`{"email":"a@b.c","password":"longenough","name":"é"}`, `{"sku":"S","name":"N","price":1,"attributes":{"x":1e5}}`, `{`, `[[`, `"\ud800"`, `{"available":-0}`} {
		f.Add(s)
	}
	do := handler(f)
	f.Fuzz(func(t *testing.T, body string) {
		auth := "Authorization: Bearer " + adminToken
		for _, call := range []string{"POST /cart/add", "POST /orders/checkout", "POST /products/batch", "POST /products", "PATCH /products/1",
			"PUT /products/1/stock", "PATCH /cart/items/1"} {
			method, path, _ := strings.Cut(call, " ")
			sane(t, do(method, path, body, auth), call)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"limit=2&cursor=3", "ids=1,2,,x", "fields=id,name&q=é", "min_price=-1&in_stock=1", "%zz", "q=%00", "a;b", "sort=-price&sort=x"} {
		f.Add(s)
	}
	do := handler(f)
	f.Fuzz(func(t *testing.T, query string) {
		u := url.URL{Path: "/products", RawQuery: query}
		if _, err := url.ParseRequestURI(u.String()); err != nil || strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			t.Skip()
		}
		sane(t, do("GET", u.String(), ""), query)
	})
}

func FuzzHeaders(f *testing.F) {
	for _, s := range []string{`"1-0123456789abcdef"`, `W/"x", "y-gzip"`, `*`, `"a`, `"a" "b"`, "gzip;q=0.1, *;q=0", "t=12", "1.bm8.bm8", ""} {
		f.Add(s)
	}
	do := handler(f)
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"If-None-Match", "If-Match", "Accept-Encoding", "Cookie", "Idempotency-Key", "X-Request-Start", "X-Request-Id", "Traceparent", "Content-Type"} {
			sane(t, do("PATCH", "/products/1", `{"price":1}`, name+": "+value, "Authorization: Bearer "+adminToken), name)
			if name != "Accept-Encoding" {
				sane(t, do("GET", "/products/1", "", name+": "+value), name)
				sane(t, do("GET", "/cart", "", name+": "+value), name)
			}
		}
		if tags, ok := parseETags(value); ok {
			again, ok := parseETags(strings.Join(tags, ", "))
			if !ok || len(again) != len(tags) {
				t.Fatalf("%q: %q then %q", value, tags, again)
			}
		}
		if c := negotiate(value); c != "" && encoders[c] == nil {
			t.Fatalf("%q: coding %q", value, c)
		}
	})
}
