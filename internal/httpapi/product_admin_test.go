package httpapi

import (
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestOnlyAdministratorsEdit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, call := range []string{"POST /products", "PUT /products/1", "PATCH /products/1", "DELETE /products/1", "PUT /products/1/stock"} {
		method, path, _ := strings.Cut(call, " ")
		for _, auth := range []string{"", "Bearer wrong", "Bearer", "Basic " + adminToken, adminToken, "Bearer " + adminToken + "x"} {
			a := b.want(b.do(method, path, `{}`, "Authorization: "+auth), 401, shop.CodeUnauthorized)
			if !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s: %v", call, a.Header)
			}
		}
	}
	if b.shop.edits != 0 {
		t.Error("something was edited")
	}
	d := deps(t, newFake())
	d.AdminToken = ""
	a, err := newAPI(d)
	if err != nil {
		t.Fatal(err)
	}
	c := &call{w: &nullWriter{}, r: request("GET", "Authorization", "Bearer ")}
	if a.authorize(c) == nil {
		t.Error("no token lets everybody in")
	}
}

func TestCreateProduct(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.want(b.admin("POST", "/products", `{"sku":"N-1","name":"New","price":1999,"category":"a/b","attributes":{"size":[1,2.5e3,null]},"stock":7}`), 201, "")
	p := into[shop.Product](t, a)
	if p.ID != 6 || a.Header.Get("Location") != "/products/6" || string(p.Attributes) != `{"size":[1,2.5e3,null]}` {
		t.Errorf("%+v at %s", p, a.Header.Get("Location"))
	}
	if b.shop.stock[6] != 7 {
		t.Error("stock was not set")
	}
	if p.Availability != shop.LowStock {
		t.Errorf("7 units are %s", p.Availability)
	}
	p.Availability = shop.LowStock
	b.shop.products[6] = p // as the worker does
	if got := b.do("GET", "/products/6", "").Header.Get("ETag"); got != a.Header.Get("ETag") {
		t.Errorf("ETag of POST %s, of GET %s", a.Header.Get("ETag"), got)
	}
	b.want(b.admin("POST", "/products", `{"sku":"N-1","name":"Again","price":1}`), 409, shop.CodeSKUTaken)
}

func TestProductValidation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const ok = `"sku":"S","name":"N","price":1`
	for body, field := range map[string]string{
		`{"name":"N","price":1}`: "sku", `{"sku":"","name":"N","price":1}`: "sku", `{"sku":"S","name":" ","price":1}`: "name",
		`{"sku":"S","name":"N"}`: "price", `{"sku":"S","name":"N","price":-1}`: "price", `{"sku":"S","name":"N","price":1.5}`: "price",
		`{"sku":"S","name":"N","price":"1"}`: "price", `{"sku":"S","name":"N","price":null}`: "price",
		`{` + ok + `,"currency":"usd"}`: "currency", `{` + ok + `,"category":"a//b"}`: "category", `{` + ok + `,"colour":1}`: "colour",
		`{` + ok + `,"Brand":"x"}`: "Brand", `{` + ok + `,"rating":6}`: "rating", `{` + ok + `,"attributes":[]}`: "attributes",
		`{` + ok + `,"attributes":{"a":"x\u0000"}}`: "attributes.a", `{` + ok + `,"attributes":{"n":1e9999}}`: "attributes.n",
		`{` + ok + `,"slug":"Not A Slug"}`: "slug", `{` + ok + `,"image_url":"javascript:alert(1)"}`: "image_url", `{` + ok + `,"stock":-1}`: "stock",
		`{` + ok + `,"description":"a\u0000"}`: "description", `{` + ok + `,"attributes":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40) + `}`: "attributes" + strings.Repeat(".a", 33),
		`[]`: "body", `null`: "body", `"x"`: "body",
	} {
		p := b.want(b.admin("POST", "/products", body), 422, shop.CodeInvalid).problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%.80s: %+v, want field %s", body, p.Errors, field)
		}
	}
	p := b.want(b.admin("POST", "/products", `{"x":1,"price":"a"}`), 422, shop.CodeInvalid).problem(t)
	if len(p.Errors) != 4 {
		t.Errorf("not all errors at once: %+v", p.Errors)
	}
}

func TestEditsAndIfMatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.do("GET", "/products/2", "", "Accept-Encoding: zstd")
	tag := a.Header.Get("ETag")
	if !strings.HasSuffix(tag, `-zstd"`) {
		t.Fatalf("ETag %s is not that of the coding", tag)
	}
	plain := b.do("GET", "/products/2", "").Header.Get("ETag")
	b.want(b.admin("PATCH", "/products/2", `{"price":5}`, `If-Match: "1-0123456789abcdef"`), 412, shop.CodePreconditionFailed)
	b.want(b.admin("PATCH", "/products/2", `{"price":5}`, `If-Match: "other"`), 412, shop.CodePreconditionFailed)
	b.want(b.admin("PATCH", "/products/2", `{"price":5}`, `If-Match: W/`+plain), 412, shop.CodePreconditionFailed)
	b.want(b.admin("PATCH", "/products/2", `{"price":5}`, `If-Match: nonsense`), 400, shop.CodeMalformed)
	b.want(b.admin("PATCH", "/products/99", `{"price":5}`, `If-Match: *`), 404, shop.CodeNotFound)

	a = b.want(b.admin("PATCH", "/products/2", `{"price":5}`, "If-Match: "+tag, "Content-Type: application/merge-patch+json"), 200, "")
	if p := into[shop.Product](t, a); p.Price != 5 || p.Version != 3 || p.SKU != "SKU-2" {
		t.Errorf("%+v", p)
	}
	b.want(b.admin("PUT", "/products/2", string(a.body), "If-Match: "+plain), 412, shop.CodePreconditionFailed)
	a = b.want(b.admin("PUT", "/products/2", strings.Replace(string(a.body), `"price":5`, `"price":6`, 1), `If-Match: "9-0123456789abcdef", `+a.Header.Get("ETag")), 200, "")
	if p := into[shop.Product](t, a); p.Price != 6 || p.Version != 4 {
		t.Errorf("%+v", p)
	}
	b.want(b.admin("PUT", "/products/2", `{"id":3,"sku":"S","name":"N","price":1}`), 422, shop.CodeInvalid)
	b.want(b.admin("PUT", "/products/99", `{"sku":"S","name":"N","price":1}`), 404, shop.CodeNotFound)
	b.want(b.admin("PATCH", "/products/2", `{"price":null}`), 422, shop.CodeInvalid)
	b.want(b.admin("PATCH", "/products/2", `{"version":9}`), 422, shop.CodeInvalid)
	b.want(b.admin("PATCH", "/products/2", `{"brand":null}`), 200, "")

	b.want(b.admin("DELETE", "/products/2", "", "If-Match: "+a.Header.Get("ETag")), 412, shop.CodePreconditionFailed)
	b.want(b.admin("DELETE", "/products/2", "", "If-Match: *"), 204, "")
	b.want(b.admin("DELETE", "/products/2", ""), 404, shop.CodeNotFound)
	b.want(b.do("GET", "/products/2", ""), 404, shop.CodeNotFound)
}

func TestStock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.want(b.do("GET", "/products/3/stock", ""), 200, "")
	if string(a.body) != `{"product_id":3,"available":100}`+"\n" || a.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%s %v", a.body, a.Header)
	}
	b.want(b.admin("PUT", "/products/3/stock", `{"available":0}`), 200, "")
	if s := into[stockAnswer](t, b.do("GET", "/products/3/stock", "", "If-None-Match: "+a.Header.Get("ETag"))); s.Available != 0 {
		t.Errorf("%+v", s)
	}
	b.want(b.admin("PUT", "/products/99/stock", `{"available":1}`), 404, shop.CodeNotFound)
	for _, body := range []string{`{"available":-1}`, `{"available":1000000001}`, `{}`, `{"available":"1"}`, `{"available":1,"x":1}`} {
		b.want(b.admin("PUT", "/products/3/stock", body), 422, shop.CodeInvalid)
	}
}
