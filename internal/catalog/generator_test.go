package catalog

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestGeneratorIsDeterministic(t *testing.T) {
	t.Parallel()
	short, long := slices.Collect(Generator{Seed: 7}.Items(50)), slices.Collect(Generator{Seed: 7}.Items(200))
	if diff := cmp.Diff(short, long[:50]); diff != "" {
		t.Error(diff)
	}
	other := slices.Collect(Generator{Seed: 8}.Items(50))
	for i := range short {
		if short[i].Product.SKU == other[i].Product.SKU {
			t.Fatalf("two seeds share the SKU %s", short[i].Product.SKU)
		}
	}
}

// Products keep every rule of the shop and look like a catalogue: many brands, three levels of categories, skewed prices and
// popularity.
func TestGeneratedCatalogueIsPlausible(t *testing.T) {
	t.Parallel()
	const n = 20_000
	skus, brands, categories := map[string]bool{}, map[string]bool{}, map[string]bool{}
	var popularity, prices []int64
	for item := range (Generator{Seed: 1}).Items(n) {
		p, err := item.Product.Checked()
		if err != nil {
			t.Fatalf("%+v: %v", item.Product, err)
		}
		if strings.Count(p.Category, "/") != 2 || !strings.Contains(p.Name, p.Brand) || !json.Valid(p.Attributes) || item.Stock != DefaultStock {
			t.Fatalf("%+v", item)
		}
		skus[p.SKU], brands[p.Brand], categories[p.Category] = true, true, true
		popularity, prices = append(popularity, p.Popularity), append(prices, p.Price)
	}
	if len(skus) != n || len(brands) < 150 || len(categories) < 150 {
		t.Errorf("%d SKUs, %d brands, %d categories", len(skus), len(brands), len(categories))
	}
	slices.Sort(popularity)
	slices.Sort(prices)
	if top, median := popularity[n-20], popularity[n/2]; top < 100*median {
		t.Errorf("popularity: the 20th of %d has %d, the median %d", n, top, median)
	}
	if p10, p50, p90 := prices[n/10], prices[n/2], prices[n*9/10]; p50 < 2*p10 || p90 < 2*p50 {
		t.Errorf("prices: %d, %d, %d", p10, p50, p90)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, l := range tree() {
		if seen[l.path] || strings.Count(l.path, "/") != 2 || l.path != shop.CleanCategory(l.path) || len(l.nouns) == 0 || l.nouns[0] == "" || l.median < 100 {
			t.Errorf("leaf %+v", l)
		}
		seen[l.path] = true
	}
}

func BenchmarkGenerator(b *testing.B) {
	g := Generator{Seed: 1}
	i := 0
	for b.Loop() {
		g.Item(i)
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "products/s")
}
