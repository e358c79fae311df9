package cached

import (
	"context"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Facets counts what passes the filters of q.
func (c *Products) Facets(ctx context.Context, q shop.ProductQuery) (shop.Facets, error) {
	e, err := c.EncodedFacets(ctx, q)
	if err != nil {
		return shop.Facets{}, err
	}
	return e.Facets, nil
}

// EncodedFacets is Facets with its JSON. Those without filters are precomputed: they are read anew every few moments. Others
// are counted when asked for, and kept until the worker finds that counts have changed.
func (c *Products) EncodedFacets(ctx context.Context, q shop.ProductQuery) (*shop.EncodedFacets, error) {
	if c.counter == nil {
		return nil, shop.Errorf(shop.CodeUnavailable, "this shop does not count its products")
	}
	q = q.Filters()
	family, shared := c.totals, false
	if q.Narrows() {
		family, shared = c.facets, true
	}
	key, start := queryKey(q), time.Now()
	e, src, err := family.Get(ctx, key, func(ctx context.Context) (*shop.EncodedFacets, []string, error) {
		f, err := c.counter.Facets(ctx, q)
		if err != nil {
			return nil, nil, err
		}
		e, err := shop.EncodeFacets(f)
		return e, []string{TagFacets}, err
	})
	observe(ctx, src, shared, start)
	return e, answer(ctx, err)
}

var _ shop.EncodedFacetReader = (*Products)(nil)
