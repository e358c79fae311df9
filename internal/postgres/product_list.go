package postgres

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// Limits of lists.
const (
	defaultLimit = 20
	maxLimit     = 100
	maxQuery     = 200 // bytes of q
)

// ListProducts returns one page. Three ways lead to it, whichever is short:
//
//   - the sort's index is walked in order and what does not match is skipped, for a bounded number of entries: right
//     when there are no filters, or ones that many products pass;
//   - all that matches is gathered through the indexes of filters and words and sorted: right when few match;
//   - frequent words are looked up together with marks, see product_mark.go: right when their products are far down
//     the order (cheap things in the order of falling prices).
//
// Which one, bounded counts decide, not the planner's assumption that filters and orders are independent.
func (c *Catalog) ListProducts(ctx context.Context, q shop.ProductQuery) (shop.ProductPage, error) {
	l, err := newListing(q, c.bounds)
	if err != nil {
		return shop.ProductPage{}, err
	}
	var page shop.ProductPage
	err = c.read(ctx, func(ctx context.Context, db replica.Reader) error {
		page, err = l.run(ctx, db)
		return err
	})
	return page, err
}

// listing is a checked ProductQuery.
type listing struct {
	listBounds
	q     shop.ProductQuery
	order listOrder
	after *listKey
	words []string // of q
}

func newListing(q shop.ProductQuery, b listBounds) (*listing, error) {
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Limit < 1 || q.Limit > maxLimit {
		return nil, shop.Invalid("limit", "must be between 1 and %d", maxLimit)
	}
	if q.Sort == "" {
		q.Sort = shop.SortPopular
	}
	order, ok := listOrders[q.Sort]
	if !ok {
		return nil, shop.Invalid("sort", "must be one of popular, newest, price, -price, rating")
	}
	l := &listing{listBounds: b, q: q, order: order}
	if q.Cursor != "" {
		k, err := decodeCursor(order, q.Cursor)
		if err != nil {
			return nil, err
		}
		l.after = &k
	}
	if err := l.checkFilters(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *listing) checkFilters() error {
	if len(l.q.Q) > maxQuery {
		return shop.Invalid("q", "must have at most %d bytes", maxQuery)
	}
	if l.q.Q != "" {
		l.words = queryWords(l.q.Q)
	}
	l.q.Category = shop.CleanCategory(l.q.Category)
	// What no product can have would be an error to PostgreSQL (NUL, broken UTF-8) or wasted work.
	probe := shop.NewProduct{SKU: "x", Name: "x", Brand: l.q.Brand, Category: l.q.Category}
	if _, err := probe.Checked(); err != nil {
		return err
	}
	for field, p := range map[string]*int64{"min_price": l.q.MinPrice, "max_price": l.q.MaxPrice} {
		if p != nil && *p < 0 {
			return shop.Invalid(field, "must not be negative")
		}
	}
	if l.q.MinPrice != nil && l.q.MaxPrice != nil && *l.q.MinPrice > *l.q.MaxPrice {
		return shop.Invalid("min_price", "must not be above max_price")
	}
	return nil
}

// filtered tells whether anything but words narrows the list beyond a range of the sort's own index.
func (l *listing) filtered() bool {
	return l.q.Category != "" || l.q.Brand != "" || l.q.InStock != nil || l.priceFiltered()
}

func (l *listing) priceFiltered() bool {
	return (l.q.MinPrice != nil || l.q.MaxPrice != nil) && l.order.column != "price"
}

// run answers from one node; one row more than the page tells whether there is a next one.
func (l *listing) run(ctx context.Context, db replica.Reader) (shop.ProductPage, error) {
	var m searchMatch
	if l.q.Q != "" {
		var err error
		if m, err = resolveWords(ctx, db, l.words, l.filterMarks()); err != nil || m.query == "" {
			return shop.ProductPage{Products: []shop.Product{}}, err
		}
	}
	rows, err := l.rows(ctx, db, m)
	return l.page(rows), err
}

// rows chooses the way to the page.
func (l *listing) rows(ctx context.Context, db replica.Reader, m searchMatch) ([]listRow, error) {
	if m.query != "" {
		return l.search(ctx, db, m)
	}
	if l.narrowed() && !l.byPrice() {
		n, err := l.probe(ctx, db)
		if err != nil {
			return nil, err
		}
		if n <= l.fewEntries {
			rows, _, err := l.query(ctx, db, l.fetch())
			return rows, err
		}
	}
	s := l.walk("")
	if l.byPrice() && l.q.Category != "" {
		s = l.leaves()
	}
	rows, complete, err := l.query(ctx, db, s)
	if err != nil || complete || len(rows) > l.q.Limit {
		return rows, err
	}
	rows, _, err = l.query(ctx, db, l.fetch())
	return rows, err
}

// search is rows for words.
func (l *listing) search(ctx context.Context, db replica.Reader, m searchMatch) ([]listRow, error) {
	if m.likely <= l.likelyFew {
		most := l.fewRows
		if m.atMost > int64(most) {
			most = l.trialRows
		}
		rows, complete, err := l.query(ctx, db, l.gather(m.query, most))
		if err != nil || complete {
			return rows, err
		}
		m.likely = 2 * int64(most) // or so: the words come together more often than by chance
	}
	if !l.narrowed() && m.expected(l.q.Limit+1) <= l.walkExpected {
		rows, complete, err := l.query(ctx, db, l.walk(m.query))
		if err != nil || complete || len(rows) > l.q.Limit {
			return rows, err
		}
	}
	return l.byMarks(ctx, db, m)
}

// listRow is a product with its place in the order. Bound marks the end of a bounded walk; it is no product.
type listRow struct {
	catRow
	SortKey any
	Bound   bool
}

// query runs one statement. It is planned with the values at hand: a plan for all categories alike would be wrong for
// most. complete is false when the walk was cut off.
func (l *listing) query(ctx context.Context, db replica.Reader, s statement) (found []listRow, complete bool, err error) {
	rows, err := db.Query(ctx, s.sql, append([]any{pgx.QueryExecModeCacheDescribe}, s.args...)...)
	if err != nil {
		return nil, false, err
	}
	found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[listRow])
	if n := len(found); n > 0 && found[n-1].Bound {
		return found[:n-1], false, err
	}
	return found, true, err
}

func (l *listing) page(rows []listRow) shop.ProductPage {
	more := len(rows) > l.q.Limit
	if more {
		rows = rows[:l.q.Limit]
	}
	page := shop.ProductPage{Products: make([]shop.Product, len(rows))}
	for i, r := range rows {
		page.Products[i] = toProduct(r.catRow)
	}
	if more {
		last := rows[len(rows)-1]
		k := listKey{id: last.ID}
		switch v := last.SortKey.(type) {
		case int64:
			k.value = uint64(v)
		case float64:
			k.value = math.Float64bits(v)
		}
		page.Next = encodeCursor(l.order, k)
	}
	return page
}
