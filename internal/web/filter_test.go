package web

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Facets counts what passes the filters, as the fake's lists do.
func (f *fakeShop) Facets(ctx context.Context, q shop.ProductQuery) (shop.Facets, error) {
	q.Limit, q.Cursor = 1000, ""
	found, err := f.ListProducts(ctx, q)
	if err != nil {
		return shop.Facets{}, err
	}
	counts := shop.NewFacetCounts()
	for _, p := range found.Products {
		counts.Add(p.Category, p.Brand, p.Price, p.Availability, 1)
	}
	return counts.Facets(), nil
}

// passes tells whether a product passes the filters of a query.
func passes(p shop.Product, q shop.ProductQuery) bool {
	return (q.Brand == "" || p.Brand == q.Brand) && (q.MinPrice == nil || p.Price >= *q.MinPrice) && (q.MaxPrice == nil || p.Price <= *q.MaxPrice) &&
		(q.InStock == nil || (p.Availability != shop.SoldOut) == *q.InStock)
}

// A shopper narrows a list down, step by step, by links alone, and takes a step back.
func TestListIsNarrowedDown(t *testing.T) {
	t.Parallel()
	products := sample(60)
	for i := range products {
		if i%2 == 0 {
			products[i].Brand = "Sole & Son"
		}
	}
	s := newShopper(t, newSite(t, newFakeShop(products...)))
	whole := s.get("/c/Kitchen")
	links := attrs(whole.doc, "a", "href")
	pick := func(part string, among []string) string {
		t.Helper()
		for _, l := range among {
			if u, err := url.Parse(l); err == nil && strings.Contains(u.RawQuery, part) && !strings.Contains(u.RawQuery, "sort=") {
				return l
			}
		}
		t.Fatalf("no link with %s among %v", part, among)
		return ""
	}
	one := s.get(pick("brand=Sole", links))
	if strings.Contains(one.body, "Hearth &amp; Co</span>") || !strings.Contains(one.body, "Sole &amp; Son") {
		t.Errorf("another brand is shown: %s", one.body)
	}
	two := s.get(pick("in_stock=1", attrs(one.doc, "a", "href")))
	if strings.Contains(two.body, "Sold out") || !strings.Contains(two.Request.URL.RawQuery, "brand=Sole") {
		t.Errorf("%s: %s", two.Request.URL, two.body)
	}
	if !strings.Contains(two.body, `aria-current="true"`) || !strings.Contains(two.body, "Show everything again") {
		t.Error("what is chosen cannot be seen, or not be undone")
	}
	for _, l := range attrs(two.doc, "a", "href") {
		if strings.HasPrefix(l, "/c/Kitchen?brand=") && !strings.Contains(l, "in_stock") && !strings.Contains(l, "sort") && !strings.Contains(l, "cursor") {
			return // the step back
		}
	}
	t.Error("a filter cannot be taken away alone")
}

// What nothing passes says so, and what is not a filter of ours is not heeded.
func TestFiltersThatFindNothing(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(20)...)))
	if a := s.get("/c/Toys?brand=Nobody"); a.StatusCode != 200 || !strings.Contains(a.body, "Nothing is left") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	plainly, odd := s.get("/c/Toys"), s.get("/c/Toys?min_price=cheap&max_price=-5&in_stock=maybe&x=1")
	if plainly.body != odd.body {
		t.Error("what is no filter changed the list")
	}
}

// attrs are the values that an attribute has on the page's elements of a name.
func attrs(doc *html.Node, tag, name string) (list []string) {
	each(doc, tag, func(attr map[string]string) { list = append(list, attr[name]) })
	return list
}
