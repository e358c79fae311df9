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
		return page, listTags(q, page), err
	})
	observe(ctx, src, true, start)
	return page, answer(ctx, err)
}

// listTags are what makes a page stale: an edit of any product, which may bring it in or move it; an edit or a change of
// availability of one that it shows; and a change of any availability when that is what it was chosen by.
func listTags(q shop.ProductQuery, page *shop.EncodedPage) []string {
	tags := []string{TagLists}
	if q.InStock != nil {
		tags = append(tags, TagLevels)
	}
	if page != nil {
		for _, p := range page.Products {
			tags = append(tags, TagProduct(p.Product.ID))
		}
	}
	return tags
}
