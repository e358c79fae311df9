package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/replica"
)

// narrowed tells whether a filter may be so narrow that gathering what matches is best.
func (l *listing) narrowed() bool {
	return l.soldOut() || l.q.Category != "" || l.q.Brand != "" || l.priceFiltered()
}

func (l *listing) soldOut() bool { return l.q.InStock != nil && !*l.q.InStock }

// byPrice tells whether an index holds just what is asked for in the order of price.
func (l *listing) byPrice() bool {
	return l.order.column == "price" && !l.soldOut() && (l.q.Category == "") != (l.q.Brand == "")
}

// probe counts, up to fewEntries+1, what passes each filter alone and returns the smallest count.
func (l *listing) probe(ctx context.Context, db replica.Reader) (int64, error) {
	var s statement
	var counts []string
	count := func(cond string) {
		counts = append(counts, "(SELECT count(*) FROM (SELECT 1 FROM products WHERE deleted_at IS NULL"+cond+
			" LIMIT "+strconv.FormatInt(l.fewEntries+1, 10)+") x)")
	}
	if l.q.Brand != "" {
		count(" AND brand = " + s.arg(l.q.Brand))
	}
	if l.q.Category != "" {
		count(l.within(&s))
	}
	if l.priceFiltered() {
		count(l.priced(&s))
	}
	if l.soldOut() {
		count(l.stocked())
	}
	s.sql = "SELECT least(" + strings.Join(counts, ", ") + ")"
	var n int64
	err := db.QueryRow(ctx, s.sql, append([]any{pgx.QueryExecModeCacheDescribe}, s.args...)...).Scan(&n)
	return n, err
}

// leaves reads a category and all below it in the order of price: the first of each of them, from an index that is
// ordered so, merged. When there are more of them than maxLeaves, the answer is a bound row alone.
func (l *listing) leaves() statement {
	var s statement
	want := s.arg(l.q.Limit + 1)
	own, from, to := s.arg(l.q.Category), s.arg(l.q.Category+"/"), s.arg(l.q.Category+"0")
	next := "(SELECT category FROM products WHERE deleted_at IS NULL AND category %s AND category < " + to + " ORDER BY category LIMIT 1)"
	first, then := strings.Replace(next, "%s", ">= "+from, 1), strings.Replace(next, "%s", "> below.path", 1)
	each := "SELECT id, price FROM products" + l.live(&s) + " AND category = paths.path" + l.stocked() +
		l.ordered("price", "id") + " LIMIT " + want
	limit := strconv.Itoa(l.maxLeaves)
	f := l.wrap(s, "SELECT * FROM ((SELECT each.id, each.price AS key, false AS bound FROM paths CROSS JOIN LATERAL ("+each+") each"+
		" WHERE (SELECT count(*) FROM paths) <= "+limit+l.ordered("key", "each.id")+" LIMIT "+want+") UNION ALL (SELECT id, price, true FROM products"+
		" WHERE deleted_at IS NULL AND (SELECT count(*) FROM paths) > "+limit+" ORDER BY id LIMIT 1)) b")
	f.sql = "WITH RECURSIVE below(path, n) AS (SELECT " + first + ", 1 UNION ALL SELECT " + then + ", n + 1 FROM below" +
		" WHERE path IS NOT NULL AND n <= " + limit + "), paths AS (SELECT path FROM below WHERE path IS NOT NULL UNION ALL SELECT " +
		own + "::text) " + f.sql
	return f
}
