package cached

import (
	"context"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/shop"
)

// productSchema is the version of what Redis holds: raise it whenever shop.Product or shop.ProductPage changes its meaning.
const productSchema = 1

// Products is a shop.ProductReader behind the cache.
type Products struct {
	next    shop.ProductReader
	product *cache.Family[shop.Product]
	list    *cache.Family[shop.ProductPage]
	deep    *cache.Family[shop.ProductPage]
}

var _ shop.ProductReader = (*Products)(nil)

// NewProducts puts s in front of next.
func NewProducts(next shop.ProductReader, s *cache.Store, o Options) *Products {
	o = o.withDefaults()
	return &Products{
		next: next,
		product: cache.New[shop.Product](s, "product", cache.FamilyOptions{TTL: o.ProductTTL, L1Bytes: o.L1Bytes, Schema: productSchema,
			NotFound: isNotFound, NegativeTTL: o.AbsentTTL,
			Absent: func(key string) error { return shop.NotFound("product", key) }}),
		list: cache.New[shop.ProductPage](s, "list", cache.FamilyOptions{TTL: o.ListTTL, L1Bytes: o.L1Bytes / 2, Schema: productSchema}),
		deep: cache.New[shop.ProductPage](s, "deep", cache.FamilyOptions{TTL: o.DeepTTL, L1Bytes: o.L1Bytes / 8, Schema: productSchema}),
	}
}

// Product returns one product, or CodeNotFound, which is cached as well.
func (c *Products) Product(ctx context.Context, id int64) (shop.Product, error) {
	key := shop.ProductKey(id)
	if p, ok := c.product.Peek(key); ok {
		shop.Observe(ctx, "l1", "hit", 0)
		return p, nil
	}
	start := time.Now()
	p, src, err := c.product.Get(ctx, key, func(ctx context.Context) (shop.Product, []string, error) {
		p, err := c.next.Product(ctx, id)
		return p, []string{TagProduct(id)}, err
	})
	observe(ctx, src, true, start)
	return p, answer(ctx, err)
}

// Products returns those of ids that exist, in the order asked.
func (c *Products) Products(ctx context.Context, ids []int64) ([]shop.Product, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = shop.ProductKey(id)
	}
	start := time.Now()
	found, src, err := c.product.GetMany(ctx, keys, c.loadMany)
	observe(ctx, src, true, start)
	if err != nil {
		return nil, answer(ctx, err)
	}
	out := make([]shop.Product, 0, len(ids))
	for _, k := range keys {
		if p, ok := found[k]; ok {
			out = append(out, p)
		}
	}
	return out, nil
}

func (c *Products) loadMany(ctx context.Context, missing []string) (map[string]cache.Loaded[shop.Product], error) {
	ids := make([]int64, len(missing))
	for i, k := range missing {
		ids[i] = parseID(k)
	}
	products, err := c.next.Products(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]cache.Loaded[shop.Product], len(ids))
	for i, id := range ids {
		out[missing[i]] = cache.Loaded[shop.Product]{Absent: true, Tags: []string{TagProduct(id)}}
	}
	for _, p := range products {
		out[shop.ProductKey(p.ID)] = cache.Loaded[shop.Product]{Value: p, Tags: []string{TagProduct(p.ID)}}
	}
	return out, nil
}

// ListProducts returns one page. Queries that mean the same share it.
func (c *Products) ListProducts(ctx context.Context, q shop.ProductQuery) (shop.ProductPage, error) {
	family := c.list
	if q.Cursor != "" {
		family = c.deep
	}
	start := time.Now()
	page, src, err := family.Get(ctx, queryKey(q), func(ctx context.Context) (shop.ProductPage, []string, error) {
		page, err := c.next.ListProducts(ctx, q)
		ids := make([]int64, len(page.Products))
		for i, p := range page.Products {
			ids[i] = p.ID
		}
		return page, ProductTags(ids...), err
	})
	observe(ctx, src, true, start)
	return page, answer(ctx, err)
}
