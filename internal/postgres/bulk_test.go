package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stampede-shop/stampede/internal/catalog"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// warehouse keeps initial stock as a shard would: once for each product.
type warehouse struct {
	mu    sync.Mutex
	units map[int64]int64
	fail  error
}

func (w *warehouse) seed(_ context.Context, seeds []postgres.StockSeed) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	if w.units == nil {
		w.units = map[int64]int64{}
	}
	for _, s := range seeds {
		if _, known := w.units[s.ProductID]; !known {
			w.units[s.ProductID] = s.Units
		}
	}
	return nil
}

func items(n int) []shop.CatalogItem {
	return slices.Collect(catalog.Generator{Seed: 5, Stock: 7}.Items(n))
}

func counts(inserted, updated, unchanged, rejected int64) postgres.ImportReport {
	return postgres.ImportReport{Inserted: inserted, Updated: updated, Unchanged: unchanged, Rejected: rejected}
}

func (s *depot) load(t *testing.T, w *warehouse, all []shop.CatalogItem, want postgres.ImportReport) {
	t.Helper()
	var bad []string
	got, err := s.Import(t.Context(), slices.Values(all), postgres.ImportOptions{BatchSize: 300, Seed: w.seed,
		OnBad: func(i shop.CatalogItem, err error) { bad = append(bad, fmt.Sprint(i.Line, " ", err)) }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(postgres.ImportReport{}, "Elapsed")); diff != "" || int64(len(bad)) != want.Rejected {
		t.Fatalf("%s %v", diff, bad)
	}
}

func TestImportAgain(t *testing.T) {
	t.Parallel()
	s, w := newDepot(t), &warehouse{}
	all := items(1000)
	s.load(t, w, all, counts(1000, 0, 0, 0))
	if events := s.told(t); len(events) != 4 { // one for each batch
		t.Errorf("%d outbox rows", len(events))
	}
	s.load(t, w, all, counts(0, 0, 1000, 0))
	if events := s.told(t); len(events) != 0 {
		t.Errorf("unchanged products were told of: %v", events)
	}
	all[10].Product.Price++
	all[11].Product.Name = "Renamed Zyzzyva"
	all[12].Stock = 999
	all = append(all, shop.CatalogItem{Line: 7, Product: shop.NewProduct{SKU: "x"}},
		shop.CatalogItem{Product: shop.NewProduct{SKU: "fresh", Name: "Fresh"}, Stock: 3})
	s.load(t, w, all, counts(1, 2, 998, 1))
	if got := s.find(t, "zyzzyva"); !slices.Equal(got, []string{"Renamed Zyzzyva"}) {
		t.Errorf("found %v", got)
	}
	p, err := s.ListProducts(t.Context(), shop.ProductQuery{Sort: shop.SortNewest, Limit: 1})
	if err != nil || p.Products[0].SKU != "fresh" || p.Products[0].Availability != shop.LowStock {
		t.Errorf("newest is %+v, %v", p, err)
	}
	if len(w.units) != 1001 || !slices.Contains(slices.Collect(maps.Values(w.units)), 3) {
		t.Errorf("stock of %d products", len(w.units))
	}
	events := s.told(t)
	if len(events) != 3 || events[0].Version != 2 {
		t.Errorf("told of %v", events)
	}
}

// A crash between catalogue and stock is made up for by importing again.
func TestImportSeedsStockAfterACrash(t *testing.T) {
	t.Parallel()
	s, w := newDepot(t), &warehouse{fail: errors.New("crash")}
	all := items(700)
	report, err := s.Import(t.Context(), slices.Values(all), postgres.ImportOptions{BatchSize: 300, Seed: w.seed})
	if !errors.Is(err, w.fail) || report.Done() != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	w.fail = nil
	s.load(t, w, all, counts(400, 0, 300, 0))
	if len(w.units) != 700 {
		t.Errorf("stock of %d products, want 700", len(w.units))
	}
}

func TestImportKeepsTheLaterOfTwins(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	twins := []shop.CatalogItem{{Product: shop.NewProduct{SKU: "a", Name: "first"}}, {Product: shop.NewProduct{SKU: "a", Name: "second"}}}
	s.load(t, &warehouse{}, twins, counts(1, 0, 0, 0))
	if got := s.find(t, "second"); len(got) != 1 {
		t.Errorf("found %v", got)
	}
}

func TestImportsAtOnce(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := s.Import(t.Context(), slices.Values(items(900)), postgres.ImportOptions{BatchSize: 100}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n, err := s.Count(t.Context()); n != 900 || err != nil {
		t.Errorf("%d products, %v", n, err)
	}
}

func TestImportStopsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	ctx, cancel := context.WithCancel(t.Context())
	pulled := 0
	endless := func(yield func(shop.CatalogItem) bool) {
		for item := range (catalog.Generator{Seed: 1}).Items(1 << 30) {
			if pulled++; !yield(item) {
				return
			}
		}
	}
	_, err := s.Import(ctx, endless, postgres.ImportOptions{BatchSize: 50, Progress: func(postgres.ImportReport) { cancel() }})
	if err == nil {
		t.Error("an import that was cancelled reports success")
	}
}

// The real catalogue, where it is at hand.
func TestImportRealCatalogue(t *testing.T) {
	t.Parallel()
	path := os.Getenv("STAMPEDE_CATALOG")
	if path == "" {
		path = "../../../shared/data/catalog.ndjson"
	}
	f, err := os.Open(path)
	if err != nil {
		t.Skip("no real catalogue here; STAMPEDE_CATALOG may name one")
	}
	defer f.Close()
	r := catalog.NewReader(f, catalog.ReaderOptions{OnBad: func(b catalog.Bad) {
		if b.Line == 0 || b.Field == "" || b.SKU == "" {
			t.Errorf("not told what is wrong: %+v", b)
		}
	}})
	s := newDepot(t)
	report, err := s.Import(t.Context(), r.Items(), postgres.ImportOptions{})
	if err != nil || r.Err() != nil || report.Inserted != int64(r.Good()) || r.Bad() > r.Good()/100 {
		t.Fatalf("%+v, %v, %v", report, err, r.Err())
	}
	for q, least := range map[string]int{"iphone case": 100, "samsng galaxy": 20, "heart": 20, "cake stand": 5} {
		if got := s.find(t, q); len(got) < least {
			t.Errorf("%q finds %d products", q, len(got))
		}
	}
}
