package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	gridSize    = 24
	sampleSize  = 100 // products looked at to find the categories worth a link
	maxLinks    = 16
	maxDoors    = 8
	maxQuery    = 200 // runes
	maxCursor   = 1024
	homePopular = 16
	homeNewest  = 8
	homeVariety = 4 // products of one category on the home page before the others had their turn
)

// sortLink is one choice of order above a list.
type sortLink struct {
	Label   string
	URL     string
	Current bool
}

var sorts = []struct {
	by    shop.Sort
	label string
}{
	{shop.SortPopular, "Popular"}, {shop.SortNewest, "Newest"}, {shop.SortPrice, "Price: low to high"},
	{shop.SortPriceDesc, "Price: high to low"}, {shop.SortRating, "Best rated"},
}

// homeBody is the home page's own part.
type homeBody struct {
	Categories []crumb
	Campaigns  []campaign
	Popular    []shop.Product
	Newest     []shop.Product
}

func (s *site) home(w http.ResponseWriter, r *http.Request) error {
	popular, err := s.Products.ListProducts(r.Context(), shop.ProductQuery{Limit: sampleSize})
	if err != nil {
		return err
	}
	newest, err := s.Products.ListProducts(r.Context(), shop.ProductQuery{Limit: sampleSize, Sort: shop.SortNewest})
	if err != nil {
		return err
	}
	b := homeBody{
		Categories: doors(append(slices.Clone(popular.Products), newest.Products...)),
		Popular:    varied(popular.Products, homePopular, homeVariety),
	}
	b.Newest = varied(without(newest.Products, b.Popular), homeNewest, homeVariety)
	campaigns, keep := s.homeCampaigns(r.Context())
	b.Campaigns = campaigns
	shown := [][]shop.Product{b.Popular, b.Newest}
	for _, c := range campaigns {
		shown = append(shown, c.Products)
	}
	edgeMay(w.Header(), keep, append(listTags(shown...), campaignTag)...)
	return s.render(w, r, http.StatusOK, "home", page{Title: "Stampede", Body: b})
}

// listBody is what category and search pages show.
type listBody struct {
	Heading  string
	Category string // "" on a search page
	Links    []crumb
	Sorts    []sortLink
	Products []shop.Product
	First    string // URL of the first page, "" when this is it
	Next     string // URL of the next page, "" on the last
	Search   bool
	Ways     []choices // to narrow the list down
	Narrowed bool
	Whole    string // URL of the list without filters
}

func (s *site) category(w http.ResponseWriter, r *http.Request) error {
	category := strings.Trim(r.PathValue("category"), "/")
	if category == "" {
		http.Redirect(w, r, "/", http.StatusMovedPermanently)
		return nil
	}
	q := shop.ProductQuery{Limit: gridSize, Category: category}
	b, err := s.list(r, q, categoryURL(category), url.Values{})
	if err != nil {
		return err
	}
	if len(b.Products) == 0 && b.First == "" && !b.Narrowed {
		return shop.NotFound("category", category)
	}
	path := crumbs(category)
	b.Category, b.Heading = category, path[len(path)-1].Name
	if b.Links, err = s.subcategories(r.Context(), category); err != nil {
		return err
	}
	edgeMay(w.Header(), keepPage, listTags(b.Products)...)
	return s.render(w, r, http.StatusOK, "list", page{Title: b.Heading, Body: b})
}

func (s *site) search(w http.ResponseWriter, r *http.Request) error {
	q := clip(r.URL.Query().Get("q"), maxQuery)
	if q == "" {
		http.Redirect(w, r, "/", http.StatusFound)
		return nil
	}
	b, err := s.list(r, shop.ProductQuery{Limit: gridSize, Q: q}, "/search", url.Values{"q": {q}})
	if err != nil {
		return err
	}
	b.Search, b.Heading = true, "“"+q+"”"
	edgeMay(w.Header(), keepPage, listTags(b.Products)...)
	return s.render(w, r, http.StatusOK, "list", page{Title: "Search: " + q, Query: q, Body: b})
}

// list reads one page of q, with the sort and cursor of the address, and makes the links around it.
func (s *site) list(r *http.Request, q shop.ProductQuery, path string, keep url.Values) (listBody, error) {
	in := r.URL.Query()
	q.Sort, q.Cursor = shop.SortPopular, in.Get("cursor")
	if len(q.Cursor) > maxCursor {
		return listBody{}, shop.Invalid("cursor", "is not one of ours: start from the first page")
	}
	for _, c := range sorts {
		if string(c.by) == in.Get("sort") {
			q.Sort = c.by
		}
	}
	filters := narrowed(in, &q)
	link := func(sort shop.Sort, cursor string, change url.Values) string {
		at := url.Values{"cursor": {cursor}}
		if sort != shop.SortPopular {
			at.Set("sort", string(sort))
		}
		return addressOf(path, keep, filters, at, change)
	}
	found, err := s.Products.ListProducts(r.Context(), q)
	if err != nil {
		return listBody{}, err
	}
	b := listBody{Products: found.Products, Narrowed: len(filters) > 0, Whole: addressOf(path, keep)}
	b.Ways = s.ways(r.Context(), q, currencyOf(found.Products), func(change url.Values) string { return link(q.Sort, "", change) })
	for _, c := range sorts {
		b.Sorts = append(b.Sorts, sortLink{Label: c.label, URL: link(c.by, "", nil), Current: c.by == q.Sort})
	}
	if q.Cursor != "" {
		b.First = link(q.Sort, "", nil)
	}
	if found.Next != "" {
		b.Next = link(q.Sort, found.Next, nil)
	}
	return b, nil
}

// subcategories are those right below a category that its most popular products belong to.
func (s *site) subcategories(ctx context.Context, category string) ([]crumb, error) {
	found, err := s.Products.ListProducts(ctx, shop.ProductQuery{Limit: sampleSize, Category: category})
	if err != nil {
		return nil, err
	}
	return below(category, found.Products), nil
}

// below lists the categories right below parent ("" is the root) among the products, the most frequent first.
func below(parent string, products []shop.Product) []crumb {
	seen := map[string]int{}
	var out []crumb
	for _, p := range products {
		rest := p.Category
		if parent != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(p.Category, parent+"/"); !ok {
				continue
			}
		}
		name, _, _ := strings.Cut(rest, "/")
		if name == "" {
			continue
		}
		if seen[name]++; seen[name] == 1 {
			out = append(out, crumb{Name: name, Path: strings.TrimPrefix(parent+"/"+name, "/")})
		}
	}
	slices.SortStableFunc(out, func(a, b crumb) int { return seen[b.Name] - seen[a.Name] })
	return out[:min(len(out), maxLinks)]
}

// doors are the categories the home page opens: the topmost and, where those are few, what is in them.
func doors(products []shop.Product) []crumb {
	out := below("", products)
	for _, top := range out {
		if len(out) < maxDoors {
			out = append(out, below(top.Path, products)...)
		}
	}
	return out[:min(len(out), maxDoors)]
}

// varied picks n products in their order, letting a category have more than share only when the others cannot fill n.
func varied(products []shop.Product, n, share int) []shop.Product {
	taken := map[string]int{}
	var first, rest []shop.Product
	for _, p := range products {
		if taken[p.Category]++; taken[p.Category] <= share {
			first = append(first, p)
		} else {
			rest = append(rest, p)
		}
	}
	all := append(first, rest...)
	return all[:min(len(all), n)]
}

func without(products, shown []shop.Product) []shop.Product {
	return slices.DeleteFunc(slices.Clone(products), func(p shop.Product) bool {
		return slices.ContainsFunc(shown, func(o shop.Product) bool { return o.ID == p.ID })
	})
}
