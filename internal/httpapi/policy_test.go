package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Every call says who may keep its answer: the catalogue's are the edge's, under the tags of the caches; all others nobody's.
func TestWhoMayKeepAnAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const revalidate, none = "public, max-age=0, must-revalidate", "private, no-store"
	for call, want := range map[string]struct{ cache, edge, keys string }{
		"GET /products/1":                          {revalidate, keepProduct.edge[0], "p:1"},
		"GET /products/1?fields=name":              {revalidate, keepProduct.edge[0], "p:1"},
		"GET /products?limit=2":                    {revalidate, keepList.edge[0], "lists p:1 p:2"},
		"GET /products?limit=2&cursor=2":           {revalidate, keepDeep.edge[0], "lists p:3 p:4"},
		"GET /products?min_price=9999999":          {revalidate, keepList.edge[0], "lists"},
		"GET /products?ids=2,3,2":                  {revalidate, keepProduct.edge[0], "p:2 p:3"},
		"GET /products?ids=2,77":                   {revalidate, "max-age=5", "p:2 p:77"},
		"GET /products/facets?brand=Acme":          {revalidate, keepCounts.edge[0], "facets"},
		"GET /products/facets":                     {"no-cache", "max-age=1, stale-if-error=0", "facets"},
		"GET /products/1/stock":                    {"no-cache", "max-age=1, stale-if-error=0", "p:1 s:1"},
		"GET /openapi.json":                        {revalidate, keepDocument.edge[0], ""},
		"GET /products/99":                         {"no-store", "max-age=5", "p:99"},
		"GET /products/facets?limit=x&min_price=x": {"no-store", "", ""},
		"POST /products/batch":                     {none, "", ""},
		"POST /batch":                              {none, "", ""},
		"GET /cart":                                {none, "", ""},
		"GET /orders":                              {none, "", ""},
		"GET /queue":                               {none, "", ""},
		"GET /users/me":                            {"no-store", "", ""},
	} {
		method, path, _ := strings.Cut(call, " ")
		body := map[string]string{"/products/batch": `{"ids":[1]}`, "/batch": `{"requests":[{"method":"GET","path":"/products/1"}]}`}[path]
		a := b.do(method, path, body)
		if got := a.Header.Get("Cache-Control"); got != want.cache {
			t.Errorf("%s: Cache-Control %q, want %q", call, got, want.cache)
		}
		if got := a.Header.Get("Surrogate-Control"); got != want.edge {
			t.Errorf("%s: Surrogate-Control %q, want %q", call, got, want.edge)
		}
		if got := a.Header.Get("Surrogate-Key"); got != want.keys {
			t.Errorf("%s: Surrogate-Key %q, want %q", call, got, want.keys)
		}
		if want.edge != "" {
			b.sharedAlike(method, path, a)
		}
	}
}

// sharedAlike: the same for everybody, under any coding, with a validator of each.
func (b *bundle) sharedAlike(method, path string, plain answered) {
	b.t.Helper()
	if plain.Header.Get("Set-Cookie") != "" || plain.Header.Get("Vary") != "Accept-Encoding" {
		b.t.Errorf("%s: %v", path, plain.Header)
	}
	if a := b.admin(method, path, ""); a.Header.Get("Surrogate-Control") != "" || a.Header.Get("Surrogate-Key") != "" || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		b.t.Errorf("%s with Authorization: %v", path, a.Header)
	}
	if plain.StatusCode != http.StatusOK {
		return
	}
	for _, coding := range codings {
		a := b.want(b.do(method, path, "", "Accept-Encoding: "+coding), 200, "")
		if len(a.Header.Values("Vary")) != 1 || a.Header.Get("Vary") != "Accept-Encoding" || a.Header.Get("Surrogate-Key") != plain.Header.Get("Surrogate-Key") {
			b.t.Errorf("%s under %s: %v", path, coding, a.Header)
		}
		if decoded(b.t, a.Header.Get("Content-Encoding"), a.body) != string(plain.body) {
			b.t.Errorf("%s under %s is something else", path, coding)
		}
		n := b.want(b.do(method, path, "", "Accept-Encoding: "+coding, "If-None-Match: "+plain.Header.Get("ETag")), 304, "")
		if n.Header.Get("Surrogate-Control") != plain.Header.Get("Surrogate-Control") || n.Header.Get("Vary") != "Accept-Encoding" {
			b.t.Errorf("304 of %s: %v", path, n.Header)
		}
	}
}

// What is kept with a product is shared by all who ask for it, whatever they do with their answers' headers.
func TestRepresentationsAreShared(t *testing.T) {
	t.Parallel()
	e, err := shop.EncodeProduct(newFake().products[1])
	if err != nil {
		t.Fatal(err)
	}
	one := productRepresentation(e, 0)
	if productRepresentation(e, 0) != one || productRepresentation(e, 1) == one {
		t.Error("made again, or one for another")
	}
	v, coded := one.under("br")
	again, _ := one.under("br")
	if !coded || v != again || v.etag[0] != withCoding(one.etag(), "br") {
		t.Errorf("%+v", v)
	}
	if v, coded := productRepresentation(e, 1).under("br"); coded || string(v.body) != "{\"id\":1}\n" {
		t.Errorf("a short one is coded: %s", v.body)
	}
	h := http.Header{"Vary": varyCoding}
	h.Add("Vary", "Cookie")
	h.Set("Vary", "x")
	if len(varyCoding) != 1 || varyCoding[0] != "Accept-Encoding" {
		t.Error("a shared header was changed")
	}
}
