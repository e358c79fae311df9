package shop

import (
	"fmt"
	"testing"
)

func TestPriceBands(t *testing.T) {
	t.Parallel()
	for price, want := range map[int64]int64{-1: 0, 0: 0, 9_99: 0, 10_00: 10_00, 24_99: 10_00, 999_99: 500_00, 1000_00: 1000_00, 1 << 40: 1000_00} {
		if got := PriceBandOf(price); got != want {
			t.Errorf("%d lies in %d, want %d", price, got, want)
		}
	}
}

func TestFacetsOfCounts(t *testing.T) {
	t.Parallel()
	c := NewFacetCounts()
	c.Add("a/b", "Acme", 500, InStock, 3)
	c.Add("a/bc", "Bolt", 20_00, SoldOut, 1)
	c.Add("a", "", 5000_00, InStock, 2)
	c.Add("", "Acme", 20_00, InStock, 1)
	f := c.Facets()
	if got := fmt.Sprint(f.Categories); got != "[{a 6} {a/b 3} {a/bc 1}]" {
		t.Errorf("categories %s", got)
	}
	if got := fmt.Sprint(f.Brands); got != "[{Acme 4} {Bolt 1}]" {
		t.Errorf("brands %s", got)
	}
	if got := fmt.Sprint(f.Availability); got != "[{in_stock 6} {low_stock 0} {sold_out 1}]" {
		t.Errorf("availability %s", got)
	}
	bands := f.PriceBands
	if f.Total != 7 || !f.Exact || len(bands) != len(PriceBands) || bands[0].Count != 3 || *bands[0].Max != 999 || bands[1].Count != 2 ||
		bands[7].Count != 2 || bands[7].Max != nil {
		t.Errorf("%+v", f)
	}
	s := f.Scaled(70)
	if s.Exact || s.Total != 70 || s.Examined != 7 || s.Categories[0].Count != 60 || s.PriceBands[7].Count != 20 || s.Availability[2].Count != 10 {
		t.Errorf("scaled: %+v", s)
	}
	if s := NewFacetCounts().Facets().Scaled(9); s.Total != 9 || s.Examined != 0 {
		t.Errorf("scaled from nothing: %+v", s)
	}
	for i := range MaxFacetValues + 5 {
		c.Brands[fmt.Sprint("b", i)] = 1
	}
	if f := c.Facets(); len(f.Brands) != MaxFacetValues || f.MoreBrands != 7 || f.Brands[0].Value != "Acme" {
		t.Errorf("%d brands and %d more", len(f.Brands), f.MoreBrands)
	}
}

func TestNormalQueries(t *testing.T) {
	t.Parallel()
	zero, one := int64(0), int64(1)
	if got, want := (ProductQuery{Q: " Tea\t POT ", Category: "/a//b/", MinPrice: &zero}).Normal(), (ProductQuery{Limit: 20, Sort: SortPopular, Q: "tea pot", Category: "a/b"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if f := (ProductQuery{Limit: 3, Cursor: "c", Sort: SortPrice, MinPrice: &zero}).Filters(); f != (ProductQuery{}) || f.Narrows() {
		t.Errorf("filters %+v", f)
	}
	if !(ProductQuery{MaxPrice: &one}).Narrows() {
		t.Error("a highest price does not narrow")
	}
}
