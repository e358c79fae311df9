package cached_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
)

// The bytes are made once: readers of one process share them, and another process takes the very same out of Redis, so that
// all of them give the same validators.
func TestEncodedOnce(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 2)
	db := newCatalogue(1, 2)
	p := db.rows[1]
	p.Name, p.Attributes = "<b> & \u2028 \"x\"", json.RawMessage(`{"k": "<&>", "n": [1, 2]}`)
	db.rows[1] = p
	want, err := shop.EncodeProduct(p)
	if err != nil {
		t.Fatal(err)
	}
	a := cached.NewProducts(db, stores[0], cached.Options{})
	one, err1 := a.EncodedProduct(t.Context(), 1)
	two, err2 := a.EncodedProducts(t.Context(), []int64{1, 1, 7})
	page, err3 := a.EncodedList(t.Context(), shop.ProductQuery{})
	again, err4 := a.EncodedList(t.Context(), shop.ProductQuery{Q: "  ", Limit: 20, Sort: shop.SortPopular})
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		t.Fatal(err1, err2, err3, err4)
	}
	if len(two) != 2 || one != two[0] || one != two[1] || page != again {
		t.Error("not shared")
	}
	if !bytes.Equal(one.Line(), want.Line()) || !bytes.Equal(page.Products[0].Line(), want.Line()) {
		t.Errorf("%s\n%s", one.Line(), page.Products[0].Line())
	}
	localtest.Eventually(t, "the other process finds both in Redis", func() bool {
		before := len(db.calls())
		b := cached.NewProducts(db, stores[1], cached.Options{})
		other, err1 := b.EncodedProduct(t.Context(), 1)
		list, err2 := b.EncodedList(t.Context(), shop.ProductQuery{})
		if err1 != nil || err2 != nil || !bytes.Equal(other.Line(), one.Line()) || !bytes.Equal(list.Line(), page.Line()) || other.Product.Name != p.Name {
			t.Fatalf("%v %v: %s", err1, err2, other.Line())
		}
		return len(db.calls()) == before
	})
}

func TestEncodedHitsDoNotAllocate(t *testing.T) {
	stores, _ := processes(t, 1)
	r := cached.NewProducts(newCatalogue(1), stores[0], cached.Options{})
	ctx := context.Background()
	if n := testing.AllocsPerRun(200, func() {
		if _, err := r.EncodedProduct(ctx, 1); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a hit", n)
	}
}

// counting is a catalogue that counts, and counts how often it is asked to.
type counting struct {
	*catalogue
	asked atomic.Int64
	fail  atomic.Bool
}

func (c *counting) Facets(_ context.Context, q shop.ProductQuery) (shop.Facets, error) {
	n := c.asked.Add(1)
	if c.fail.Load() {
		return shop.Facets{}, &shop.Error{Code: shop.CodeUnavailable}
	}
	f := shop.NewFacetCounts()
	f.Add(strings.ToUpper(q.Category), q.Brand, 100, shop.InStock, n)
	return f.Facets(), nil
}

func TestFilteredCountsAreShared(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 2)
	db := &counting{catalogue: newCatalogue(1)}
	a, b := cached.NewProducts(db, stores[0], cached.Options{}), cached.NewProducts(db, stores[1], cached.Options{})
	zero := int64(0)
	ask := func(r *cached.Products, q shop.ProductQuery) int64 {
		t.Helper()
		f, err := r.Facets(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return f.Total
	}
	for _, q := range []shop.ProductQuery{{Brand: "x"}, {Brand: "x", Sort: shop.SortPrice, Limit: 3, Cursor: "c"}, {Brand: "x", MinPrice: &zero, Q: " "}} {
		if n := ask(a, q); n != 1 {
			t.Errorf("%+v was counted anew: %d", q, n)
		}
	}
	if n := ask(a, shop.ProductQuery{Brand: "y"}); n != 2 {
		t.Errorf("another brand has the counts of the first: %d", n)
	}
	localtest.Eventually(t, "the other process has it from Redis", func() bool { return ask(b, shop.ProductQuery{Brand: "x"}) == 1 })
	if err := stores[1].Invalidate(t.Context(), []string{cached.TagFacets}); err != nil {
		t.Fatal(err)
	}
	if n := ask(a, shop.ProductQuery{Brand: "x"}); n < 3 {
		t.Errorf("the purged counts are still there: %d", n)
	}
	db.fail.Store(true)
	if _, err := a.Facets(t.Context(), shop.ProductQuery{Brand: "z"}); shop.CodeOf(err) != shop.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestTotalsAreNeverOld(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 1)
	db := &counting{catalogue: newCatalogue(1)}
	r := cached.NewProducts(db, stores[0], cached.Options{})
	born := map[int64]time.Time{}
	localtest.Eventually(t, "counts are read anew three times", func() bool {
		asked := time.Now()
		f, err := r.Facets(t.Context(), shop.ProductQuery{})
		if err != nil {
			t.Fatal(err)
		}
		if first, known := born[f.Total]; !known {
			born[f.Total] = time.Now()
		} else if age := asked.Sub(first); age > shop.ShownFor {
			t.Fatalf("counts were %v old when they were asked for", age)
		}
		return len(born) > 3
	})
}

func TestWhatDoesNotCount(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 1)
	r := cached.NewProducts(newCatalogue(1), stores[0], cached.Options{})
	if _, err := r.Facets(t.Context(), shop.ProductQuery{}); shop.CodeOf(err) != shop.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}
