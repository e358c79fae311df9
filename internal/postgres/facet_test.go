package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// counted recounts the products that pass, in the same snapshot as the precomputed counts when both are read in tx.
func counted(ctx context.Context, tx pgx.Tx, passes func(p shop.Product) bool) (shop.Facets, error) {
	rows, err := tx.Query(ctx, "SELECT category, brand, price, availability FROM products WHERE deleted_at IS NULL")
	if err != nil {
		return shop.Facets{}, err
	}
	c := shop.NewFacetCounts()
	var p shop.Product
	_, err = pgx.ForEachRow(rows, []any{&p.Category, &p.Brand, &p.Price, &p.Availability}, func() error {
		if passes(p) {
			c.Add(p.Category, p.Brand, p.Price, p.Availability, 1)
		}
		return nil
	})
	return c.Facets(), err
}

func everything(shop.Product) bool { return true }

// reconcile compares, in one snapshot, what the triggers have counted with a recount.
func (s *depot) reconcile(ctx context.Context) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		got, err := postgres.Totals(ctx, tx)
		if err != nil {
			return err
		}
		want, err := counted(ctx, tx, everything)
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			return fmt.Errorf("precomputed counts are not those of a recount: %s", diff)
		}
		return err
	})
}

var facetCategories = []string{"", "a", "a/b", "a/b/c", "a b", "z/'; --"}

func anyProduct(r *rand.Rand, sku string) shop.NewProduct {
	return shop.NewProduct{SKU: sku, Name: "Thing " + sku, Category: facetCategories[r.IntN(len(facetCategories))],
		Brand: []string{"", "Acme", "Bolt"}[r.IntN(3)], Price: []int64{0, 999, 1000, 4999, 100_000, 5_000_000}[r.IntN(6)]}
}

// edit does one random thing to the catalogue.
func (s *depot) edit(ctx context.Context, r *rand.Rand, who int) error {
	id := int64(1 + r.IntN(40))
	switch r.IntN(8) {
	case 0, 1:
		_, err := s.CreateProduct(ctx, "t", anyProduct(r, fmt.Sprint(who, "-", r.Uint32())))
		return err
	case 2, 3:
		n := anyProduct(r, "")
		patch, _ := json.Marshal(map[string]any{"category": n.Category, "brand": n.Brand, "price": n.Price})
		_, err := s.PatchProduct(ctx, "t", id, patch, 0)
		return err
	case 4:
		return s.DeleteProduct(ctx, "t", id, 0)
	case 5:
		_, err := s.FoldFacets(ctx)
		return err
	case 6:
		_, err := s.Import(ctx, func(yield func(shop.CatalogItem) bool) {
			for range 12 {
				if !yield(shop.CatalogItem{Product: anyProduct(r, fmt.Sprint("import-", r.IntN(30))), Stock: int64(r.IntN(20))}) {
					return
				}
			}
		}, postgres.ImportOptions{BatchSize: 5})
		return err
	default:
		a := []shop.Availability{shop.InStock, shop.LowStock, shop.SoldOut}[r.IntN(3)]
		_, err := s.SetAvailability(ctx, id, a, r.Int64N(1<<40))
		return err
	}
}

func TestPrecomputedCountsEqualARecount(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	set := replica.New(s.pool, nil, replica.Options{})
	t.Cleanup(set.Close)
	s.Catalog = postgres.NewCatalog(set, postgres.CatalogOptions{WriteTimeout: 20 * time.Second}) // the depot's own is for one writer
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	done := make(chan struct{})
	var writers, watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			if err := s.reconcile(t.Context()); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for who := range 4 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(who)))
			for range 60 {
				switch err := s.edit(t.Context(), r, who); shop.CodeOf(err) {
				case "", shop.CodeNotFound, shop.CodeSKUTaken, shop.CodeUnavailable:
				default:
					t.Errorf("edit: %v", err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	watcher.Wait()
	s.settleCounts(t)
}

// settleCounts folds all changes and checks that nothing is left of them, and that the answer is right.
func (s *depot) settleCounts(t *testing.T) {
	t.Helper()
	for n := 1; n > 0; {
		var err error
		if n, err = s.FoldFacets(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var left int
	if err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM facet_deltas").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d changes are left, %v", left, err)
	}
	if err := s.reconcile(t.Context()); err != nil {
		t.Error(err)
	}
	got, err := s.Facets(t.Context(), shop.ProductQuery{Limit: 7, Sort: shop.SortPrice})
	if n, _ := s.Count(t.Context()); err != nil || got.Total != n || !got.Exact || n == 0 {
		t.Errorf("%d products counted, want %d, %v", got.Total, n, err)
	}
}

func TestCountsSurviveWhatDatabasesDo(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		s.create(t, anyProduct(r, fmt.Sprint("S-", i)))
	}
	for _, sql := range []string{"UPDATE products SET price = price * 3, category = 'moved'", "DELETE FROM products WHERE id % 3 = 0",
		"UPDATE products SET deleted_at = now() WHERE id % 4 = 0", "UPDATE products SET deleted_at = NULL WHERE id % 8 = 0",
		"UPDATE products SET price = 1 WHERE false", "TRUNCATE products"} {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		if err := s.reconcile(t.Context()); err != nil {
			t.Errorf("after %s: %v", sql, err)
		}
	}
}

// The bands are known to the database as well.
func TestPriceBandsAreTheShops(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	for _, low := range shop.PriceBands {
		for _, price := range []int64{low - 1, low, low + 1, low * 2} {
			var got int64
			if err := s.pool.QueryRow(t.Context(), "SELECT facet_band($1)", price).Scan(&got); err != nil || got != shop.PriceBandOf(price) {
				t.Errorf("%d lies in %d, want %d, %v", price, got, shop.PriceBandOf(price), err)
			}
		}
	}
}

func TestFilteredCounts(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 120 {
		p := s.create(t, anyProduct(r, fmt.Sprint("S-", i)))
		if _, err := s.SetAvailability(t.Context(), p.ID, []shop.Availability{shop.InStock, shop.LowStock, shop.SoldOut}[i%3], 1); err != nil {
			t.Fatal(err)
		}
	}
	low, high, yes, no := int64(1000), int64(5000), true, false
	for name, c := range map[string]struct {
		q      shop.ProductQuery
		passes func(shop.Product) bool
	}{
		"category":  {shop.ProductQuery{Category: "/a/b/"}, func(p shop.Product) bool { return p.Category == "a/b" || p.Category == "a/b/c" }},
		"brand":     {shop.ProductQuery{Brand: "Acme"}, func(p shop.Product) bool { return p.Brand == "Acme" }},
		"price":     {shop.ProductQuery{MinPrice: &low, MaxPrice: &high}, func(p shop.Product) bool { return p.Price >= low && p.Price <= high }},
		"in stock":  {shop.ProductQuery{InStock: &yes}, func(p shop.Product) bool { return p.Availability != shop.SoldOut }},
		"sold out":  {shop.ProductQuery{InStock: &no, Brand: "Bolt"}, func(p shop.Product) bool { return p.Availability == shop.SoldOut && p.Brand == "Bolt" }},
		"words":     {shop.ProductQuery{Q: "THING"}, everything},
		"all":       {shop.ProductQuery{Q: "thing", Category: "a", MaxPrice: &high}, func(p shop.Product) bool { return slices.Contains(facetCategories[1:4], p.Category) && p.Price <= high }},
		"nothing":   {shop.ProductQuery{Brand: "nobody"}, func(shop.Product) bool { return false }},
		"no word":   {shop.ProductQuery{Q: "xyzzyplugh"}, func(shop.Product) bool { return false }},
		"injection": {shop.ProductQuery{Category: "z/'; --"}, func(p shop.Product) bool { return p.Category == "z/'; --" }},
	} {
		var want shop.Facets
		err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) (err error) {
			want, err = counted(t.Context(), tx, c.passes)
			return err
		})
		got, err2 := s.Facets(t.Context(), c.q)
		if diff := cmp.Diff(want, got); err != nil || err2 != nil || diff != "" {
			t.Errorf("%s: %v %v %s", name, err, err2, diff)
		}
	}
	if _, err := s.Facets(t.Context(), shop.ProductQuery{MinPrice: &high, MaxPrice: &low}); shop.CodeOf(err) != shop.CodeInvalid {
		t.Errorf("an impossible range of prices: %v", err)
	}
}

// What is too much to count is estimated, and the answer says so.
func TestEstimatedCounts(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	const n = 3000
	_, err := s.Import(t.Context(), func(yield func(shop.CatalogItem) bool) {
		for i := range n {
			p := shop.NewProduct{SKU: fmt.Sprint("S-", i), Name: "Thing", Brand: []string{"Acme", "Bolt", "Bolt", "Bolt"}[i%4], Category: "a", Price: 500}
			if !yield(shop.CatalogItem{Product: p, Stock: int64(i % 2)}) {
				return
			}
		}
	}, postgres.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	for name, q := range map[string]shop.ProductQuery{"a brand": {Brand: "Bolt"}, "words and a brand": {Q: "thing", Brand: "Bolt"}} {
		want := int64(n * 3 / 4)
		f, err := s.FacetsWithin(t.Context(), q, 300, 300, 30, 20)
		if err != nil || f.Exact || f.Examined == 0 || f.Examined > 601 {
			t.Fatalf("%s: %v, %+v", name, err, f)
		}
		if f.Total < want*8/10 || f.Total > want*12/10 || f.Brands[0].Count != f.Total || len(f.Brands) != 1 {
			t.Errorf("%s: estimated %d of %v, want about %d", name, f.Total, f.Brands, want)
		}
	}
	f, err := s.FacetsWithin(t.Context(), shop.ProductQuery{InStock: &yes}, 10_000, 10_000, 1, 1)
	if err != nil || !f.Exact || f.Total != n/2 || f.Examined != 0 {
		t.Errorf("what fits is counted: %v, %+v", err, f)
	}
}
