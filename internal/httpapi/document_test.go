package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stampede-shop/stampede/internal/shop"
)

func operation(d *document, r *route) *huma.Operation {
	item := d.api.Paths[r.path]
	return map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[r.method]
}

// interfaceCalls are those of the public interface that this package answers.
var interfaceCalls = []string{
	"GET /products", "GET /products/facets", "GET /products/{id}", "POST /products/batch", "POST /products", "PUT /products/{id}", "PATCH /products/{id}",
	"DELETE /products/{id}", "GET /campaigns", "PUT /campaigns/{slug}", "DELETE /campaigns/{slug}", "GET /products/{id}/stock", "PUT /products/{id}/stock", "POST /cart/add", "GET /cart",
	"PATCH /cart/items/{product_id}", "DELETE /cart/items/{product_id}", "DELETE /cart", "POST /orders/checkout", "GET /orders",
	"GET /orders/{id}", "POST /orders/{id}/cancel", "POST /users", "POST /users/login", "POST /users/logout", "GET /users/me",
	"PATCH /users/me", "POST /batch", "POST /events", "GET /queue", "GET /openapi.json", "GET /problems/{code}",
}

func TestDocumentHasEveryCall(t *testing.T) {
	t.Parallel()
	raw, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenAPI()
	if err != nil || !bytes.Equal(raw, again) {
		t.Fatalf("the document is not the same twice (%v)", err)
	}
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string         `json:"operationId"`
			Summary     string         `json:"summary"`
			Responses   map[string]any `json:"responses"`
		} `json:"paths"`
		Components struct{ Schemas map[string]any } `json:"components"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %q", doc.OpenAPI)
	}
	var have []string
	for path, item := range doc.Paths {
		for method, op := range item {
			have = append(have, strings.ToUpper(method)+" "+path)
			if op.OperationID == "" || op.Summary == "" || len(op.Responses) < 3 {
				t.Errorf("%s %s is poorly described: %+v", method, path, op)
			}
		}
	}
	want := slices.Sorted(slices.Values(interfaceCalls))
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("calls in the document:\n%v\nwant\n%v", have, want)
	}
	for _, ref := range regexp.MustCompile(`"\$ref": "([^"]*)"`).FindAllStringSubmatch(string(raw), -1) {
		name, ok := strings.CutPrefix(ref[1], "#/components/schemas/")
		if !ok || doc.Components.Schemas[name] == nil {
			t.Errorf("the reference %s leads nowhere", ref[1])
		}
	}
}

func TestEveryDocumentedCallIsMounted(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	if err := Register(mux, deps(t, newFake())); err != nil {
		t.Fatal(err)
	}
	patterns := Patterns()
	for _, call := range interfaceCalls {
		method, path, _ := strings.Cut(call, " ")
		if !slices.Contains(patterns, path) {
			t.Errorf("Patterns lacks %s", path)
		}
		r := httptest.NewRequest(method, strings.NewReplacer("{id}", "1", "{product_id}", "1", "{code}", "x").Replace(path), nil)
		if _, pattern := mux.Handler(r); pattern != path {
			t.Errorf("%s is answered by %q", call, pattern)
		}
	}
}

func TestEveryCodeHasOnePlace(t *testing.T) {
	t.Parallel()
	for _, code := range []shop.Code{shop.CodeInvalid, shop.CodeMalformed, shop.CodeNotFound, shop.CodeConflict, shop.CodeEmailTaken,
		shop.CodeSKUTaken, shop.CodeOutOfStock, shop.CodePriceChanged, shop.CodeNotCancellable, shop.CodePaymentDeclined, shop.CodeEmptyCart,
		shop.CodeIdempotencyMismatch, shop.CodePreconditionFailed, shop.CodeUnauthorized, shop.CodeForbidden, shop.CodeTooManyRequests,
		shop.CodeUnavailable, shop.CodeInternal} {
		if k, ok := kinds[code]; !ok || k.status < 400 || k.title == "" || k.help == "" {
			t.Errorf("%s: %+v", code, k)
		}
	}
}

func TestDepsAreNeeded(t *testing.T) {
	t.Parallel()
	_, err := New(Deps{})
	if err == nil || !strings.Contains(err.Error(), "Deps.Checkouts") || !strings.Contains(err.Error(), "Deps.Users") {
		t.Errorf("got %v", err)
	}
}

func TestOpenAPIAndProblemsAreServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want, _ := OpenAPI()
	a := b.want(b.do("GET", "/openapi.json", ""), 200, "")
	if !bytes.Equal(a.body, want) || a.Header.Get("ETag") == "" {
		t.Error("another document than OpenAPI()")
	}
	b.want(b.do("GET", "/openapi.json", "", "If-None-Match: "+a.Header.Get("ETag")), 304, "")
	p := into[problemAnswer](t, b.want(b.do("GET", "/problems/out-of-stock", ""), 200, ""))
	if p.Status != 409 || p.Description == "" {
		t.Errorf("%+v", p)
	}
	b.want(b.do("GET", "/problems/nonsense", ""), 404, shop.CodeNotFound)
	q := into[queueAnswer](t, b.want(b.do("GET", "/queue", ""), 200, ""))
	if q != (queueAnswer{Admitted: true}) {
		t.Errorf("%+v", q)
	}
}
