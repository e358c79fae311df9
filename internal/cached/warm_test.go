package cached_test

import (
	"slices"
	"testing"

	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// Warming loads what is nowhere, once for all processes; what is in Redis, or here, costs the database nothing.
func TestWarmProducts(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 2)
	db := newCatalogue(1, 2, 3)
	one, two := cached.NewProducts(db, stores[0], cached.Options{}), cached.NewProducts(db, stores[1], cached.Options{})
	if _, err := one.Product(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	check := func(p *cached.Products, wantLoaded ...int64) {
		t.Helper()
		loaded, absent, err := p.WarmProducts(t.Context(), []int64{1, 2, 3, 99})
		if err != nil || !slices.Equal(loaded, wantLoaded) || !slices.Equal(absent, []int64{99}) {
			t.Errorf("loaded %v, absent %v, %v; want %v loaded", loaded, absent, err, wantLoaded)
		}
	}
	check(one, 2, 3)
	if got, want := db.calls(), []string{"one 1", "many [2 3 99]"}; !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
	check(one)
	localtest.Eventually(t, "Redis has them", func() bool {
		n := len(db.calls())
		p := cached.NewProducts(db, stores[1], cached.Options{})
		_, _, err := p.WarmProducts(t.Context(), []int64{1, 2, 3})
		return err == nil && len(db.calls()) == n
	})
	check(two)
}
