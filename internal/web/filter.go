package web

import (
	"context"
	"maps"
	"net/url"
	"strconv"

	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	maxBrand  = 100 // runes
	maxChoice = 10  // brands offered
)

// choice is one way to narrow a list down, or to undo that.
type choice struct {
	Label   string
	Count   int64
	URL     string
	Current bool
}

// choices are the ways of one kind.
type choices struct {
	Name string
	List []choice
}

// narrowed reads the filters of a list's address into q and returns them as an address has them. What is no filter of ours is
// left out, so that an address does not fail because of what somebody added to it.
func narrowed(in url.Values, q *shop.ProductQuery) url.Values {
	kept := url.Values{}
	if q.Brand = clip(in.Get("brand"), maxBrand); q.Brand != "" {
		kept.Set("brand", q.Brand)
	}
	price := func(name string) *int64 {
		v, err := strconv.ParseInt(in.Get(name), 10, 64)
		if err != nil || v < 0 {
			return nil
		}
		kept.Set(name, strconv.FormatInt(v, 10))
		return &v
	}
	q.MinPrice, q.MaxPrice = price("min_price"), price("max_price")
	if in.Get("in_stock") == "1" {
		yes := true
		q.InStock = &yes
		kept.Set("in_stock", "1")
	}
	return kept
}

// ways counts what the list could be narrowed down to. Without counts there are none: a list is worth showing without.
func (s *site) ways(ctx context.Context, q shop.ProductQuery, currency string, address func(change url.Values) string) []choices {
	if s.Facets == nil {
		return nil
	}
	f, err := s.Facets.Facets(ctx, q)
	if err != nil {
		s.Log.WarnContext(ctx, "a list is shown without filters", "error", err)
		return nil
	}
	brands := choices{Name: "Brand"}
	for _, b := range f.Brands[:min(len(f.Brands), maxChoice)] {
		brands.List = append(brands.List, way(b.Value, b.Count, q.Brand == b.Value, address, "brand", b.Value))
	}
	prices := choices{Name: "Price"}
	for _, b := range f.PriceBands {
		lowest, highest := strconv.FormatInt(b.Min, 10), ""
		if b.Max != nil {
			highest = strconv.FormatInt(*b.Max, 10)
		}
		current := q.MinPrice != nil && *q.MinPrice == b.Min && (b.Max == nil) == (q.MaxPrice == nil) && (b.Max == nil || *b.Max == *q.MaxPrice)
		if b.Count > 0 || current {
			prices.List = append(prices.List, way(bandLabel(b, currency), b.Count, current, address, "min_price", lowest, "max_price", highest))
		}
	}
	stock := choices{Name: "Availability"}
	var ready int64
	for _, a := range f.Availability {
		if a.Value != string(shop.SoldOut) {
			ready += a.Count
		}
	}
	stock.List = append(stock.List, way("In stock", ready, q.InStock != nil, address, "in_stock", "1"))
	var out []choices
	for _, c := range []choices{brands, prices, stock} {
		if len(c.List) > 1 || len(c.List) == 1 && (c.List[0].Current || c.List[0].Count < f.Total) {
			out = append(out, c)
		}
	}
	return out
}

// way is a choice whose address sets the values, or takes them away when they are set.
func way(label string, n int64, current bool, address func(url.Values) string, set ...string) choice {
	change := url.Values{}
	for i := 0; i < len(set); i += 2 {
		change.Set(set[i], set[i+1])
		if current {
			change.Set(set[i], "")
		}
	}
	return choice{Label: label, Count: n, URL: address(change), Current: current}
}

func bandLabel(b shop.PriceBand, currency string) string {
	from, to := money(b.Min, currency), ""
	if b.Max != nil {
		to = money(*b.Max+1, currency)
	}
	switch {
	case b.Min == 0:
		return "Under " + to
	case b.Max == nil:
		return from + " and more"
	}
	return from + " to " + to
}

// currencyOf is the one that all the products have, or "".
func currencyOf(products []shop.Product) string {
	for _, p := range products {
		if p.Currency != products[0].Currency {
			return ""
		}
	}
	if len(products) == 0 {
		return ""
	}
	return products[0].Currency
}

// addressOf puts a list's address together from what it is of, its filters and what changes: "" takes a value away.
func addressOf(path string, parts ...url.Values) string {
	v := url.Values{}
	for _, p := range parts {
		maps.Copy(v, p)
	}
	for k := range v {
		if v.Get(k) == "" {
			v.Del(k)
		}
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}
