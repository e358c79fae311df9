package cached

import (
	"context"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/shop"
)

// productSchema is the version of what Redis holds: raise it whenever shop.Product, or how it or a page is encoded, changes
// its meaning.
const productSchema = 3

// Products is a shop.ProductReader behind the cache. It keeps products and pages with their JSON, so that this is made once
// for a version, not for a request: it is a shop.EncodedReader too. It counts as well, when what it stands before does.
type Products struct {
	next    shop.EncodedReader
	product *cache.Family[*shop.EncodedProduct]
	list    *cache.Family[*shop.EncodedPage]
	deep    *cache.Family[*shop.EncodedPage]

	counter shop.FacetReader // nil: next cannot count
	totals  *cache.Family[*shop.EncodedFacets]
	facets  *cache.Family[*shop.EncodedFacets]
}

var (
	_ shop.ProductReader = (*Products)(nil)
	_ shop.EncodedReader = (*Products)(nil)
	_ shop.FacetReader   = (*Products)(nil)
)

// NewProducts puts s in front of next.
func NewProducts(next shop.ProductReader, s *cache.Store, o Options) *Products {
	o = o.withDefaults()
	pages := func(ttl time.Duration, memory uint64) cache.FamilyOptions {
		return cache.FamilyOptions{TTL: ttl, StaleFor: ttl, L1Bytes: memory, Schema: productSchema, Size: weight}
	}
	c := &Products{
		next: shop.Encoding(next),
		product: cache.New[*shop.EncodedProduct](s, "product", cache.FamilyOptions{TTL: o.ProductTTL, L1Bytes: o.L1Bytes, Schema: productSchema,
			NotFound: isNotFound, NegativeTTL: o.AbsentTTL, Size: weight,
			Absent: func(key string) error { return shop.NotFound("product", key) }}),
		list: cache.New[*shop.EncodedPage](s, "list", pages(o.ListTTL, o.L1Bytes)),
		deep: cache.New[*shop.EncodedPage](s, "deep", pages(o.DeepTTL, o.L1Bytes/8)),
		// What is counted all the time may be shown whatever was purged: its time is that short.
		totals: cache.New[*shop.EncodedFacets](s, "totals", cache.FamilyOptions{TTL: o.TotalsTTL, L1Bytes: o.L1Bytes / 64, L1Only: true,
			AnyAge: true, Jitter: -1, LoadTimeout: time.Second, Size: weight}),
		facets: cache.New[*shop.EncodedFacets](s, "facets", pages(o.FacetTTL, o.L1Bytes/8)),
	}
	c.counter, _ = next.(shop.FacetReader)
	return c
}

// weight is the size of a value in memory.
func weight(v any) int { return v.(interface{ Weight() int }).Weight() }

// Product returns one product, or CodeNotFound, which is cached as well.
func (c *Products) Product(ctx context.Context, id int64) (shop.Product, error) {
	e, err := c.EncodedProduct(ctx, id)
	if err != nil {
		return shop.Product{}, err
	}
	return e.Product, nil
}

// EncodedProduct is Product with its JSON.
func (c *Products) EncodedProduct(ctx context.Context, id int64) (*shop.EncodedProduct, error) {
	key := shop.ProductKey(id)
	if e, ok := c.product.Peek(key); ok {
		shop.Observe(ctx, "l1", "hit", 0)
		return e, nil
	}
	start := time.Now()
	e, src, err := c.product.Get(ctx, key, func(ctx context.Context) (*shop.EncodedProduct, []string, error) {
		e, err := c.next.EncodedProduct(ctx, id)
		return e, []string{TagProduct(id)}, err
	})
	observe(ctx, src, true, start)
	return e, answer(ctx, err)
}

// Products returns those of ids that exist, in the order asked.
func (c *Products) Products(ctx context.Context, ids []int64) ([]shop.Product, error) {
	list, err := c.EncodedProducts(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]shop.Product, len(list))
	for i, e := range list {
		out[i] = e.Product
	}
	return out, nil
}

// EncodedProducts is Products with their JSON.
func (c *Products) EncodedProducts(ctx context.Context, ids []int64) ([]*shop.EncodedProduct, error) {
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
	out := make([]*shop.EncodedProduct, 0, len(ids))
	for _, k := range keys {
		if e, ok := found[k]; ok {
			out = append(out, e)
		}
	}
	return out, nil
}

func (c *Products) loadMany(ctx context.Context, missing []string) (map[string]cache.Loaded[*shop.EncodedProduct], error) {
	ids := make([]int64, len(missing))
	for i, k := range missing {
		ids[i] = parseID(k)
	}
	products, err := c.next.EncodedProducts(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]cache.Loaded[*shop.EncodedProduct], len(ids))
	for i, id := range ids {
		out[missing[i]] = cache.Loaded[*shop.EncodedProduct]{Absent: true, Tags: []string{TagProduct(id)}}
	}
	for _, e := range products {
		id := e.Product.ID
		out[shop.ProductKey(id)] = cache.Loaded[*shop.EncodedProduct]{Value: e, Tags: []string{TagProduct(id)}}
	}
	return out, nil
}
