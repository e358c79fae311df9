package shop

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
)

// MaxFacetValues is the most categories, and the most brands, that an answer names.
const MaxFacetValues = 1000

// PriceBands are the lower bounds, in minor units, of the ranges of price that products are counted by; each ends
// below the next, the last is open.
var PriceBands = []int64{0, 10_00, 25_00, 50_00, 100_00, 250_00, 500_00, 1000_00}

// PriceBandOf is the lower bound of the band that a price lies in.
func PriceBandOf(price int64) int64 {
	i, found := slices.BinarySearch(PriceBands, price)
	if !found {
		i--
	}
	return PriceBands[max(i, 0)]
}

// FacetCount is how many products have a value.
type FacetCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// PriceBand is how many products have a price from Min to Max, both inclusive; Max is nil in the last band.
type PriceBand struct {
	Min   int64  `json:"min"`
	Max   *int64 `json:"max,omitempty"`
	Count int64  `json:"count"`
}

// Facets are counts of the products that pass a query's filters. A category counts all below it, as the filter does.
// Products without a category or brand are in Total only. Values come with the most frequent first; the bands of price
// and the availabilities are all there, in their order, with 0 where there is none.
type Facets struct {
	Total int64 `json:"total"`
	// Exact is false when counting would have taken too long: then Examined products were drawn that pass the filters, and
	// the counts are theirs, scaled up to an estimated Total.
	Exact          bool         `json:"exact"`
	Examined       int64        `json:"examined,omitempty"`
	Categories     []FacetCount `json:"categories"`
	Brands         []FacetCount `json:"brands"`
	PriceBands     []PriceBand  `json:"price_bands"`
	Availability   []FacetCount `json:"availability"`
	MoreCategories int64        `json:"more_categories"` // beyond MaxFacetValues
	MoreBrands     int64        `json:"more_brands"`
}

// FacetReader counts.
type FacetReader interface {
	// Facets counts what passes q's filters (Q, Category, Brand, MinPrice, MaxPrice, InStock; the rest is ignored). Without
	// filters it is exact and at most a second old.
	Facets(ctx context.Context, q ProductQuery) (Facets, error)
}

// FacetCounts is what Facets are made of: products by exact category path, by brand, by lower bound of their price band
// and by availability.
type FacetCounts struct {
	Categories   map[string]int64
	Brands       map[string]int64
	Bands        map[int64]int64
	Availability map[Availability]int64
}

// NewFacetCounts makes empty ones.
func NewFacetCounts() FacetCounts {
	return FacetCounts{map[string]int64{}, map[string]int64{}, map[int64]int64{}, map[Availability]int64{}}
}

// Add counts n products that are alike.
func (c FacetCounts) Add(category, brand string, price int64, a Availability, n int64) {
	c.Categories[category] += n
	c.Brands[brand] += n
	c.Bands[PriceBandOf(price)] += n
	c.Availability[a] += n
}

// Facets puts the counts into the form of an answer: exact.
func (c FacetCounts) Facets() Facets {
	f := Facets{Exact: true}
	for _, n := range c.Availability {
		f.Total += n
	}
	f.Categories, f.MoreCategories = most(rolledUp(c.Categories))
	f.Brands, f.MoreBrands = most(c.Brands)
	for i, low := range PriceBands {
		b := PriceBand{Min: low, Count: c.Bands[low]}
		if i+1 < len(PriceBands) {
			high := PriceBands[i+1] - 1
			b.Max = &high
		}
		f.PriceBands = append(f.PriceBands, b)
	}
	for _, a := range []Availability{InStock, LowStock, SoldOut} {
		f.Availability = append(f.Availability, FacetCount{string(a), c.Availability[a]})
	}
	return f
}

// rolledUp adds each path's count to all paths above it.
func rolledUp(paths map[string]int64) map[string]int64 {
	out := make(map[string]int64, 2*len(paths))
	for path, n := range paths {
		for i := range len(path) {
			if path[i] == '/' {
				out[path[:i]] += n
			}
		}
		out[path] += n
	}
	return out
}

// most lists the values that have products, the most frequent first, and says how many more there are. "" is no value.
func most(counts map[string]int64) (list []FacetCount, more int64) {
	list = make([]FacetCount, 0, len(counts))
	for value, n := range maps.All(counts) {
		if value != "" && n > 0 {
			list = append(list, FacetCount{value, n})
		}
	}
	slices.SortFunc(list, func(a, b FacetCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	})
	if len(list) > MaxFacetValues {
		list, more = list[:MaxFacetValues], int64(len(list)-MaxFacetValues)
	}
	return list, more
}

// Scaled makes an estimate of the counts of a sample: as if total products were distributed like those examined.
func (f Facets) Scaled(total int64) Facets {
	f.Exact, f.Examined = false, f.Total
	scale := func(n *int64) {
		if f.Examined > 0 {
			*n = int64(float64(*n)*float64(total)/float64(f.Examined) + 0.5)
		}
	}
	for _, list := range [][]FacetCount{f.Categories, f.Brands, f.Availability} {
		for i := range list {
			scale(&list[i].Count)
		}
	}
	for i := range f.PriceBands {
		scale(&f.PriceBands[i].Count)
	}
	f.Total = total
	return f
}
