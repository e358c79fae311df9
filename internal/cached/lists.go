package cached

import (
	"context"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// ListProducts returns one page. Queries that mean the same share it.
func (c *Products) ListProducts(ctx context.Context, q shop.ProductQuery) (shop.ProductPage, error) {
	p, err := c.EncodedList(ctx, q)
	if err != nil {
		return shop.ProductPage{}, err
	}
	return p.Page(), nil
}

// EncodedList is ListProducts with its JSON.
func (c *Products) EncodedList(ctx context.Context, q shop.ProductQuery) (*shop.EncodedPage, error) {
	q = q.Normal()
	family := c.list
	if q.Cursor != "" {
		family = c.deep
	}
	key := queryKey(q)
	if p, ok := family.Peek(key); ok {
		shop.Observe(ctx, "l1", "hit", 0)
		return p, nil
	}
	start := time.Now()
	page, src, err := family.Get(ctx, key, func(ctx context.Context) (*shop.EncodedPage, []string, error) {
		page, err := c.next.EncodedList(ctx, q)
		return page, listTags(page), err
	})
	observe(ctx, src, true, start)
	return page, answer(ctx, err)
}

// listTags are what makes a page stale: a change of any product, which may bring it in, take it out or move it. Those it
// shows are named as well, for whoever purges one product by hand.
func listTags(page *shop.EncodedPage) []string {
	tags := []string{TagLists}
	if page != nil {
		for _, p := range page.Products {
			tags = append(tags, TagProduct(p.Product.ID))
		}
	}
	return tags
}
