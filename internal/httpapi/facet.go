package httpapi

import (
	"github.com/stampede-shop/stampede/internal/shop"
)

func (a *api) facetRoutes() []route {
	return []route{
		{method: "GET", path: "/products/facets", id: "countProducts", summary: "How many products there are of each kind",
			text: "Counts of the products that pass the filters, by category (with all below it), brand, price band and availability. " +
				"Without filters exact and at most a second old. With filters, when there is too much to count, estimated from a sample: then exact is false.",
			params:  append(filterParams(), ifNoneMatch),
			answers: []answer{{status: 200, doc: "The counts", body: shop.Facets{}, headers: []string{"ETag"}}, notModified}, handle: a.countProducts},
	}
}

func (a *api) countProducts(c *call) error {
	q, err := parseQuery(c.r)
	if err != nil {
		return err
	}
	pq := q.filters().Filters()
	if err := q.err(); err != nil {
		return err
	}
	e, err := a.facets.EncodedFacets(c.ctx(), pq)
	if err != nil {
		return err
	}
	keep := keepCounts
	if !pq.Narrows() {
		keep = keepSecond
		c.dated(a.Now())
	}
	return c.public(facetRepresentation(e), keep)
}

func facetRepresentation(e *shop.EncodedFacets) *representation {
	if kept, ok := e.Derived.Get(0).(*representation); ok {
		return kept
	}
	return e.Derived.Keep(0, newRepresentation(e.Line(), 0, keyFacets)).(*representation)
}
