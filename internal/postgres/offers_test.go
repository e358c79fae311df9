package postgres_test

import (
	"encoding/json"
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
		p := s.create(t, shop.NewProduct{SKU: sku, Name: "Product " + sku, Price: 1250, Attributes: json.RawMessage(c.attributes)})
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
		if o.Margin != want[o.ID] || o.Price != 1250 || o.Availability != shop.SoldOut {
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
