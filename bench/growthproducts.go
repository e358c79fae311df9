package main

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/catalog"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

var growthProducts = []int{10_000, 100_000, 1_000_000}

// benchGrowthProducts sells, reads, lists and searches with 10⁴, 10⁵ and 10⁶ products on one server with four shards, nothing cached
// by us. Ours is the rate of checkouts with all of them, the anchor that with the fewest.
func benchGrowthProducts(ctx context.Context) (r result, err error) {
	servers, stop, err := startGrown(ctx, 1)
	if err != nil {
		return r, err
	}
	defer stop()
	shelves, err := openCatalog(ctx, servers[0])
	if err != nil {
		return r, err
	}
	defer shelves.close()
	b, err := openGrown(ctx, servers, shopShards, 1, false)
	if err != nil {
		return r, err
	}
	defer b.close()
	t := newTable("products", "what", "callers", "per s", "p50 ms", "p95 ms", "p99 ms", "MiB")
	details := map[string]any{}
	var rates [][]float64
	for _, n := range growthProducts {
		took, err := shelves.grow(ctx, n)
		if err != nil {
			return r, err
		}
		details[fmt.Sprintf("import_to_%d_s", n)] = took.Seconds()
		if err := b.stock(ctx, n); err != nil {
			return r, err
		}
		if err := b.warm(ctx, threeOf(n)); err != nil {
			return r, err
		}
		list, m, err := b.checkouts(ctx, servers, threeOf(n))
		if err != nil {
			return r, err
		}
		size, err := b.size(ctx)
		if err != nil {
			return r, err
		}
		t.add(n, "checkout of three", checkoutCallers, m.rate, m.p50, m.p95, m.p99, mib(size))
		rates = append(rates, list)
		if err := shelves.measure(ctx, n, t); err != nil {
			return r, err
		}
	}
	if err := b.balanced(ctx); err != nil {
		return r, err
	}
	return grown("checkouts/s", rates[0], rates[len(rates)-1], t, details), nil
}

// shelves is a catalogue's database.
type shelves struct {
	pool *pgxpool.Pool
	set  *replica.Set
	*postgres.Catalog
	have int
}

func openCatalog(ctx context.Context, s *pgServer) (*shelves, error) {
	if err := s.EnsureDatabases(ctx, []string{"catalog"}, nil); err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(ctx, s.DSN("catalog")+fmt.Sprintf("&pool_max_conns=%d", growthReaders))
	if err != nil {
		return nil, err
	}
	set := replica.New(pool, nil, replica.Options{})
	c := &shelves{pool: pool, set: set, Catalog: growingCatalog(set)}
	if err := postgres.MigrateCatalog(ctx, s.DSN("catalog")); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// growingCatalog gives imports of a million products the time they need.
func growingCatalog(set *replica.Set) *postgres.Catalog {
	return postgres.NewCatalog(set, postgres.CatalogOptions{ReadTimeout: 30 * time.Second, BatchTimeout: 10 * time.Minute})
}

func (c *shelves) close() {
	c.set.Close()
	c.pool.Close()
}

// grow imports until there are n products.
func (c *shelves) grow(ctx context.Context, n int) (time.Duration, error) {
	report, err := c.Import(ctx, newItems(c.have, n), postgres.ImportOptions{})
	c.have = n
	return report.Elapsed, err
}

// newItems are the generator's products from have up to n.
func newItems(have, n int) iter.Seq[shop.CatalogItem] {
	g := catalog.Generator{Seed: 1}
	return func(yield func(shop.CatalogItem) bool) {
		for i := have; i < n; i++ {
			if !yield(g.Item(i)) {
				return
			}
		}
	}
}

// measure reads, lists and searches.
func (c *shelves) measure(ctx context.Context, n int, t *table) error {
	var size int64
	if err := c.pool.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&size); err != nil {
		return err
	}
	ids, err := productIDs(ctx, c.pool)
	if err != nil {
		return err
	}
	g := catalog.Generator{Seed: 1}
	list := func(q func() shop.ProductQuery) func(context.Context) error {
		return func(ctx context.Context) error {
			page := q()
			page.Limit = 20
			_, err := c.ListProducts(ctx, page)
			return err
		}
	}
	words := []string{"steel", "headphones", "kettle", "parasol", "premium", "titan tent", "cotton duvet"}
	for _, w := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"read of one", func(ctx context.Context) error { _, err := c.Product(ctx, ids[rand.IntN(len(ids))]); return err }},
		{"list, first page", list(func() shop.ProductQuery { return shop.ProductQuery{Sort: "popular"} })},
		{"list of a category", list(func() shop.ProductQuery {
			return shop.ProductQuery{Sort: "popular", Category: g.Item(rand.IntN(n)).Product.Category}
		})},
		{"search", list(func() shop.ProductQuery { return shop.ProductQuery{Q: words[rand.IntN(len(words))]} })},
	} {
		m, err := hammerTimed(ctx, growthReaders, growthFor, w.do)
		if err != nil {
			return fmt.Errorf("%s: %w", w.what, err)
		}
		t.add(n, w.what, growthReaders, m.rate, m.p50, m.p95, m.p99, mib(size))
	}
	return nil
}
