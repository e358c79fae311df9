package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/catalog"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// TestMillion measures the catalogue with a million products (STAMPEDE_MILLION=1, or their number) on a server of its own
// with durability on: the time of the import, and p50 and p95 in the database of lists, searches and views.
func TestMillion(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("STAMPEDE_MILLION"))
	if n == 0 {
		t.Skip("set STAMPEDE_MILLION=1 to measure a million products; takes about two minutes")
	}
	if n == 1 {
		n = 1_000_000
	}
	dsn := os.Getenv("STAMPEDE_MILLION_DSN") // a server that has been filled before
	fill := dsn == "" || os.Getenv("STAMPEDE_MILLION_FILL") != ""
	if dsn == "" {
		server := localtest.PostgresWith(t, localtest.PostgresOptions{Durable: true, Settings: map[string]string{
			"shared_buffers": "1GB", "effective_cache_size": "8GB", "max_wal_size": "2GB", "maintenance_work_mem": "256MB",
			"work_mem": "8MB", "max_parallel_workers_per_gather": "0",
		}})
		dsn = server.Database(t)
	}
	ctx := t.Context()
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	set := replica.New(pool, nil, replica.Options{})
	t.Cleanup(set.Close)
	c := postgres.NewCatalog(set, postgres.CatalogOptions{ReadTimeout: 30 * time.Second, BatchTimeout: 10 * time.Minute})
	if fill {
		fillMillion(ctx, t, dsn, c, n)
	}
	measureMillion(ctx, t, c, n)
}

func fillMillion(ctx context.Context, t *testing.T, dsn string, c *postgres.Catalog, n int) {
	if err := postgres.MigrateCatalog(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	next := 100_000
	report, err := c.Import(ctx, catalog.Generator{Seed: 1}.Items(n), postgres.ImportOptions{Progress: func(r postgres.ImportReport) {
		if r.Done() >= int64(next) {
			t.Logf("%d products after %v", r.Done(), r.Elapsed.Round(time.Millisecond))
			next += 100_000
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("imported %d products in %v: %.0f/s", report.Inserted, report.Elapsed, float64(report.Inserted)/report.Elapsed.Seconds())
}

// million is one kind of request to measure; each call makes another one.
type million struct {
	name string
	next func(*rand.Rand) shop.ProductQuery
	deep int // pages to go before measuring
}

func measureMillion(ctx context.Context, t *testing.T, c *postgres.Catalog, n int) {
	yes, no := true, false
	category := func(rng *rand.Rand, levels int) string {
		path := catalog.Generator{Seed: 1}.Item(rng.IntN(n)).Product.Category
		return strings.Join(strings.Split(path, "/")[:levels], "/")
	}
	price := func(v int64) *int64 { return &v }
	var all []million
	for _, s := range []shop.Sort{"popular", "newest", "price", "-price", "rating"} {
		all = append(all,
			million{name: string(s), next: func(*rand.Rand) shop.ProductQuery { return shop.ProductQuery{Sort: s} }},
			million{name: string(s) + " page 50", deep: 50, next: func(*rand.Rand) shop.ProductQuery { return shop.ProductQuery{Sort: s} }},
			million{name: string(s) + " category/leaf", next: func(r *rand.Rand) shop.ProductQuery {
				return shop.ProductQuery{Sort: s, Category: category(r, 3)}
			}},
			million{name: string(s) + " category/top", next: func(r *rand.Rand) shop.ProductQuery {
				return shop.ProductQuery{Sort: s, Category: category(r, 1)}
			}},
			million{name: string(s) + " brand", next: func(r *rand.Rand) shop.ProductQuery {
				return shop.ProductQuery{Sort: s, Brand: catalog.Generator{Seed: 1}.Item(r.IntN(n)).Product.Brand}
			}},
			million{name: string(s) + " leaf+brand+price", next: func(r *rand.Rand) shop.ProductQuery {
				p := catalog.Generator{Seed: 1}.Item(r.IntN(n)).Product
				return shop.ProductQuery{Sort: s, Category: p.Category, Brand: p.Brand, MinPrice: price(p.Price / 2), MaxPrice: price(p.Price * 2), InStock: &yes}
			}},
			million{name: string(s) + " narrow price", next: func(r *rand.Rand) shop.ProductQuery {
				p := catalog.Generator{Seed: 1}.Item(r.IntN(n)).Product.Price
				return shop.ProductQuery{Sort: s, MinPrice: price(p), MaxPrice: price(p + 10)}
			}},
			million{name: string(s) + " sold out", next: func(r *rand.Rand) shop.ProductQuery {
				return shop.ProductQuery{Sort: s, InStock: &no}
			}},
		)
		for name, q := range map[string]func(*rand.Rand) string{
			"common word": pickOf("compact", "black", "premium", "cotton", "steel", "storage", "plastic"),
			"medium word": pickOf("headphones", "kettle", "zenith", "parasol", "turntable", "duvet"),
			"rare word":   pickOf("monopod", "aerox", "halberg", "fenvik", "galwood", "tunnel"),
			"two words":   pickOf("steel kettle", "wireless headphones", "black sofa", "cotton duvet", "aero lamp", "titan tent"),
			"three words": pickOf("premium black jacket", "compact steel knife", "navy yoga mat"),
			"typo":        pickOf("hedphones", "turntabel", "cotin duvet", "keyborad", "parasl", "smartphoen"),
			"disjoint":    pickOf("kettle sofa", "laptop duvet", "headphones cotton"),
		} {
			all = append(all, million{name: string(s) + " q " + name, next: func(r *rand.Rand) shop.ProductQuery {
				return shop.ProductQuery{Sort: s, Q: q(r)}
			}})
		}
		all = append(all, million{name: string(s) + " q common + leaf", next: func(r *rand.Rand) shop.ProductQuery {
			return shop.ProductQuery{Sort: s, Q: "premium", Category: category(r, 3)}
		}}, million{name: string(s) + " q common + price + stock", next: func(r *rand.Rand) shop.ProductQuery {
			return shop.ProductQuery{Sort: s, Q: "black", MinPrice: price(5000), MaxPrice: price(10000), InStock: &yes}
		}})
	}
	for _, m := range all {
		measure(ctx, t, m.name, func(ctx context.Context, rng *rand.Rand) error {
			q := m.next(rng)
			for range m.deep {
				p, err := c.ListProducts(context.Background(), q)
				if err != nil {
					return err
				}
				q.Cursor = p.Next
			}
			_, err := c.ListProducts(ctx, q)
			return err
		}, m.deep > 0)
	}
	measure(ctx, t, "view", func(ctx context.Context, rng *rand.Rand) error {
		_, err := c.Product(ctx, int64(1+rng.IntN(n)))
		if shop.CodeOf(err) == shop.CodeNotFound {
			return nil
		}
		return err
	}, false)
}

func pickOf(words ...string) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return words[r.IntN(len(words))] }
}

// measure runs fn, sums up what it reported as time in the database, and logs the percentiles.
func measure(ctx context.Context, t *testing.T, name string, fn func(context.Context, *rand.Rand) error, slow bool) {
	rng := rand.New(rand.NewPCG(7, 7))
	rounds := 60
	if slow {
		rounds = 10
	}
	var times []time.Duration
	for i := range rounds {
		tctx, timing := shop.WithTiming(ctx)
		if err := fn(tctx, rng); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		var sum time.Duration
		for _, e := range timing.Entries() {
			sum += e.Dur
		}
		if i >= 5 { // connections, caches and catalogues warm
			times = append(times, sum)
		}
	}
	slices.Sort(times)
	p95 := times[len(times)*95/100]
	mark := ""
	if p95 > 10*time.Millisecond {
		mark = "  <-- over 10 ms"
	}
	fmt.Printf("%-36s p50 %7.2f ms  p95 %7.2f ms  max %7.2f%s\n", name, ms(times[len(times)/2]), ms(p95), ms(times[len(times)-1]), mark)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
