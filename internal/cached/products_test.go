package cached_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
)

func TestProductsComeFromTheNearestTier(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 2)
	db := newCatalogue(1, 2, 3)
	a, b := cached.NewProducts(db, stores[0], cached.Options{}), cached.NewProducts(db, stores[1], cached.Options{})
	ctx, timing := shop.WithTiming(t.Context())
	for range 2 {
		p, err := a.Product(ctx, 1)
		if diff := cmp.Diff(db.rows[1], p); err != nil || diff != "" {
			t.Fatalf("%v, %s", err, diff)
		}
	}
	want := []shop.TimingEntry{{Tier: "l1", Desc: "miss"}, {Tier: "l2", Desc: "miss"}, {Tier: "l1", Desc: "hit"}}
	if diff := cmp.Diff(want, timing.Entries()); diff != "" {
		t.Errorf("timing: %s", diff)
	}
	localtest.Eventually(t, "the other process finds it in Redis", func() bool {
		ctx, timing := shop.WithTiming(t.Context())
		p, err := cached.NewProducts(db, stores[1], cached.Options{}).Product(ctx, 1)
		if diff := cmp.Diff(db.rows[1], p); err != nil || diff != "" {
			t.Fatalf("%v, %s", err, diff)
		}
		e := timing.Entries()
		return len(e) == 2 && e[1].Tier == "l2" && e[1].Desc == "hit" && e[1].Dur > 0
	})
	before := len(db.calls())
	got, err := b.Products(t.Context(), []int64{3, 1, 9, 3})
	if err != nil || len(got) != 3 || got[0].ID != 3 || got[1].ID != 1 || got[2].ID != 3 {
		t.Errorf("batch: %v, %v", got, err)
	}
	if calls := db.calls()[before:]; !slices.Equal(calls, []string{"many [3 9]"}) {
		t.Errorf("asked the database for %v", calls)
	}
}

func TestAbsentProductsAreRemembered(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 1)
	db := newCatalogue(1)
	r := cached.NewProducts(db, stores[0], cached.Options{})
	w := cached.NewCatalog(db, stores[0].Invalidate, cached.Options{})
	for range 3 {
		if _, err := r.Product(t.Context(), 2); shop.CodeOf(err) != shop.CodeNotFound {
			t.Fatalf("got %v", err)
		}
		if got, err := r.Products(t.Context(), []int64{2}); err != nil || len(got) != 0 {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if n := len(db.calls()); n != 1 {
		t.Errorf("asked %d times for what is not there", n)
	}
	if p, err := w.CreateProduct(t.Context(), "me", shop.NewProduct{Name: "New"}); err != nil || p.ID != 2 {
		t.Fatalf("%v, %v", p, err)
	}
	if p, err := r.Product(t.Context(), 2); err != nil || p.Name != "New" {
		t.Errorf("after creation: %v, %v", p, err)
	}
}

func TestFailuresAreNotRemembered(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 1)
	db := newCatalogue(1)
	r := cached.NewProducts(db, stores[0], cached.Options{})
	db.fail = &shop.Error{Code: shop.CodeUnavailable}
	_, err1 := r.Product(t.Context(), 1)
	_, err2 := r.Products(t.Context(), []int64{1})
	_, err3 := r.ListProducts(t.Context(), shop.ProductQuery{})
	for _, err := range []error{err1, err2, err3} {
		if shop.CodeOf(err) != shop.CodeUnavailable {
			t.Errorf("got %v", err)
		}
	}
	db.fail = nil
	if p, err := r.Product(t.Context(), 1); err != nil || p.ID != 1 {
		t.Errorf("afterwards: %v, %v", p, err)
	}
	stores[0].Close()
	if _, err := r.Product(t.Context(), 7); shop.CodeOf(err) != shop.CodeUnavailable {
		t.Errorf("closed: %v", err)
	}
}

func TestQueriesThatMeanTheSameShareAPage(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 1)
	db := newCatalogue(1)
	r := cached.NewProducts(db, stores[0], cached.Options{})
	price, yes := int64(100), true
	list := func(q shop.ProductQuery) int {
		t.Helper()
		if page, err := r.ListProducts(t.Context(), q); err != nil || len(page.Products) != 1 {
			t.Fatalf("%+v gave %v, %v", q, page, err)
		}
		return len(db.calls())
	}
	for i, same := range [][]shop.ProductQuery{
		{{}, {Limit: 20}, {Sort: shop.SortPopular}},
		{{Q: "tea pot"}, {Q: "  Tea   POT "}},
		{{Brand: "A"}}, {{Category: "A"}}, {{Brand: "a"}}, {{Limit: 21}}, {{Sort: shop.SortPrice}},
		{{MinPrice: &price}}, {{MaxPrice: &price}}, {{InStock: &yes}},
		{{Q: `a" "b`}}, {{Q: "a", Category: "b"}},
		{{Cursor: "c"}}, {{Cursor: "C"}},
	} {
		for _, q := range same {
			if n := list(q); n != i+1 {
				t.Errorf("%+v: %d loads, want %d", q, n, i+1)
			}
		}
	}
}

func TestWriteIsSeenEverywhereWhenItAnswers(t *testing.T) {
	t.Parallel()
	stores, wire := processes(t, 2)
	db := newCatalogue(1, 2)
	readers := []*cached.Products{cached.NewProducts(db, stores[0], cached.Options{}), cached.NewProducts(db, stores[1], cached.Options{})}
	var purged [][]string
	w := cached.NewCatalog(db, func(ctx context.Context, tags []string) error {
		purged = append(purged, tags)
		return stores[0].Invalidate(ctx, tags)
	}, cached.Options{})
	look := func(want string) {
		t.Helper()
		for i, r := range readers {
			p, err1 := r.Product(t.Context(), 1)
			page, err2 := r.ListProducts(t.Context(), shop.ProductQuery{})
			many, err3 := r.Products(t.Context(), []int64{1})
			if err := errors.Join(err1, err2, err3); err != nil {
				t.Fatal(err)
			}
			if p.Name != want || page.Products[0].Name != want || many[0].Name != want {
				t.Fatalf("process %d shows %q, %q, %q; want %q", i, p.Name, page.Products[0].Name, many[0].Name, want)
			}
		}
	}
	look("Product 1")
	for i := range 20 {
		name := fmt.Sprint("Name ", i)
		ctx, leave := context.WithCancel(t.Context())
		leave() // an administrator who does not wait for the answer
		if _, err := w.PatchProduct(ctx, "me", 1, fmt.Appendf(nil, `{"name":%q}`, name), 0); err != nil {
			t.Fatal(err)
		}
		look(name)
	}
	if len(purged) != 20 || !slices.Equal(purged[0], []string{"lists", "p:1"}) {
		t.Errorf("purged: %v", purged)
	}
	wire.fail = errors.New("no route")
	if _, err := w.PatchProduct(t.Context(), "me", 1, []byte(`{"name":"x"}`), 0); err != nil {
		t.Errorf("a purge that nobody confirmed became an error of the write: %v", err)
	}
	wire.fail, db.fail = nil, &shop.Error{Code: shop.CodePreconditionFailed}
	before := len(purged)
	if _, err := w.PatchProduct(t.Context(), "me", 1, []byte(`{}`), 7); shop.CodeOf(err) != shop.CodePreconditionFailed || len(purged) != before {
		t.Errorf("a refused write gave %v and %d purges", err, len(purged)-before)
	}
	db.fail = nil
	if err := w.DeleteProduct(t.Context(), "me", 1, 0); err != nil {
		t.Fatal(err)
	}
	for i, r := range readers {
		if _, err := r.Product(t.Context(), 1); shop.CodeOf(err) != shop.CodeNotFound {
			t.Errorf("process %d still has it: %v", i, err)
		}
	}
}
