package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/catalog"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

var sorts = map[shop.Sort]string{shop.SortPopular: "popularity DESC, id DESC", shop.SortNewest: "id DESC", shop.SortPrice: "price, id",
	shop.SortPriceDesc: "price DESC, id DESC", shop.SortRating: "rating DESC, id DESC"}

// stocked is a depot with n synthetic products, every seventh sold out.
func stocked(t *testing.T, n int) *depot {
	t.Helper()
	s := newDepot(t)
	items := func(yield func(shop.CatalogItem) bool) {
		for i := range n {
			item := catalog.Generator{Seed: 3}.Item(i)
			if i%7 == 0 {
				item.Stock = 0
			}
			if !yield(item) {
				return
			}
		}
	}
	if _, err := s.Import(t.Context(), items, postgres.ImportOptions{BatchSize: 1000}); err != nil {
		t.Fatal(err)
	}
	return s
}

// pages walks through a whole list; between is called after each page.
func pages(t *testing.T, s *depot, q shop.ProductQuery, between func()) (ids []int64) {
	t.Helper()
	for range 2000 {
		p, err := s.ListProducts(t.Context(), q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		if len(p.Products) > q.Limit || p.Next != "" && len(p.Products) != q.Limit {
			t.Fatalf("%+v: page of %d, next %q", q, len(p.Products), p.Next)
		}
		for _, one := range p.Products {
			ids = append(ids, one.ID)
		}
		if p.Next == "" {
			return ids
		}
		q.Cursor = p.Next
		between()
	}
	t.Fatalf("%+v: no end", q)
	return nil
}

type listCase struct {
	where string // what the query means, in SQL
	q     shop.ProductQuery
}

func listCases() []listCase {
	yes, no := true, false
	price := func(v int64) *int64 { return &v }
	return []listCase{
		{"true", shop.ProductQuery{}},
		{"category LIKE 'Home/%'", shop.ProductQuery{Category: "Home"}},
		{"category LIKE 'Electronics/Audio/%'", shop.ProductQuery{Category: "/Electronics/Audio/"}},
		{"category = 'Electronics/Audio/Speakers'", shop.ProductQuery{Category: "Electronics/Audio/Speakers"}},
		{"false", shop.ProductQuery{Category: "Electronics/Aud"}},
		{"brand = (SELECT brand FROM products ORDER BY id LIMIT 1)", shop.ProductQuery{Brand: catalog.Generator{Seed: 3}.Item(0).Product.Brand}},
		{"price BETWEEN 2000 AND 4000", shop.ProductQuery{MinPrice: price(2000), MaxPrice: price(4000)}},
		{"availability = 'sold_out'", shop.ProductQuery{InStock: &no}},
		{"availability <> 'sold_out' AND category LIKE 'Clothing/%' AND price >= 3000",
			shop.ProductQuery{InStock: &yes, Category: "Clothing", MinPrice: price(3000)}},
		{"search @@ 'wireless'", shop.ProductQuery{Q: "Wireless"}},
		{"search @@ 'headphone'", shop.ProductQuery{Q: "headphones"}},
		{"search @@ 'black & shoe'", shop.ProductQuery{Q: "black SHOES"}},
		{"search @@ 'premium' AND category LIKE 'Home/%' AND availability <> 'sold_out'", shop.ProductQuery{Q: "premium", Category: "Home", InStock: &yes}},
		{"search @@ 'steel' AND price <= 5000", shop.ProductQuery{Q: "steel", MaxPrice: price(5000)}},
	}
}

// Whichever way a page is found, all pages together are the whole list, in order, each product once, also while others
// are inserted.
func TestPagesMakeTheWholeList(t *testing.T) {
	t.Parallel()
	s := stocked(t, 3000)
	for name, bounds := range map[string][9]int{
		"usual":  {15000, 3000, 700, 10000, 5000, 1200, 4000, 2000, 300},
		"walk":   {100, 100, 1 << 40, 0, 0, 0, 0, 50, 300},
		"marks":  {50, 50, 0, 0, 10, 5, 1 << 40, 20, 2},
		"gather": {1, 1, 0, 1 << 40, 1 << 30, 1 << 30, 1 << 40, 50, 1},
	} {
		s.SetListBounds(bounds)
		extra := 0
		for sort, order := range sorts {
			for _, c := range listCases() {
				var want []int64
				rows, err := s.pool.Query(t.Context(), "SELECT id FROM products WHERE deleted_at IS NULL AND "+c.where+" ORDER BY "+order)
				if err == nil {
					want, err = pgx.CollectRows(rows, pgx.RowTo[int64])
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(want) == 0 && c.where != "false" {
					t.Fatalf("nothing is %s: a poor test", c.where)
				}
				c.q.Sort, c.q.Limit = sort, max(5, len(want)/6)
				c.q.Limit = min(c.q.Limit, 100)
				got := pages(t, s, c.q, func() {
					if extra++; extra%25 == 0 {
						s.create(t, newcomer(name, extra))
					}
				})
				if diff := cmp.Diff(want, without(got, want), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s, %s, %s: %s", name, sort, c.where, diff)
				}
			}
		}
	}
}

// newcomer matches nearly every case.
func newcomer(name string, n int) shop.NewProduct {
	p := catalog.Generator{Seed: 9}.Item(n).Product
	p.SKU = fmt.Sprintf("%s-%d", name, n)
	p.Name += " black steel premium wireless headphones shoes"
	return p
}

// without leaves out of got what was not in want, keeping order and repetitions.
func without(got, want []int64) (kept []int64) {
	known := make(map[int64]bool, len(want))
	for _, id := range want {
		known[id] = true
	}
	for _, id := range got {
		if known[id] {
			kept = append(kept, id)
		}
	}
	return kept
}

func TestListRefusesNonsense(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	s.create(t, shop.NewProduct{SKU: "a", Name: "a"})
	s.create(t, shop.NewProduct{SKU: "b", Name: "b"})
	first, err := s.ListProducts(t.Context(), shop.ProductQuery{Limit: 1})
	if err != nil || first.Next == "" {
		t.Fatal(first, err)
	}
	minus, ten, two := int64(-1), int64(10), int64(2)
	for field, q := range map[string]shop.ProductQuery{
		"limit": {Limit: 101}, "sort": {Sort: "name"}, "cursor": {Cursor: "rubbish"}, "q": {Q: strings.Repeat("x", 201)},
		"category": {Category: strings.Repeat("c", 301)}, "brand": {Brand: "a\x00"}, "min_price": {MinPrice: &ten, MaxPrice: &two},
		"max_price": {MaxPrice: &minus},
	} {
		_, err := s.ListProducts(t.Context(), q)
		e, _ := err.(*shop.Error)
		if e == nil || e.Code != shop.CodeInvalid || e.Fields[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, q := range []shop.ProductQuery{{Limit: -1}, {Sort: shop.SortPrice, Cursor: first.Next}} {
		_, err := s.ListProducts(t.Context(), q)
		wantCode(t, err, shop.CodeInvalid)
	}
}

// On a table of some size every sort, with and without filters, reads its index and neither scans nor sorts the table.
func TestEverySortHasItsIndex(t *testing.T) {
	t.Parallel()
	s := stocked(t, 20_000)
	yes := true
	index := map[shop.Sort]string{shop.SortPopular: "products_popular", shop.SortNewest: "products_newest", shop.SortPrice: "products_price",
		shop.SortPriceDesc: "products_price", shop.SortRating: "products_rating"}
	for sort, name := range index {
		page, err := s.ListProducts(t.Context(), shop.ProductQuery{Sort: sort, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []shop.ProductQuery{{}, {Cursor: page.Next}, {InStock: &yes}, {Category: "Electronics"}, {Category: "Electronics", Cursor: page.Next, InStock: &yes}} {
			q.Sort = sort
			sql, args, err := postgres.FirstStatement(q)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := s.pool.Query(t.Context(), "EXPLAIN "+sql, append([]any{pgx.QueryExecModeExec}, args...)...)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			plan := strings.Join(lines, "\n")
			want := name
			if name == "products_price" && q.Category != "" {
				want = "products_category"
			}
			if strings.Contains(plan, "Seq Scan on products") || !strings.Contains(plan, "using "+want) {
				t.Errorf("%s %+v does not read %s:\n%s", sort, q, want, plan)
			}
		}
	}
}
