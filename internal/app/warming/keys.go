package warming

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// What is warmed is named by its address: path and query as shoppers ask for it. So one ranking serves all tiers: an API process brings in
// what the address shows, an edge is asked for it.

// Header marks requests for what may be wanted later, as browsers do (Sec-Purpose: prefetch): they are no demand. Warming makes such.
const Header = "Sec-Purpose"

// Warmable tells whether an address shows something of the catalogue that is kept for long enough to be worth bringing in.
func Warmable(target string) bool {
	path, query, _ := strings.Cut(target, "?")
	if strings.Contains(query, "cursor=") {
		return false // of deep pages each is read by few
	}
	switch {
	case path == "/", path == "/products", path == "/search" && query != "":
		return true
	case strings.HasPrefix(path, "/products/"):
		return !strings.HasSuffix(path, "/stock") && path != "/products/batch" && (path != "/products/facets" || query != "")
	}
	return strings.HasPrefix(path, "/p/") || strings.HasPrefix(path, "/sale/") || strings.HasPrefix(path, "/c/")
}

// productOf is the product that an address shows, as JSON or as a page.
func productOf(target string) (int64, bool) {
	path, _, _ := strings.Cut(target, "?")
	number, ok := strings.CutPrefix(path, "/products/")
	if !ok {
		if number, ok = strings.CutPrefix(path, "/p/"); ok {
			number, _, _ = strings.Cut(number, "-")
		}
	}
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(number, 10, 64)
	return id, err == nil && id > 0
}

// categoryOf is the category that an address lists, "" for none.
func categoryOf(target string) string {
	path, query, _ := strings.Cut(target, "?")
	if category, ok := strings.CutPrefix(path, "/c/"); ok {
		if category, err := url.PathUnescape(category); err == nil {
			return strings.Trim(category, "/")
		}
		return ""
	}
	if path != "/products" || !strings.Contains(query, "category=") {
		return ""
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	return shop.CleanCategory(values.Get("category"))
}

// within tells whether a category is another one or below it.
func within(category, top string) bool {
	return category == top || strings.HasPrefix(category, top+"/")
}

// productTargets are the addresses of a product: its JSON, and where pages are kept its page.
func productTargets(r postgres.Ref, pages bool) []string {
	list := []string{"/products/" + shop.ProductKey(r.ID)}
	if pages {
		list = append(list, productPage(r))
	}
	return list
}

func productPage(r postgres.Ref) string {
	ref := shop.ProductKey(r.ID)
	if r.Slug != "" {
		ref += "-" + r.Slug
	}
	return (&url.URL{Path: "/p/" + ref}).EscapedPath()
}

// categoryTargets are the addresses of a category: its first list, and its page.
func categoryTargets(category string) []string {
	return []string{"/products?category=" + url.QueryEscape(category), (&url.URL{Path: "/c/" + category}).EscapedPath()}
}

// lifeOf is how long what an address shows is kept at most: products for long, lists for long at edges, but hardly longer than
// half a minute in memory and in Redis (internal/cached).
func lifeOf(edges bool) func(target string) time.Duration {
	return func(target string) time.Duration {
		if _, ok := productOf(target); ok || edges {
			return 10 * time.Minute
		}
		return time.Minute
	}
}

// DemandPath is where an edge tells API processes what it was asked for.
const DemandPath = "/internal/demand"
