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
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1 // one backend, whose time on the processor can be told
	pool, err := pgxpool.NewWithConfig(ctx, config)
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
	if err := pool.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		t.Fatal(err)
	}
	measureMillion(ctx, t, c, n)
}

// backend is the process that answers; onProcessor is the time it has run, where the system tells (Linux). On a busy
// machine that is the figure to look at: the time in the database includes waiting for a processor.
var backend int

func onProcessor() time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", backend))
	first, _, _ := strings.Cut(string(text), " ")
	ns, _ := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns)
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
		var at string // the cursor of a deep page
		for range m.deep {
			q := m.next(nil)
			q.Cursor = at
			p, err := c.ListProducts(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			at = p.Next
		}
		measure(ctx, t, m.name, func(ctx context.Context, rng *rand.Rand) error {
			q := m.next(rng)
			q.Cursor = at
			_, err := c.ListProducts(ctx, q)
			return err
		})
	}
	measure(ctx, t, "view", func(ctx context.Context, rng *rand.Rand) error {
		_, err := c.Product(ctx, int64(1+rng.IntN(n)))
		if shop.CodeOf(err) == shop.CodeNotFound {
			return nil
		}
		return err
	})
}

func pickOf(words ...string) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return words[r.IntN(len(words))] }
}

// measure runs fn, sums up what it reported as time in the database, and logs the percentiles.
func measure(ctx context.Context, t *testing.T, name string, fn func(context.Context, *rand.Rand) error) {
	rng := rand.New(rand.NewPCG(7, 7))
	var times, ran []time.Duration
	for i := range 60 {
		tctx, timing := shop.WithTiming(ctx)
		before := onProcessor()
		if err := fn(tctx, rng); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		var sum time.Duration
		for _, e := range timing.Entries() {
			sum += e.Dur
		}
		if i >= 5 { // connections, caches and catalogues warm
			times, ran = append(times, sum), append(ran, onProcessor()-before)
		}
	}
	slices.Sort(times)
	slices.Sort(ran)
	p50, p95 := len(times)/2, len(times)*95/100
	mark := ""
	if ran[p95] > 10*time.Millisecond || ran[p95] == 0 && times[p95] > 10*time.Millisecond {
		mark = "  <-- over 10 ms"
	}
	t.Logf("%-36s p50 %6.2f  p95 %6.2f ms in the database; p50 %6.2f  p95 %6.2f ms on the processor%s", name,
		ms(times[p50]), ms(times[p95]), ms(ran[p50]), ms(ran[p95]), mark)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
