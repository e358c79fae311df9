package httpapi

import (
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestFacets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.want(b.do("GET", "/products/facets", ""), 200, "")
	f := into[shop.Facets](t, a)
	if f.Total != 5 || !f.Exact || len(f.Categories) != 2 || f.Brands[0] != (shop.FacetCount{Value: "Acme", Count: 5}) || len(f.Availability) != 3 {
		t.Errorf("%s", a.body)
	}
	if a.Header.Get("Surrogate-Key") != "facets" || a.Header.Get("Surrogate-Control") != "max-age=1, stale-if-error=0" || a.Header.Get("ETag") == "" {
		t.Errorf("%v", a.Header)
	}
	b.want(b.do("GET", "/products/facets", "", "If-None-Match: "+a.Header.Get("ETag")), 304, "")
	filtered := b.want(b.do("GET", "/products/facets?brand=nobody&sort=price&limit=3", ""), 200, "")
	if f := into[shop.Facets](t, filtered); f.Total != 0 || string(filtered.body[len(filtered.body)-2:]) != "}\n" || filtered.Header.Get("Surrogate-Control") == a.Header.Get("Surrogate-Control") {
		t.Errorf("%s %v", filtered.body, filtered.Header)
	}
	for _, bad := range []string{"min_price=x", "in_stock=maybe", "q=%ff"} {
		b.want(b.do("GET", "/products/facets?"+bad, ""), 422, shop.CodeInvalid)
	}
	if problem := b.do("POST", "/products/facets", ""); problem.StatusCode != 405 {
		t.Errorf("POST: %d", problem.StatusCode)
	}
}

func TestAShopThatDoesNotCount(t *testing.T) {
	t.Parallel()
	d := deps(t, newFake())
	d.Products = struct{ shop.ProductReader }{d.Products}
	if _, err := d.counter().EncodedFacets(t.Context(), shop.ProductQuery{}); shop.CodeOf(err) != shop.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

// What may be a second old says how old it may be already, so that a cache adds no more than what is left.
func TestWhatIsASecondOldIsDatedBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/products/1/stock", "/products/facets"} {
		before := time.Now()
		a := b.want(b.do("GET", path, ""), 200, "")
		date, err := time.Parse(time.RFC1123, a.Header.Get("Date"))
		if err != nil || date.After(time.Now().Add(-shop.ShownFor)) || date.Before(before.Add(-shop.ShownFor-time.Second)) {
			t.Errorf("%s: Date %v, %v", path, a.Header.Get("Date"), err)
		}
	}
}
