package postgres_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

// A margin is a share of the price; whatever else an attribute of that name says is no margin, and no error.
func TestOffers(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	want := map[int64]float64{}
	for sku, c := range map[string]struct {
		attributes string
		margin     float64
	}{
		"A": {`{"margin":0.35}`, 0.35}, "B": {`{}`, -1}, "C": {`{"margin":"high"}`, -1}, "D": {`{"margin":7}`, -1},
		"E": {`{"margin":1e4000}`, -1}, "F": {`{"margin":0}`, 0}, "G": {`{"margin":[0.5]}`, -1},
	} {
		p := s.create(t, shop.NewProduct{SKU: sku, Name: "Product " + sku, Category: "a/b", Price: 1250, Attributes: json.RawMessage(c.attributes)})
		want[p.ID] = c.margin
	}
	gone := s.create(t, shop.NewProduct{SKU: "Z", Name: "Gone", Price: 1})
	if err := s.DeleteProduct(t.Context(), "tester", gone.ID, 0); err != nil {
		t.Fatal(err)
	}
	ids := []int64{gone.ID, 1 << 40}
	for id := range want {
		ids = append(ids, id)
	}
	got, err := s.Offers(t.Context(), ids)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for _, o := range got {
		if o.Margin != want[o.ID] || o.Price != 1250 || o.Category != "a/b" || o.Availability != shop.SoldOut {
			t.Errorf("%+v, want a margin of %v", o, want[o.ID])
		}
	}
	if none, err := s.Offers(t.Context(), nil); len(none) != 0 || err != nil {
		t.Errorf("%v, %v", none, err)
	}
	if _, err := s.Offers(t.Context(), make([]int64, 10_001)); shop.CodeOf(err) != shop.CodeInvalid {
		t.Errorf("%v", err)
	}
}

// The most popular come first; a category is itself and what is below it, not what merely begins alike.
func TestPopular(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	for i, category := range []string{"a", "a/b", "a-b", "a/b/c", "ab", "b"} {
		s.create(t, shop.NewProduct{SKU: fmt.Sprint(i), Name: fmt.Sprint("Product ", i), Category: category, Popularity: int64(i), Price: 1})
	}
	for _, c := range []struct {
		category string
		n        int
		want     string
	}{
		{"", 3, "5 4 3"}, {"", 100, "5 4 3 2 1 0"}, {"", 0, ""}, {"a", 100, "3 1 0"}, {"a/b", 100, "3 1"}, {"/a/b/", 1, "3"}, {"none", 100, ""},
	} {
		refs, err := s.Popular(t.Context(), c.category, c.n)
		var got []string
		for _, r := range refs {
			got = append(got, strings.TrimPrefix(r.Slug, "product-"))
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q: %v, %v; want %s", c.category, got, err, c.want)
		}
	}
}
