package httpapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestListProducts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.want(b.do("GET", "/products?limit=2&q=Thing&cursor=", ""), 200, "")
	if page := into[[]shop.Product](t, a); len(page) != 2 || page[0].ID != 1 || string(page[0].Attributes) != "{}" || page[0].CreatedAt.Location().String() != "UTC" {
		t.Errorf("first page %+v", page)
	}
	if a.Header.Get("X-Next-Cursor") != "2" || a.Header.Get("Link") != `</products?cursor=2&limit=2&q=Thing>; rel="next"` {
		t.Errorf("next: %q %q", a.Header.Get("X-Next-Cursor"), a.Header.Get("Link"))
	}
	if !strings.Contains(string(a.body), "<1> & more") {
		t.Error("HTML characters are escaped")
	}
	var ids []int64
	for path := "/products?limit=2"; path != ""; {
		a := b.want(b.do("GET", path, ""), 200, "")
		for _, p := range into[[]shop.Product](t, a) {
			ids = append(ids, p.ID)
		}
		path = strings.TrimPrefix(strings.TrimSuffix(a.Header.Get("Link"), `>; rel="next"`), "<")
	}
	if !slices.Equal(ids, []int64{1, 2, 3, 4, 5}) {
		t.Errorf("walking the pages gave %v", ids)
	}
	if a := b.do("GET", "/products?min_price=999999", ""); string(a.body) != "[]\n" {
		t.Errorf("an empty page is %s", a.body)
	}
}

func TestWrongParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for query, field := range map[string]string{
		"limit=abc": "limit", "limit=0": "limit", "limit=101": "limit", "limit=99999999999999999999": "limit", "min_price=-1": "min_price",
		"max_price=1.5": "max_price", "in_stock=maybe": "in_stock", "sort=cheap": "sort", "cursor=nonsense": "cursor",
		"q=" + strings.Repeat("x", 201): "q", "q=a%00b": "q", "q=%ff": "q", "brand=a%0ab": "brand", "fields=id,nope": "fields", "ids=1,x": "ids",
		"ids=" + strings.Repeat("1,", 101): "ids", "cursor=" + strings.Repeat("1", 1025): "cursor",
	} {
		p := b.want(b.do("GET", "/products?"+query, ""), 422, shop.CodeInvalid).problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != field || p.Errors[0].Message == "" {
			t.Errorf("%s: %+v", query, p.Errors)
		}
	}
	p := b.want(b.do("GET", "/products?limit=x&sort=y", ""), 422, shop.CodeInvalid).problem(t)
	if len(p.Errors) != 2 {
		t.Errorf("not all errors at once: %+v", p.Errors)
	}
	b.want(b.do("GET", "/products?q=%zz", ""), 400, shop.CodeMalformed)
	for _, fine := range []string{"unknown=1", "limit=&sort=&in_stock=&min_price=&ids2=", "q=a;b", "in_stock=0", "sort=-price"} {
		b.want(b.do("GET", "/products?"+fine, ""), 200, "")
	}
}

func TestProjection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if a := b.want(b.do("GET", "/products/2?fields=price,id,price", ""), 200, ""); string(a.body) != `{"id":2,"price":200}`+"\n" {
		t.Errorf("got %s", a.body)
	}
	if a := b.do("GET", "/products?fields=sku&limit=2", ""); string(a.body) != `[{"sku":"SKU-1"},{"sku":"SKU-2"}]`+"\n" {
		t.Errorf("got %s", a.body)
	}
	full, projected := b.do("GET", "/products/2", ""), b.do("GET", "/products/2?fields="+strings.Join(shop.ProductMembers, ","), "")
	if string(full.body) != string(projected.body) {
		t.Errorf("all fields differ from no fields:\n%s\n%s", full.body, projected.body)
	}
	p := b.want(b.do("GET", "/products/2?fields=colour", ""), 422, shop.CodeInvalid).problem(t)
	if !strings.Contains(p.Detail, "colour") {
		t.Errorf("the field is not named: %s", p.Detail)
	}
}

func TestManyProducts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, a := range []answered{
		b.do("GET", "/products?ids=3,77,1,3,-1,77&fields=id", ""),
		b.do("POST", "/products/batch", `{"ids":[3,77,1,3,-1,77],"fields":["id"]}`),
	} {
		b.want(a, 200, "")
		if string(a.body) != `[{"id":3},{"id":1},{"id":3}]`+"\n" || a.Header.Get("X-Missing-Ids") != "77,-1" {
			t.Errorf("got %s, missing %q", a.body, a.Header.Get("X-Missing-Ids"))
		}
	}
	if a := b.do("GET", "/products?ids=3,77", ""); a.Header.Get("Surrogate-Key") != "p:3 p:77" {
		t.Errorf("keys %q", a.Header.Get("Surrogate-Key"))
	}
	for _, a := range []answered{b.do("GET", "/products?ids=", ""), b.do("POST", "/products/batch", `{"ids":[]}`)} {
		if b.want(a, 200, ""); string(a.body) != "[]\n" || a.Header.Get("X-Missing-Ids") != "" {
			t.Errorf("no ids give %s", a.body)
		}
	}
	b.want(b.do("POST", "/products/batch", `{"ids":[1],"fields":["nope"]}`), 422, shop.CodeInvalid)
	b.want(b.do("POST", "/products/batch", `{"ids":[`+strings.Repeat("1,", 100)+`1]}`), 422, shop.CodeInvalid)
	b.want(b.do("POST", "/products/batch", `{}`), 422, shop.CodeInvalid)
}

func TestProductNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/products/99", "/products/abc", "/products/0", "/products/-1", "/products/01", "/products/1.0",
		"/products/99999999999999999999", "/products/99/stock", "/products/x/stock"} {
		b.want(b.do("GET", path, ""), 404, shop.CodeNotFound)
	}
}

func TestCatalogueIsSharedAndValidated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/products", "/products/1", "/products/1?fields=name", "/products?ids=1,2", "/products/1/stock"} {
		a := b.want(b.do("GET", path, "", "Cookie: sid=whatever"), 200, "")
		tag := a.Header.Get("ETag")
		if len(tag) < 10 || tag[0] != '"' {
			t.Errorf("%s: ETag %q", path, tag)
		}
		if a.Header.Get("Set-Cookie") != "" || strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Cookie") {
			t.Errorf("%s depends on a cookie: %v", path, a.Header)
		}
		if !strings.HasSuffix(path, "/stock") && (!strings.HasPrefix(a.Header.Get("Cache-Control"), "public") ||
			a.Header.Get("Surrogate-Control") == "" || !strings.Contains(a.Header.Get("Surrogate-Key"), "p:1")) {
			t.Errorf("%s is not shared: %v", path, a.Header)
		}
		for _, inm := range []string{tag, "W/" + tag, `"other", ` + tag, "*", strings.TrimSuffix(tag, `"`) + `-br"`} {
			n := b.want(b.do("GET", path, "", "If-None-Match: "+inm), 304, "")
			if len(n.body) != 0 || !strings.HasPrefix(n.Header.Get("ETag"), strings.TrimSuffix(tag, `"`)) || n.Header.Get("Cache-Control") != a.Header.Get("Cache-Control") {
				t.Errorf("%s If-None-Match %s: %v", path, inm, n.Header)
			}
		}
		b.want(b.do("GET", path, "", `If-None-Match: "other"`), 200, "")
		head := b.want(b.do("HEAD", path, ""), 200, "")
		if head.Header.Get("ETag") != tag || head.ContentLength != a.ContentLength || len(head.body) != 0 {
			t.Errorf("HEAD %s: %v", path, head.Header)
		}
		if auth := b.admin("GET", path, ""); strings.HasPrefix(auth.Header.Get("Cache-Control"), "public") || auth.Header.Get("Surrogate-Key") != "" {
			t.Errorf("%s with Authorization is shared: %v", path, auth.Header)
		}
	}
}

func TestETagChangesWithAvailability(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.do("GET", "/products/1", "").Header.Get("ETag")
	b.shop.mu.Lock()
	p := b.shop.products[1]
	p.Availability = shop.SoldOut
	b.shop.products[1] = p
	b.shop.mu.Unlock()
	after := b.want(b.do("GET", "/products/1", "", "If-None-Match: "+before), 200, "").Header.Get("ETag")
	v1, _ := etagVersion(before)
	v2, _ := etagVersion(after)
	if before == after || v1 != 1 || v2 != 1 {
		t.Errorf("before %s after %s", before, after)
	}
}
